// Package decimal shows that trades in structs with a decimal library's amounts are
// mapped. A module of its own, so that the client does not depend on the library.
package decimal

import (
	"testing"

	"github.com/shopspring/decimal"

	"polytraders.dev/governance/clients/go/venue"
)

type makerOrder struct {
	OrderID       string          `json:"order_id"`
	MakerAddress  string          `json:"maker_address"`
	MatchedAmount decimal.Decimal `json:"matched_amount"`
	Price         decimal.Decimal `json:"price"`
}

type trade struct {
	ID          string       `json:"id"`
	Status      string       `json:"status"`
	TraderSide  string       `json:"trader_side"`
	MakerOrders []makerOrder `json:"maker_orders"`
}

func TestAmountsKeepTheirValue(t *testing.T) {
	const amount = "1137190000000000000000000000.000000000000000001"
	const wallet = "0xDeadBeef00000000000000000000000000000001"
	for _, asText := range []bool{true, false} {
		decimal.MarshalJSONWithoutQuotes = !asText
		reports, err := venue.Ours{Addresses: []string{wallet}}.Reports(&trade{
			ID: "7f3c", Status: "TRADE_STATUS_RETRYING", TraderSide: "MAKER",
			MakerOrders: []makerOrder{{"0x9a41", wallet, decimal.RequireFromString(amount), decimal.RequireFromString("0.914483")}},
		})
		if err != nil || len(reports) != 1 {
			t.Fatalf("%v, error %v", reports, err)
		}
		if got := reports[0]; got.Size != amount || got.Price != "0.914483" || got.Status != "TRADE_STATUS_RETRYING" {
			t.Fatalf("report %v", got)
		}
	}
}
