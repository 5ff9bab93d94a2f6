// Package venue makes execution reports of the venue's trades: the trades of a CLOB
// client's REST calls and the messages of its user channel, as JSON or as the structs
// of whatever Go client is used. It depends on none of them.
package venue

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// Ours tells which orders of a trade are ours; any one of the three is enough. Where a
// trade says that we were the taker, its taker's order is ours.
type Ours struct {
	// Trace is asked for an order's trace id, kept since the order was posted. ok says
	// that the order is ours; an empty trace may come with a later report.
	Trace func(orderID string) (traceID string, ok bool)
	// APIKeys are those that our orders were posted with.
	APIKeys []string
	// Addresses are our wallets, in any case of letters.
	Addresses []string
	// KeepRaw puts the whole trade into raw_json, up to 64 KiB. A trade that comes in two
	// forms, from REST and from the user channel, is then recorded twice.
	KeepRaw bool
}

const maxRawBytes = 64 * 1024

var walletForm = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

// Reports makes one report for each order of ours in a trade: (trade_id, order_id) is a
// fill. trade is the JSON as it came ([]byte, json.RawMessage or string), or a struct or
// map of it, read by its JSON names in snake_case or camelCase, or its field names. A
// list gives the reports of all its trades; a user-channel message that is not of a
// trade gives none. Text is taken as it is: amounts keep their digits, a status its
// prefix. A float64 in a struct has lost digits before.
func (o Ours) Reports(trade any) ([]*pb.ExecutionReport, error) {
	text, err := textOf(trade)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		var trades []json.RawMessage
		if err := json.Unmarshal(text, &trades); err != nil {
			return nil, fmt.Errorf("venue: not a trade: %w", err)
		}
		var all []*pb.ExecutionReport
		for _, one := range trades {
			reports, err := o.Reports(one)
			if err != nil {
				return nil, err
			}
			all = append(all, reports...)
		}
		return all, nil
	}
	read, err := parse(text)
	if err != nil {
		return nil, err
	}
	if kind := read.text("event_type"); kind != "" && !strings.EqualFold(kind, "trade") {
		return nil, nil
	}
	if read.text("id") == "" {
		return nil, fmt.Errorf("venue: a trade without id")
	}
	return o.reportsOf(read, text)
}

func textOf(trade any) ([]byte, error) {
	switch trade := trade.(type) {
	case []byte:
		return trade, nil
	case json.RawMessage:
		return trade, nil
	case string:
		return []byte(trade), nil
	}
	text, err := json.Marshal(trade)
	if err != nil {
		return nil, fmt.Errorf("venue: not a trade: %w", err)
	}
	return text, nil
}

func (o Ours) reportsOf(trade object, text []byte) ([]*pb.ExecutionReport, error) {
	common, err := commonOf(trade)
	if err != nil {
		return nil, err
	}
	if o.KeepRaw && len(text) <= maxRawBytes {
		common.RawJson = proto.String(string(text))
	}
	var reports []*pb.ExecutionReport
	makers, err := trade.list("maker_orders")
	if err != nil {
		return nil, err
	}
	traderSide := strings.ToUpper(trade.text("trader_side"))
	if order := trade.text("taker_order_id"); order != "" {
		owner := trade.text("owner")
		if traderSide == "MAKER" {
			// What the trade says of its owner is then said of the maker.
			owner = ""
		}
		trace, ours := o.trace(order, owner, "")
		if ours || traderSide == "TAKER" || o.isOurAddress(trade.text("maker_address")) && traderSide == "" {
			report := proto.CloneOf(common)
			report.OrderId, report.TraceId, report.TraderSide = order, trace, "TAKER"
			report.AssetId, report.Outcome = trade.text("asset_id"), trade.text("outcome")
			report.Side, report.Size = strings.ToUpper(trade.text("side")), trade.text("size")
			report.Price, report.FeeRateBps = trade.text("price"), trade.text("fee_rate_bps")
			report.Wallet = walletOf(trade)
			reports = append(reports, report)
		}
	}
	for _, maker := range makers {
		order := maker.text("order_id")
		trace, ours := o.trace(order, maker.text("owner"), maker.text("maker_address"))
		if !ours {
			continue
		}
		report := proto.CloneOf(common)
		report.OrderId, report.TraceId, report.TraderSide = order, trace, "MAKER"
		report.AssetId, report.Outcome = maker.text("asset_id"), maker.text("outcome")
		// Not the trade's: a maker may be on either side of it.
		report.Side, report.Size = strings.ToUpper(maker.text("side")), maker.text("matched_amount")
		report.Price, report.FeeRateBps = maker.text("price"), maker.text("fee_rate_bps")
		report.Wallet = walletOf(maker)
		reports = append(reports, report)
	}
	return reports, nil
}

func commonOf(trade object) (*pb.ExecutionReport, error) {
	matched, err := trade.time("match_time", "matchtime", "match_time_nano")
	if err != nil {
		return nil, err
	}
	updated, err := trade.time("last_update", "timestamp")
	if err != nil {
		return nil, err
	}
	return &pb.ExecutionReport{
		TradeId: trade.text("id"), Status: trade.text("status"), Market: trade.text("market"),
		TransactionHash: trade.text("transaction_hash"), MatchedAt: matched, UpdatedAt: updated,
	}, nil
}

func (o Ours) trace(order, owner, address string) (string, bool) {
	if o.Trace != nil {
		if trace, ok := o.Trace(order); ok {
			return trace, true
		}
	}
	return "", owner != "" && slices.Contains(o.APIKeys, owner) || o.isOurAddress(address)
}

func (o Ours) isOurAddress(address string) bool {
	return address != "" && slices.ContainsFunc(o.Addresses, func(ours string) bool { return strings.EqualFold(ours, address) })
}

// walletOf is an address as it came; empty where it is none.
func walletOf(of object) string {
	if address := of.text("maker_address"); walletForm.MatchString(address) {
		return address
	}
	return ""
}
