package governance_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

func openRecorder(t testing.TB, conn grpc.ClientConnInterface, path string, options governance.RecorderOptions) *governance.Recorder {
	t.Helper()
	recorder, err := governance.OpenRecorder(conn, path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = recorder.Close() })
	return recorder
}

func recorderFile(t testing.TB) string { return filepath.Join(t.TempDir(), "recorder.db") }

func flushRecorder(t testing.TB, recorder *governance.Recorder) {
	t.Helper()
	if err := recorder.Flush(within(t, 2*time.Minute)); err != nil {
		actions, reports := recorder.Pending()
		t.Fatalf("%v; %d actions and %d reports are pending", err, actions, reports)
	}
}

// exported are the lines on record of a session, oldest first, exported with this client,
// once there are as many: what the service has only buffered comes a little later.
func exported(t testing.TB, session string, wantActions, wantFills int) (actions, fills []map[string]any) {
	t.Helper()
	ctx := within(t, time.Minute)
	ledger := pb.NewUserActivityLedgerServiceClient(connect(t, real.address, token(t, "compliance")))
	for {
		folder := t.TempDir()
		_, err := governance.ExportUserActions(ctx, ledger, &pb.ExportUserActionsRequest{SessionId: session}, filepath.Join(folder, "actions"))
		if err == nil && wantFills > 0 {
			_, err = governance.ExportFills(ctx, ledger, &pb.ExportFillsRequest{}, filepath.Join(folder, "fills"))
		}
		if err != nil {
			t.Fatalf("%v; %d actions and %d fills are on record, want %d and %d", err, len(actions), len(fills), wantActions, wantFills)
		}
		actions, fills = lines(t, filepath.Join(folder, "actions")), nil
		for _, fill := range lines(t, filepath.Join(folder, "fills")) {
			if report, _ := fill["report"].(map[string]any); report["market"] == session {
				fills = append(fills, report)
			}
		}
		if len(actions) >= wantActions && len(fills) >= wantFills {
			return actions, fills
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func lines(t testing.TB, path string) (all []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var read map[string]any
		if err := json.Unmarshal([]byte(line), &read); err != nil {
			t.Fatal(err)
		}
		all = append(all, read)
	}
	return all
}

// numbersOf are the numbers at the ends of ids, in order.
func numbersOf(t testing.TB, all []map[string]any, field string) (numbers []int) {
	t.Helper()
	for _, line := range all {
		id, _ := line[field].(string)
		number, err := strconv.Atoi(id[strings.LastIndex(id, "-")+1:])
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// isEachOnce checks for 1, 2, 3 … in order, at least up to count.
func isEachOnce(t testing.TB, what string, numbers []int, count int) {
	t.Helper()
	for i, number := range numbers {
		if number != i+1 {
			t.Fatalf("%s: number %d is in place %d", what, number, i+1)
		}
	}
	if len(numbers) < count {
		t.Fatalf("%s: %d on record, want %d", what, len(numbers), count)
	}
}

func TestEverythingIsRecordedOnceAndInOrderWhateverIsCut(t *testing.T) {
	w, session := wireTo(t, real.address), rand.Text()
	recorder := openRecorder(t, connect(t, w.address(), token(t, "bot")), recorderFile(t), governance.RecorderOptions{})
	const count = 1200
	for number := 1; number <= count; number += 100 {
		var actions []*pb.UserAction
		var reports []*pb.ExecutionReport
		for i := range 100 {
			actions, reports = append(actions, actionOf(session, number+i)), append(reports, reportOf(session, number+i))
		}
		err := errors.Join(recorder.RecordActions(t.Context(), actions...), recorder.RecordReports(t.Context(), reports...))
		if err != nil {
			t.Fatal(err)
		}
		if number%300 == 1 {
			w.cut()
		}
	}
	flushRecorder(t, recorder)
	if actions, reports := recorder.Pending(); actions != 0 || reports != 0 {
		t.Fatalf("%d actions and %d reports are pending", actions, reports)
	}
	actions, fills := exported(t, session, count, count)
	isEachOnce(t, "actions", numbersOf(t, actions, "event_id"), count)
	isEachOnce(t, "fills", numbersOf(t, fills, "trade_id"), count)
	if got := fills[0]["size"]; got != "1137.190000000000000001" {
		t.Fatalf("size %v", got)
	}
}

func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	w, session, path := wireTo(t, real.address), rand.Text(), recorderFile(t)
	promised := 0
	for run := range 3 {
		// Away at first, then there, then cut while it sends.
		w.shut(run == 0)
		if run > 0 {
			w.shut(false)
		}
		child := startChild(t, "recorder", path, w.address(), session)
		for range 60 {
			number, err := strconv.Atoi(child.line(t))
			if err != nil {
				t.Fatal(err)
			}
			promised = max(promised, number)
		}
		child.kill(t)
		w.cut()
		// The next run numbers from 1 again, and the service knows each event_id.
	}
	recorder := openRecorder(t, connect(t, real.address, token(t, "bot")), path, governance.RecorderOptions{})
	flushRecorder(t, recorder)
	actions, fills := exported(t, session, promised, promised)
	isEachOnce(t, "actions", numbersOf(t, actions, "event_id"), promised)
	// An action is kept before its report: the kill may come between the two.
	isEachOnce(t, "fills", numbersOf(t, fills, "trade_id"), promised)
}

func TestWhatTheServiceRefusesIsKeptAsideAndItsNeighboursAreRecorded(t *testing.T) {
	session := rand.Text()
	refused := make(chan governance.RefusedRecord, 9)
	recorder := openRecorder(t, connect(t, real.address, token(t, "bot")), recorderFile(t),
		governance.RecorderOptions{OnRefused: func(r governance.RefusedRecord) { refused <- r }})
	bad := actionOf(session, 99)
	bad.Wallet = "nope"
	if err := recorder.RecordActions(t.Context(), actionOf(session, 1), bad, actionOf(session, 2)); err != nil {
		t.Fatal(err)
	}
	flushRecorder(t, recorder)
	got := <-refused
	if got.Action.GetEventId() != bad.EventId || got.Result.GetReason() != pb.ErrorReason_ERROR_REASON_INVALID_FIELD {
		t.Fatalf("refused %v", got)
	}
	actions, _ := exported(t, session, 2, 0)
	isEachOnce(t, "actions", numbersOf(t, actions, "event_id"), 2)
}

func TestAnActionWithoutAnIdGetsOne(t *testing.T) {
	session := rand.Text()
	recorder := openRecorder(t, connect(t, real.address, token(t, "bot")), recorderFile(t), governance.RecorderOptions{})
	action := &pb.UserAction{Wallet: wallet, SessionId: session, ActionType: "HALT"}
	if err := recorder.RecordActions(t.Context(), action); err != nil {
		t.Fatal(err)
	}
	flushRecorder(t, recorder)
	actions, _ := exported(t, session, 1, 0)
	if len(actions) != 1 || actions[0]["event_id"] != action.EventId || actions[0]["occurred_at"] == nil {
		t.Fatalf("recorded %v", actions)
	}
}

func TestAFullFileIsSaidAndNothingOfTheCallIsKept(t *testing.T) {
	recorder := openRecorder(t, connect(t, "127.0.0.1:1", "any"), recorderFile(t), governance.RecorderOptions{MaxBytes: 1000})
	session, kept := rand.Text(), int64(0)
	var err error
	for err == nil {
		if err = recorder.RecordActions(t.Context(), actionOf(session, 1), actionOf(session, 2)); err == nil {
			kept += 2
		}
	}
	if pending, _ := recorder.Pending(); !errors.Is(err, governance.ErrFull) || pending != kept || kept == 0 {
		t.Fatalf("error %v after %d; %d are pending", err, kept, pending)
	}
}

// sink acks whatever comes, slowly enough for the sender to be ahead.
type sink struct {
	pb.UnimplementedUserActivityLedgerServiceServer
	received atomic.Int64
	peak     atomic.Uint64
}

func (s *sink) StreamUserActions(stream grpc.BidiStreamingServer[pb.StreamUserActionsRequest, pb.StreamUserActionsResponse]) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &pb.StreamUserActionsResponse{Message: &pb.StreamUserActionsResponse_Opened{Opened: &pb.StreamOpened{}}}
		if batch := request.GetBatch(); batch != nil {
			count := int64(len(batch.GetActions()))
			s.received.Add(count)
			ack := &pb.StreamAck{LastOffset: batch.GetFirstOffset() + count - 1}
			answer.Message = &pb.StreamUserActionsResponse_Ack{Ack: ack}
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			s.peak.Store(max(s.peak.Load(), memory.HeapAlloc))
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func TestABacklogDoesNotFillTheMemory(t *testing.T) {
	path, session := recorderFile(t), rand.Text()
	away := openRecorder(t, connect(t, "127.0.0.1:1", "any"), path, governance.RecorderOptions{})
	// 48 MB, of which the window holds 9 batches of 2 MB at most.
	text := strings.Repeat("x", 40_000)
	params := `{"note":"` + text + `"}`
	const count = 1200
	for number := 1; number <= count; number += 50 {
		var actions []*pb.UserAction
		for i := range 50 {
			action := actionOf(session, number+i)
			action.ParamsJson = &params
			actions = append(actions, action)
		}
		if err := away.RecordActions(t.Context(), actions...); err != nil {
			t.Fatal(err)
		}
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	service := &sink{}
	address := serve(t, func(s *grpc.Server) { pb.RegisterUserActivityLedgerServiceServer(s, service) })
	recorder := openRecorder(t, connect(t, address, "any"), path, governance.RecorderOptions{})
	flushRecorder(t, recorder)
	if got := service.received.Load(); got != count {
		t.Fatalf("%d were received", got)
	}
	t.Logf("at most %d MiB of heap", service.peak.Load()/1024/1024)
	if peak := service.peak.Load() / 1024 / 1024; peak > 36 {
		t.Fatalf("%d MiB of heap", peak)
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	recorder := openRecorder(t, connect(t, "127.0.0.1:1", "any"), recorderFile(t), governance.RecorderOptions{})
	if err := recorder.RecordActions(t.Context(), actionOf("s", 1)); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithCancel(t.Context())
	done()
	if err := recorder.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
