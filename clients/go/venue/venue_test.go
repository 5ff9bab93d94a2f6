package venue_test

import (
	"encoding/json"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"polytraders.dev/governance/clients/go/venue"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const (
	asset       = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
	checksummed = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
	lower       = "0x00000000219ab540356cbb839cbe05303d7705fa"
)

// trade is as the user channel sends one in which two of our maker orders were filled.
const trade = `{"event_type":"trade","type":"TRADE","id":"7f3c:1b52","taker_order_id":"0xtaker","market":"0xm","asset_id":"` + asset + `",
 "side":"BUY","size":"10.50","fee_rate_bps":"0","price":"0.570","status":"TRADE_STATUS_MINED","matchtime":"1747821030","last_update":"1747821031500",
 "outcome":"Yes","owner":"key-theirs","trade_owner":"key-ours","maker_address":"0x0000000000000000000000000000000000000009","transaction_hash":"0xt","trader_side":"MAKER",
 "maker_orders":[
  {"order_id":"0xa","owner":"key-ours","maker_address":"` + checksummed + `","matched_amount":"4.5000","price":"0.570","fee_rate_bps":"0","asset_id":"` + asset + `","outcome":"Yes","side":"SELL"},
  {"order_id":"0xb","owner":"key-ours","maker_address":"` + checksummed + `","matched_amount":"5.00","price":"0.57","fee_rate_bps":"20","asset_id":"` + asset + `","outcome":"Yes"},
  {"order_id":"0xc","owner":"key-other","maker_address":"0x0000000000000000000000000000000000000008","matched_amount":"1","price":"0.5","fee_rate_bps":"0","asset_id":"1","outcome":"No"}]}`

func reports(t *testing.T, ours venue.Ours, trade any) []*pb.ExecutionReport {
	t.Helper()
	got, err := ours.Reports(trade)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEachOrderOfOursIsAFill(t *testing.T) {
	traces := map[string]string{"0xa": "trc_1"}
	ours := venue.Ours{APIKeys: []string{"key-ours"}, Trace: func(id string) (string, bool) { trace, ok := traces[id]; return trace, ok }}
	got := reports(t, ours, trade)
	if len(got) != 2 {
		t.Fatalf("%d reports: %v", len(got), got)
	}
	want := &pb.ExecutionReport{}
	err := protojson.Unmarshal([]byte(`{"trade_id":"7f3c:1b52","order_id":"0xa","trace_id":"trc_1","wallet":"`+checksummed+`",
		"status":"TRADE_STATUS_MINED","market":"0xm","asset_id":"`+asset+`","side":"SELL","size":"4.5000","price":"0.570","fee_rate_bps":"0",
		"outcome":"Yes","trader_side":"MAKER","transaction_hash":"0xt","matched_at":"2025-05-21T09:50:30Z","updated_at":"2025-05-21T09:50:31.500Z"}`), want)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got[0], want) {
		t.Fatalf("got  %v\nwant %v", got[0], want)
	}
	if got[1].OrderId != "0xb" || got[1].Size != "5.00" || got[1].FeeRateBps != "20" || got[1].Side != "" || got[1].TraceId != "" {
		t.Fatalf("second fill %v", got[1])
	}
}

func TestOursAreFoundByAddressInAnyCaseAndByOrder(t *testing.T) {
	if got := reports(t, venue.Ours{Addresses: []string{lower}}, trade); len(got) != 2 || got[0].Wallet != checksummed {
		t.Fatalf("by address: %v", got)
	}
	byOrder := venue.Ours{Trace: func(id string) (string, bool) { return "", id == "0xc" }}
	if got := reports(t, byOrder, trade); len(got) != 1 || got[0].OrderId != "0xc" {
		t.Fatalf("by order: %v", got)
	}
	if got := reports(t, venue.Ours{}, trade); len(got) != 0 {
		t.Fatalf("nobody's: %v", got)
	}
}

// restTrade is how a Go client may hold a trade of the REST interface.
type restTrade struct {
	ID           string `json:"id"`
	TakerOrderID string `json:"taker_order_id"`
	AssetID      string `json:"asset_id"`
	Side         string `json:"side"`
	Size         string `json:"size"`
	Price        json.Number
	Status       string    `json:"status"`
	MatchTime    int64     `json:"match_time"`
	LastUpdate   time.Time `json:"last_update"`
	MakerAddress string    `json:"makerAddress"`
	TraderSide   string    `json:"trader_side"`
}

func TestATakersTradeInAStruct(t *testing.T) {
	got := reports(t, venue.Ours{}, &restTrade{
		ID: "t", TakerOrderID: "0xo", AssetID: asset, Side: "sell", Size: "0.000001000", Price: "0.9144830", Status: "MATCHED",
		MatchTime: 1747821030123, MakerAddress: lower, TraderSide: "TAKER",
	})
	if len(got) != 1 {
		t.Fatalf("%d reports", len(got))
	}
	report := got[0]
	if report.OrderId != "0xo" || report.Side != "SELL" || report.Size != "0.000001000" || report.Price != "0.9144830" ||
		report.Wallet != lower || report.TraderSide != "TAKER" || report.AssetId != asset || report.UpdatedAt != nil {
		t.Fatalf("report %v", report)
	}
	if at := report.MatchedAt.AsTime(); at.UnixMilli() != 1747821030123 {
		t.Fatalf("matched at %s", at)
	}
}

func TestTimesInAnyUnit(t *testing.T) {
	want := time.Date(2025, 5, 21, 9, 50, 30, 0, time.UTC)
	for _, text := range []string{"1747821030", `"1747821030"`, "1747821030000", `"1747821030000"`, `"1747821030000000"`, `"1747821030000000000"`, `"1747821030.0"`, `"2025-05-21T09:50:30Z"`} {
		got := reports(t, venue.Ours{}, `{"id":"t","taker_order_id":"o","trader_side":"TAKER","match_time":`+text+`}`)
		if at := got[0].MatchedAt.AsTime(); !at.Equal(want) {
			t.Errorf("%s is read as %s", text, at)
		}
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	for number, want := range map[string]string{"0.10": "0.10", "1e-7": "0.0000001", "5": "5", asset: asset} {
		got := reports(t, venue.Ours{}, `{"id":"t","taker_order_id":"o","trader_side":"TAKER","size":`+number+`}`)
		if got[0].Size != want {
			t.Errorf("%s is read as %s", number, got[0].Size)
		}
	}
}

func TestListsOtherMessagesAndRawText(t *testing.T) {
	ours := venue.Ours{KeepRaw: true}
	list := `[{"event_type":"order","id":"0xo"},{"id":"1","taker_order_id":"o","trader_side":"TAKER"},{"id":"2","taker_order_id":"o","trader_side":"TAKER"}]`
	got := reports(t, ours, []byte(list))
	if len(got) != 2 || got[1].TradeId != "2" || got[1].GetRawJson() != `{"id":"2","taker_order_id":"o","trader_side":"TAKER"}` {
		t.Fatalf("reports %v", got)
	}
}

func TestWhatIsNoTradeIsSaid(t *testing.T) {
	for _, text := range []string{`{`, `{}`, `7`, `[7]`, `{"id":"t","match_time":"soon"}`, `{"id":"t","maker_orders":7}`, `{"id":"t","maker_orders":[7]}`} {
		if got, err := (venue.Ours{}).Reports(text); err == nil {
			t.Errorf("%s gives %v", text, got)
		}
	}
}
