//go:build !released

package main

import (
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

func init() {
	readFills = func(session string, found func(kind, name string, value any)) {
		for request := (&pb.ListFillsRequest{OrderId: session}); ; {
			page := must(ledger.ListFills(ctx, request))
			for _, entry := range page.GetFills() {
				report := entry.GetReport()
				fields := []string{}
				message := report.ProtoReflect()
				for _, name := range cases.FillFields {
					fields = append(fields, message.Get(message.Descriptor().Fields().ByTextName(name)).String())
				}
				found("fill", report.GetTradeId()[len(session)+1:],
					[]any{fields, report.GetWallet(), when(report.GetMatchedAt()), shown(parsed([]byte(report.GetRawJson())))})
			}
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				return
			}
		}
	}
}
