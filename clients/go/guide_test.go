package governance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	governance "polytraders.dev/governance/clients/go"
	"polytraders.dev/governance/clients/go/venue"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// The functions of the guide, letter by letter.

func record(ctx context.Context, conn *grpc.ClientConn, trade []byte) error {
	recorder, err := governance.OpenRecorder(conn, "governance/recorder.db", governance.RecorderOptions{})
	if err != nil {
		return err
	}
	defer recorder.Close()
	err = recorder.RecordActions(ctx, &pb.UserAction{
		Wallet: "0xdeadbeef00000000000000000000000000000001", SessionId: "sess_9", ActionType: "STRATEGY_START", TraceId: "trc_9"})
	if err != nil {
		return err
	}
	traces := map[string]string{"0x9a41": "trc_9"} // Order id → trace id, kept since the order was posted.
	ours := venue.Ours{Trace: func(order string) (string, bool) { trace, ok := traces[order]; return trace, ok }}
	reports, err := ours.Reports(trade) // JSON as it came, or the struct of your CLOB client.
	if err != nil {
		return err
	}
	if err := recorder.RecordReports(ctx, reports...); err != nil {
		return err
	}
	return recorder.Flush(ctx) // Waits until the service has, or has refused, all of it.
}

func export(ctx context.Context, conn *grpc.ClientConn, path string) error {
	ledger := pb.NewUserActivityLedgerServiceClient(conn)
	trailer, err := governance.ExportUserActions(ctx, ledger, &pb.ExportUserActionsRequest{}, path)
	if errors.Is(err, governance.ErrExportCut) {
		return fmt.Errorf("call it again with the same path: %w", err)
	}
	if err != nil {
		return err
	}
	fmt.Println(trailer.GetTotalCount(), "actions")
	return nil
}

func TestTheFunctionsOfTheGuideWork(t *testing.T) {
	guide, err := os.ReadFile("../../docs/integrating.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range strings.Split(string(guide), "```go\nfunc ")[1:] {
		text, _, _ := strings.Cut("func "+block, "```")
		if found++; !strings.Contains(string(here), text) {
			t.Errorf("the guide has a function that is not tested here:\n%s", text)
		}
	}
	if found != 2 {
		t.Errorf("%d functions are in the guide, want 2", found)
	}

	bot, compliance := connect(t, real.address, token(t, "bot")), connect(t, real.address, token(t, "compliance"))
	t.Chdir(t.TempDir())
	trade := `{"id":"guide","status":"MATCHED","taker_order_id":"0x9a41","trader_side":"TAKER","size":"1137.19"}`
	if err := record(within(t, time.Minute), bot, []byte(trade)); err != nil {
		t.Fatal(err)
	}
	if err := export(within(t, time.Minute), compliance, "actions.jsonl"); err != nil {
		t.Fatal(err)
	}
}
