// Writes the cases to the service, or reads what is there, with generated code and grpc-go alone; see crosswise.ts.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

var cases struct {
	Run, Wallet, Editor, At string
	Writers, FillFields     []string
	Values                  []struct {
		Name  string
		Value map[string]any
	}
	Fills []struct {
		Name   string
		Fields map[string]string
		Raw    map[string]any
	}
}

var (
	ctx     context.Context
	ledger  pb.UserActivityLedgerServiceClient
	auditor pb.ParameterChangeAuditorServiceClient
	output  = json.NewEncoder(os.Stdout)
)

func main() {
	check(json.Unmarshal(must(os.ReadFile(os.Args[2])), &cases))
	channel := must(grpc.NewClient(os.Getenv("GOVERNANCE_GRPC_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer channel.Close()
	within, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	ctx = metadata.AppendToOutgoingContext(within, "authorization", "Bearer "+os.Getenv("GOVERNANCE_TOKEN"))
	ledger, auditor = pb.NewUserActivityLedgerServiceClient(channel), pb.NewParameterChangeAuditorServiceClient(channel)
	if os.Args[1] == "write" {
		write(cases.Run + "-" + os.Args[3])
		return
	}
	for _, writer := range cases.Writers {
		read(writer, cases.Run+"-"+writer)
	}
}

// text is JSON of a case's value.
func text(value any) *string { return proto.String(string(must(json.Marshal(native(value))))) }

func native(value any) any {
	for kind, content := range value.(map[string]any) {
		switch kind {
		case "o":
			object := map[string]any{}
			for _, member := range content.([]any) {
				object[member.([]any)[0].(string)] = native(member.([]any)[1])
			}
			return object
		case "a":
			array := []any{}
			for _, member := range content.([]any) {
				array = append(array, native(member))
			}
			return array
		case "l":
			return json.RawMessage(content.(string))
		case "n":
			return json.Number(content.(string))
		default:
			return content
		}
	}
	panic("a value without a kind")
}

// parsed reads JSON; numbers keep their text.
func parsed(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	check(decoder.Decode(&value))
	return value
}

// shown is the reverse of native; a number by its sign, digits and exponent.
func shown(value any) any {
	switch value := value.(type) {
	case map[string]any:
		members := [][2]any{}
		for key, member := range value {
			members = append(members, [2]any{key, shown(member)})
		}
		return map[string]any{"o": members}
	case []any:
		members := []any{}
		for _, member := range value {
			members = append(members, shown(member))
		}
		return map[string]any{"a": members}
	case string:
		return map[string]any{"s": value}
	case json.Number:
		return map[string]any{"n": digits(value.String())}
	default:
		return map[string]any{"l": string(must(json.Marshal(value)))}
	}
}

func digits(number string) string {
	unsigned := strings.TrimPrefix(number, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(unsigned), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent, _ := strconv.Atoi(power) // None is 0.
	significant := strings.TrimLeft(whole+fraction, "0")
	if significant == "" {
		significant = "0"
	}
	return fmt.Sprintf("%s%se%d", number[:len(number)-len(unsigned)], significant, exponent-len(fraction))
}

func at() *timestamppb.Timestamp {
	seconds, nanos, _ := strings.Cut(cases.At, ".")
	return &timestamppb.Timestamp{Seconds: must(strconv.ParseInt(seconds, 10, 64)), Nanos: int32(must(strconv.Atoi(nanos)))}
}

func when(at *timestamppb.Timestamp) string {
	return fmt.Sprintf("%d.%d", at.GetSeconds(), at.GetNanos())
}

func write(session string) {
	var actions []*pb.UserAction
	for _, one := range cases.Values {
		actions = append(actions, &pb.UserAction{
			EventId: session + "-" + one.Name, Wallet: cases.Wallet, SessionId: session, ActionType: "OVERRIDE",
			ParamsJson: text(map[string]any{"o": []any{[]any{"v", one.Value}}}), TraceId: one.Name, OccurredAt: at()})
	}
	first := &pb.RecordUserActionRequest{}
	check(proto.Unmarshal(must(proto.Marshal(actions[0])), first))
	must(ledger.RecordUserAction(ctx, first))
	open := &pb.StreamOpen{StreamId: session}
	acting := must(ledger.StreamUserActions(ctx))
	check(acting.Send(&pb.StreamUserActionsRequest{Message: &pb.StreamUserActionsRequest_Open{Open: open}}))
	must(acting.Recv())
	check(acting.Send(&pb.StreamUserActionsRequest{Message: &pb.StreamUserActionsRequest_Batch{
		Batch: &pb.UserActionBatch{FirstOffset: 1, Actions: actions[1:]}}}))
	acknowledged(must(acting.Recv()).GetAck())
	check(acting.CloseSend())

	var reports []*pb.ExecutionReport
	for _, fill := range cases.Fills {
		report := &pb.ExecutionReport{TradeId: session + "-" + fill.Name, OrderId: session, Wallet: cases.Wallet,
			MatchedAt: at(), RawJson: text(fill.Raw)}
		for name, value := range fill.Fields {
			set(report, name, value)
		}
		reports = append(reports, report)
	}
	filling := must(ledger.StreamExecutionReports(ctx))
	check(filling.Send(&pb.StreamExecutionReportsRequest{Message: &pb.StreamExecutionReportsRequest_Open{Open: open}}))
	must(filling.Recv())
	check(filling.Send(&pb.StreamExecutionReportsRequest{Message: &pb.StreamExecutionReportsRequest_Batch{
		Batch: &pb.ExecutionReportBatch{FirstOffset: 1, Reports: reports}}}))
	acknowledged(must(filling.Recv()).GetAck())
	check(filling.CloseSend())

	for _, one := range cases.Values {
		answer := must(auditor.CheckWrite(ctx, &pb.CheckWriteRequest{BotSlug: session, ParamName: one.Name, EditorId: cases.Editor,
			OldValueJson: text(one.Value), NewValueJson: text(map[string]any{"a": []any{one.Value}})}))
		if !answer.GetAllowed() {
			log.Fatal(answer)
		}
	}
}

func set(report *pb.ExecutionReport, name, value string) {
	switch name {
	case "market":
		report.Market = value
	case "asset_id":
		report.AssetId = value
	case "size":
		report.Size = value
	case "price":
		report.Price = value
	case "outcome":
		report.Outcome = value
	default:
		log.Fatal("unknown field ", name)
	}
}

func acknowledged(ack *pb.StreamAck) {
	if ack == nil || len(ack.GetResults()) > 0 {
		log.Fatal(ack)
	}
}

func read(writer, session string) {
	found := func(kind, name string, value any) { check(output.Encode([]any{writer, kind, name, value})) }
	for request := (&pb.ListUserActionsRequest{SessionId: session}); ; {
		page := must(ledger.ListUserActions(ctx, request))
		for _, entry := range page.GetActions() {
			report := entry.GetReport()
			found("action", report.GetTraceId(), []any{report.GetWalletAddress(), when(report.GetOccurredAt()), shown(parsed([]byte(report.GetActionParamsJson())))})
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	export := must(ledger.ExportUserActions(ctx, &pb.ExportUserActionsRequest{SessionId: session}))
	for isOver := false; !isOver; {
		part := must(export.Recv())
		for line := range bytes.Lines(part.GetJsonl()) {
			report := parsed(line).(map[string]any)
			found("exported", report["trace_id"].(string), shown(report["action_params"]))
		}
		isOver = part.GetTrailer() != nil
	}
	for request := (&pb.ListParameterChangesRequest{BotSlug: session}); ; {
		page := must(auditor.ListParameterChanges(ctx, request))
		for _, change := range page.GetChanges() {
			report := change.GetReport()
			found("change", report.GetParamName(), []any{report.GetEditorId(), shown(parsed([]byte(report.GetOldValueJson()))), shown(parsed([]byte(report.GetNewValueJson())))})
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	for _, value := range must(auditor.GetConfigAsOf(ctx, &pb.GetConfigAsOfRequest{BotSlug: session})).GetValues() {
		found("in force", value.GetParamName(), shown(parsed([]byte(value.GetValueJson()))))
	}
	if readFills != nil && os.Getenv("WITHOUT_FILLS") == "" {
		readFills(session, found)
	}
}

// readFills is nil with the released contract, which has no way to read fills.
var readFills func(session string, found func(kind, name string, value any))

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
