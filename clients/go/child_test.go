package governance_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// running is this test's program again, to be killed.
type running struct {
	process *exec.Cmd
	lines   *bufio.Scanner
}

func startChild(t *testing.T, role, path, address, name string) *running {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "GOVERNANCE_TEST_CHILD="+role, "CHILD_PATH="+path, "CHILD_ADDRESS="+address,
		"CHILD_NAME="+name, "CHILD_TOKEN="+token(t, "bot"))
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill() })
	return &running{process, bufio.NewScanner(output)}
}

func (r *running) line(t *testing.T) string {
	t.Helper()
	if !r.lines.Scan() {
		t.Fatalf("the child ended: %v", r.lines.Err())
	}
	return r.lines.Text()
}

func (r *running) kill(t *testing.T) {
	t.Helper()
	if err := r.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.process.Wait() // It ends by the signal.
}

// child is what the killed process does; each line it prints is a promise.
func child(role string) {
	path, name := os.Getenv("CHILD_PATH"), os.Getenv("CHILD_NAME")
	conn, err := dial(os.Getenv("CHILD_ADDRESS"), os.Getenv("CHILD_TOKEN"))
	ended(err)
	ctx := context.Background()
	switch role {
	case "gate", "change":
		gate, err := governance.OpenGate(conn, path, governance.GateOptions{})
		ended(err)
		request := change()
		request.BotSlug = name
		if role == "gate" {
			_, err = gate.CheckWrite(ctx, request)
			ended(err)
			fmt.Println("allowed")
		} else {
			ended(gate.Change(ctx, request, func(context.Context) error {
				fmt.Println("allowed")
				time.Sleep(time.Hour)
				return nil
			}))
		}
	case "recorder":
		recorder, err := governance.OpenRecorder(conn, path, governance.RecorderOptions{})
		ended(err)
		for number := 1; ; number++ {
			action, report := actionOf(name, number), reportOf(name, number)
			ended(recorder.RecordActions(ctx, action))
			ended(recorder.RecordReports(ctx, report))
			fmt.Println(number)
		}
	}
	time.Sleep(time.Hour)
}

func ended(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const wallet = "0xDeadBeef00000000000000000000000000000001"

func actionOf(session string, number int) *pb.UserAction {
	return &pb.UserAction{
		EventId: fmt.Sprintf("%s-%d", session, number), Wallet: wallet, SessionId: session,
		ActionType: "STRATEGY_START", TraceId: fmt.Sprintf("%s-%d", session, number), SessionSeq: int64(number),
	}
}

func reportOf(session string, number int) *pb.ExecutionReport {
	return &pb.ExecutionReport{
		TradeId: fmt.Sprintf("%s-%d", session, number), OrderId: "0x9a41", TraceId: fmt.Sprintf("%s-%d", session, number),
		Status: "TRADE_STATUS_MATCHED", Market: session, Size: "1137.190000000000000001", Price: "0.914483",
	}
}
