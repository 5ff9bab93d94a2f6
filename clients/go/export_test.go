package governance_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// recordMany puts a session of large actions on record.
func recordMany(t testing.TB, count int) (session string) {
	t.Helper()
	session = rand.Text()
	recorder := openRecorder(t, connect(t, real.address, token(t, "bot")), recorderFile(t), governance.RecorderOptions{})
	params := `{"note":"` + string(bytes.Repeat([]byte("é"), 10_000)) + `"}`
	var actions []*pb.UserAction
	for number := range count {
		action := actionOf(session, number+1)
		action.ParamsJson = &params
		actions = append(actions, action)
	}
	if err := recorder.RecordActions(t.Context(), actions...); err != nil {
		t.Fatal(err)
	}
	flushRecorder(t, recorder)
	exported(t, session, count, 0)
	return session
}

func TestAnExportThatIsCutGoesOnAndIsTheSameFile(t *testing.T) {
	const count = 300
	request := &pb.ExportUserActionsRequest{SessionId: recordMany(t, count)}
	folder := t.TempDir()
	whole, cut := filepath.Join(folder, "whole.jsonl"), filepath.Join(folder, "cut.jsonl")
	ledger := pb.NewUserActivityLedgerServiceClient(connect(t, real.address, token(t, "compliance")))
	if _, err := governance.ExportUserActions(within(t, time.Minute), ledger, request, whole); err != nil {
		t.Fatal(err)
	}

	w := wireTo(t, real.address)
	through := pb.NewUserActivityLedgerServiceClient(connect(t, w.address(), token(t, "compliance"), grpc.WithStreamInterceptor(cutting(w))))
	trailer, err := governance.ExportUserActions(within(t, time.Minute), through, request, cut)
	if err != nil {
		t.Fatal(err)
	}
	if trailer.GetTotalCount() != count || trailer.GetCount() == count {
		t.Fatalf("it was not resumed: %v", trailer)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(cut); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, want the %d of the uncut export; error %v", len(got), len(want), err)
	}
	if _, err := os.Stat(cut + ".resume"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the state is left: %v", err)
	}
	if _, err := governance.ExportUserActions(within(t, time.Minute), ledger, request, whole); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a complete export was overwritten: %v", err)
	}
}

func TestAnExportGoesOnInAnotherProcess(t *testing.T) {
	request := &pb.ExportUserActionsRequest{SessionId: recordMany(t, 300)}
	path := filepath.Join(t.TempDir(), "actions.jsonl")
	w := wireTo(t, real.address)
	options := grpc.WithStreamInterceptor(shutting(w))
	through := pb.NewUserActivityLedgerServiceClient(connect(t, w.address(), token(t, "compliance"), options))
	_, err := governance.ExportUserActions(within(t, time.Minute), through, request, path)
	if !errors.Is(err, governance.ErrExportCut) {
		t.Fatalf("error %v, want a cut", err)
	}
	ledger := pb.NewUserActivityLedgerServiceClient(connect(t, real.address, token(t, "compliance")))
	if _, err := governance.ExportUserActions(within(t, time.Minute), ledger, &pb.ExportUserActionsRequest{}, path); err == nil {
		t.Fatal("it went on with other filters")
	}
	// A process that was killed leaves more in the file than its state says.
	behind(t, path, `{"event_id":"written and not synced`)
	trailer, err := governance.ExportUserActions(within(t, time.Minute), ledger, request, path)
	if err != nil || trailer.GetCount() == 300 {
		t.Fatalf("trailer %v, error %v", trailer, err)
	}
	isEachOnce(t, "actions", numbersOf(t, lines(t, path), "event_id"), 300)
}

func behind(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(text)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestExportsOfChangesAndOfTheAccessLogAreWhole(t *testing.T) {
	gate := openGate(t, connect(t, real.address, token(t, "bot")), gateFile(t))
	request := change()
	if _, err := gate.CheckWrite(within(t, time.Minute), request); err != nil {
		t.Fatal(err)
	}
	conn, folder := connect(t, real.address, token(t, "compliance")), t.TempDir()
	changes, access := filepath.Join(folder, "changes"), filepath.Join(folder, "access")
	_, err := governance.ExportParameterChanges(within(t, time.Minute), pb.NewParameterChangeAuditorServiceClient(conn),
		&pb.ExportParameterChangesRequest{BotSlug: request.BotSlug}, changes)
	if err != nil {
		t.Fatal(err)
	}
	_, err = governance.ExportAccessLog(within(t, time.Minute), pb.NewAccessLogServiceClient(conn), &pb.ExportAccessLogRequest{}, access)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines(t, changes)) != 1 || len(lines(t, access)) == 0 {
		t.Fatal("lines are missing")
	}
}

func TestAnEmptyExportIsAnEmptyFile(t *testing.T) {
	ledger := pb.NewUserActivityLedgerServiceClient(connect(t, real.address, token(t, "compliance")))
	path := filepath.Join(t.TempDir(), "none.jsonl")
	if _, err := governance.ExportUserActions(within(t, time.Minute), ledger, &pb.ExportUserActionsRequest{SessionId: rand.Text()}, path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || len(text) != 0 {
		t.Fatalf("%q, error %v", text, err)
	}
}

// lying sends an export that its trailer does not fit.
type lying struct {
	pb.UnimplementedUserActivityLedgerServiceServer
	trailer *pb.ExportTrailer
}

func (l lying) ExportUserActions(_ *pb.ExportUserActionsRequest, stream grpc.ServerStreamingServer[pb.ExportUserActionsResponse]) error {
	if err := stream.Send(&pb.ExportUserActionsResponse{Jsonl: []byte("{}\n"), ResumeToken: "t"}); err != nil {
		return err
	}
	return stream.Send(&pb.ExportUserActionsResponse{Trailer: l.trailer})
}

func TestADamagedExportIsSaid(t *testing.T) {
	sum := sha256.Sum256([]byte("{}\n"))
	link := sha256.Sum256(append(make([]byte, 32), "{}"...))
	other := sha256.Sum256(nil)
	whole := func() *pb.ExportTrailer {
		return &pb.ExportTrailer{Count: 1, Sha256: sum[:], TotalCount: 1, ChainSha256: link[:], Complete: true}
	}
	for name, c := range map[string]struct {
		spoil     func(*pb.ExportTrailer)
		isDamaged bool
	}{
		"nothing is wrong": {func(*pb.ExportTrailer) {}, false},
		"a line too few":   {func(t *pb.ExportTrailer) { t.Count = 2 }, true},
		"another SHA-256":  {func(t *pb.ExportTrailer) { t.Sha256 = other[:] }, true},
		"another total":    {func(t *pb.ExportTrailer) { t.TotalCount = 2 }, true},
		"another chain":    {func(t *pb.ExportTrailer) { t.ChainSha256 = other[:] }, true},
	} {
		t.Run(name, func(t *testing.T) {
			trailer := whole()
			c.spoil(trailer)
			address := serve(t, func(s *grpc.Server) { pb.RegisterUserActivityLedgerServiceServer(s, lying{trailer: trailer}) })
			ledger := pb.NewUserActivityLedgerServiceClient(connect(t, address, "any"))
			_, err := governance.ExportUserActions(within(t, time.Minute), ledger, &pb.ExportUserActionsRequest{}, filepath.Join(t.TempDir(), "x"))
			var damaged *governance.ExportDamagedError
			if errors.As(err, &damaged) != c.isDamaged {
				t.Fatal(err)
			}
		})
	}
}
