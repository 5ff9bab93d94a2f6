// A bot that starts a strategy, changes a parameter through the gate and trades on
// recorded fills; each step is on record, and its operator is told what happened.
//
//	GOVERNANCE_GRPC_ADDR=127.0.0.1:50051 GOVERNANCE_TOKEN=… go run ./examples/bot
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	governance "polytraders.dev/governance/clients/go"
	"polytraders.dev/governance/clients/go/venue"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// What the venue's user channel said of a trade with two of our orders.
//
//go:embed trades.json
var trades []byte

const wallet = "0xDeadBeef00000000000000000000000000000001"

func main() {
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	token := governance.StaticToken(os.Getenv("GOVERNANCE_TOKEN"))
	conn, err := grpc.NewClient(os.Getenv("GOVERNANCE_GRPC_ADDR"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // TLS unless the service is on this machine.
		grpc.WithPerRPCCredentials(governance.Bearer(token)))
	if err != nil {
		return err
	}
	defer conn.Close()
	// Yours keeps its folder: what the service has not been told yet is in it.
	data, err := os.MkdirTemp("", "bot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)

	gate, err := governance.OpenGate(conn, filepath.Join(data, "gate.db"), governance.GateOptions{})
	if err != nil {
		return err
	}
	defer gate.Close()
	recorder, err := governance.OpenRecorder(conn, filepath.Join(data, "recorder.db"), governance.RecorderOptions{Stream: "bot"})
	if err != nil {
		return err
	}
	defer recorder.Close()

	session, trace := "sess_"+rand.Text(), "trc_"+rand.Text()
	if err := recorder.RecordActions(ctx, &pb.UserAction{
		Wallet: wallet, SessionId: session, SessionSeq: 1, TraceId: trace,
		ActionType: "STRATEGY_START", ParamsJson: proto.String(`{"strategy":"sports-model"}`),
	}); err != nil {
		return err
	}
	fmt.Println("started sports-model")

	if err := widen(ctx, gate); err != nil {
		return err
	}

	// The venue knows no traces: the bot keeps them by order since it posted the order.
	traces := map[string]string{"0x9a41": trace, "0x9a42": trace}
	ours := venue.Ours{Trace: func(order string) (string, bool) { t, ok := traces[order]; return t, ok }}
	reports, err := ours.Reports(trades)
	if err != nil {
		return err
	}
	// The recorded trades are the same in each run.
	for _, report := range reports {
		report.TradeId += "-" + session
	}
	if err := recorder.RecordReports(ctx, reports...); err != nil {
		return err
	}
	if err := recorder.RecordActions(ctx, &pb.UserAction{
		Wallet: wallet, SessionId: session, SessionSeq: 2, TraceId: trace, ActionType: "STRATEGY_STOP",
	}); err != nil {
		return err
	}
	if err := errors.Join(recorder.Flush(ctx), gate.Flush(ctx)); err != nil {
		return err
	}
	for _, report := range reports {
		fmt.Printf("filled %s at %s, order %s: %s\n", report.Size, report.Price, report.OrderId, report.Status)
	}
	fmt.Println("stopped; everything is on record")
	return nil
}

// widen raises the position limit, and tells the operator when it may not.
func widen(ctx context.Context, gate *governance.Gate) error {
	limit := "5000"
	change := &pb.CheckWriteRequest{
		BotSlug: "risk.liquidityguard", ParamName: "max_position_pusd", EditorId: "alice@polytraders",
		OldValueJson: proto.String(limit), NewValueJson: proto.String("7500"), TicketRef: proto.String("PTRD-1042"),
	}
	err := gate.Change(ctx, change, func(context.Context) error {
		limit = change.GetNewValueJson()
		return nil
	})
	var refusal *governance.ConfigError
	if errors.As(err, &refusal) {
		fmt.Printf("max_position_pusd stays %s: %s (%s)\n", limit, refusal.Message, refusal.ReasonCode)
		return nil
	}
	if err == nil {
		fmt.Printf("max_position_pusd is %s\n", limit)
	}
	return err
}
