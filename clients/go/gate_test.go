package governance_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// change is a write that needs no ticket, of a bot of its own.
func change() *pb.CheckWriteRequest {
	return &pb.CheckWriteRequest{
		BotSlug: "go." + rand.Text(), ParamName: "tick_ms", EditorId: "alice@polytraders",
		OldValueJson: proto.String("250"), NewValueJson: proto.String("500.000000000000000000001"),
	}
}

func openGate(t testing.TB, conn grpc.ClientConnInterface, path string) *governance.Gate {
	t.Helper()
	gate, err := governance.OpenGate(conn, path, governance.GateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	return gate
}

func gateFile(t testing.TB) string { return filepath.Join(t.TempDir(), "governance", "gate.db") }

// recorded is what is on record of a bot.
func recorded(t testing.TB, botSlug string) []*pb.ParameterChange {
	t.Helper()
	auditor := pb.NewParameterChangeAuditorServiceClient(connect(t, real.address, token(t, "compliance")))
	page, err := auditor.ListParameterChanges(within(t, time.Minute), &pb.ListParameterChangesRequest{BotSlug: botSlug})
	if err != nil {
		t.Fatal(err)
	}
	return page.GetChanges()
}

// one is the only record of a bot. What the service has only buffered comes a little later.
func one(t testing.TB, botSlug string) *pb.ParameterChange {
	t.Helper()
	changes := recorded(t, botSlug)
	for deadline := time.Now().Add(time.Minute); len(changes) == 0 && time.Now().Before(deadline); changes = recorded(t, botSlug) {
		time.Sleep(50 * time.Millisecond)
	}
	if len(changes) != 1 {
		t.Fatalf("%d records of %s, want 1: %v", len(changes), botSlug, changes)
	}
	return changes[0]
}

// outcome is what the service was told of a decision, once it was told.
func outcome(t testing.TB, botSlug string) pb.WriteOutcome {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); isUnconfirmed(t, botSlug); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was told of the write")
		}
	}
	auditor := pb.NewParameterChangeAuditorServiceClient(connect(t, real.address, token(t, "bot")))
	// The first outcome stands, and the answer says it.
	answer, err := auditor.ConfirmWrite(within(t, time.Minute), &pb.ConfirmWriteRequest{
		DecisionId: one(t, botSlug).GetReport().GetDecisionId(), Outcome: pb.WriteOutcome_WRITE_OUTCOME_APPLIED})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetOutcome()
}

func isUnconfirmed(t testing.TB, botSlug string) bool {
	t.Helper()
	auditor := pb.NewParameterChangeAuditorServiceClient(connect(t, real.address, token(t, "compliance")))
	page, err := auditor.ListParameterChanges(within(t, time.Minute), &pb.ListParameterChangesRequest{BotSlug: botSlug, Unconfirmed: true})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.GetChanges()) > 0
}

func flushGate(t testing.TB, gate *governance.Gate) {
	t.Helper()
	if err := gate.Flush(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func TestAnAllowedWriteHasItsDecision(t *testing.T) {
	gate := openGate(t, connect(t, real.address, token(t, "bot")), gateFile(t))
	request := change()
	decision, err := gate.CheckWrite(within(t, time.Minute), request)
	if err != nil {
		t.Fatal(err)
	}
	if decision.Cause != "" || !decision.Response.GetAllowed() {
		t.Fatalf("decision %+v", decision)
	}
	if request.GetWriteId() != "" {
		t.Fatal("the caller's request was changed")
	}
	if got := one(t, request.BotSlug).GetWriteId(); got != decision.WriteID {
		t.Fatalf("recorded under write_id %q, want %q", got, decision.WriteID)
	}
}

func TestARejectedWriteIsAConfigErrorAndIsNotMade(t *testing.T) {
	gate := openGate(t, connect(t, real.address, token(t, "bot")), gateFile(t))
	request := change()
	request.BotSlug, request.ParamName = "risk."+rand.Text(), "max_position_pusd"
	err := gate.Change(within(t, time.Minute), request, func(context.Context) error {
		t.Error("the write was made")
		return nil
	})
	var refusal *governance.ConfigError
	if !errors.As(err, &refusal) {
		t.Fatalf("error %v, want a ConfigError", err)
	}
	if refusal.ReasonCode != "AUDIT_TICKET_REQUIRED" || refusal.Message == "" {
		t.Fatalf("refusal %+v", refusal)
	}
	if got := one(t, request.BotSlug).GetReport().GetDecisionId(); got != refusal.DecisionID {
		t.Fatalf("decision %q, want %q", refusal.DecisionID, got)
	}
}

func TestAMistakeOfTheCallersIsReturned(t *testing.T) {
	withoutEditor, unsendable := change(), change()
	withoutEditor.EditorId = ""
	unsendable.EditorId = "\xff"
	for name, c := range map[string]struct {
		token   string
		request *pb.CheckWriteRequest
		want    codes.Code
	}{
		"a missing field":     {token(t, "bot"), withoutEditor, codes.InvalidArgument},
		"a token that is bad": {"nonsense", change(), codes.Unauthenticated},
		"a role that may not": {token(t, "user"), change(), codes.PermissionDenied},
		"text that is no UTF": {token(t, "bot"), unsendable, codes.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			gate := openGate(t, connect(t, real.address, c.token), gateFile(t))
			decision, err := gate.CheckWrite(within(t, time.Minute), c.request)
			if err == nil || status.Code(err) != c.want {
				t.Fatalf("decision %+v, error %v, want %s", decision, err, c.want)
			}
			if pending, err := gate.Pending(); err != nil || pending != 0 {
				t.Fatalf("%d pending, error %v", pending, err)
			}
		})
	}
}

// failing is a service that answers CheckWrite with one code.
type failing struct {
	pb.UnimplementedParameterChangeAuditorServiceServer
	code codes.Code
}

func (f failing) CheckWrite(context.Context, *pb.CheckWriteRequest) (*pb.CheckWriteResponse, error) {
	return nil, status.Error(f.code, "as the test wants it")
}

func serve(t testing.TB, register func(*grpc.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestTheGateOpensForFiveCodesAlone(t *testing.T) {
	opens := map[codes.Code]bool{codes.Unavailable: true, codes.DeadlineExceeded: true, codes.ResourceExhausted: true, codes.Internal: true, codes.Unknown: true}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		t.Run(code.String(), func(t *testing.T) {
			address := serve(t, func(s *grpc.Server) {
				pb.RegisterParameterChangeAuditorServiceServer(s, failing{code: code})
			})
			gate := openGate(t, connect(t, address, "any"), gateFile(t))
			_, err := gate.CheckWrite(within(t, time.Minute), change())
			pending, pendingErr := gate.Pending()
			if pendingErr != nil {
				t.Fatal(pendingErr)
			}
			if opens[code] && (err != nil || pending != 1) || !opens[code] && (status.Code(err) != code || pending != 0) {
				t.Fatalf("error %v and %d pending", err, pending)
			}
		})
	}
}

func TestASilentServiceHoldsAWriteUpForHalfASecond(t *testing.T) {
	w := wireTo(t, real.address)
	conn := connect(t, w.address(), token(t, "bot"))
	ready(t, conn)
	gate := openGate(t, conn, gateFile(t))
	resume := w.stall()
	defer resume()
	request := change()
	started := time.Now()
	decision, err := gate.CheckWrite(context.Background(), request)
	if err != nil || decision.Cause != "DEADLINE_EXCEEDED" {
		t.Fatalf("decision %+v, error %v", decision, err)
	}
	if took := time.Since(started); took < 450*time.Millisecond || took > 5*time.Second {
		t.Fatalf("it took %s", took)
	}
	resume()
	flushGate(t, gate)
	if got := one(t, request.BotSlug); got.GetWriteId() != decision.WriteID {
		t.Fatalf("recorded %v", got)
	}
}

func TestAWriteWithoutAVerdictIsDeliveredOnceByTheNextProcess(t *testing.T) {
	w := wireTo(t, real.address)
	w.shut(true)
	conn, path, request := connect(t, w.address(), token(t, "bot")), gateFile(t), change()
	before := time.Now()
	gate := openGate(t, conn, path)
	if _, err := gate.CheckWrite(within(t, time.Minute), request); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	w.shut(false)
	for range 2 {
		next := openGate(t, conn, path)
		flushGate(t, next)
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := one(t, request.BotSlug)
	if got.GetReasonCode() != "UNGATED_WRITE" || got.GetUngatedCause() != "UNAVAILABLE" {
		t.Fatalf("recorded %v", got)
	}
	if at := got.GetReport().GetClaimedChangedAt().AsTime(); at.Before(before) || at.After(after) {
		t.Fatalf("changed at %s, want between %s and %s", at, before, after)
	}
	if got := got.GetReport().GetNewValueJson(); got != request.GetNewValueJson() {
		t.Fatalf("new value %s", got)
	}
}

func TestAWriteSurvivesTheKillOfItsProcess(t *testing.T) {
	// Behind the gate, and while the write is being made: it may have been.
	for _, when := range []string{"gate", "change"} {
		t.Run(when, func(t *testing.T) {
			path, request := gateFile(t), change()
			run := startChild(t, when, path, "127.0.0.1:1", request.BotSlug)
			if line := run.line(t); line != "allowed" {
				t.Fatalf("the child says %q", line)
			}
			run.kill(t)
			gate := openGate(t, connect(t, real.address, token(t, "bot")), path)
			flushGate(t, gate)
			if got := one(t, request.BotSlug); got.GetReasonCode() != "UNGATED_WRITE" {
				t.Fatalf("recorded %v", got)
			}
		})
	}
}

func TestChangeTellsTheOutcome(t *testing.T) {
	failure := errors.New("the store is full")
	for name, c := range map[string]struct {
		result error
		want   pb.WriteOutcome
	}{
		"applied": {nil, pb.WriteOutcome_WRITE_OUTCOME_APPLIED},
		"aborted": {failure, pb.WriteOutcome_WRITE_OUTCOME_ABORTED},
	} {
		for _, isAway := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := wireTo(t, real.address)
				conn := connect(t, w.address(), token(t, "bot"))
				ready(t, conn)
				gate, request := openGate(t, conn, gateFile(t)), change()
				err := gate.Change(within(t, time.Minute), request, func(context.Context) error {
					w.shut(isAway)
					return c.result
				})
				if err != c.result {
					t.Fatalf("error %v, want %v", err, c.result)
				}
				if pending, err := gate.Pending(); err != nil || isAway && pending != 1 {
					t.Fatalf("%d pending, error %v", pending, err)
				}
				w.shut(false)
				flushGate(t, gate)
				if got := outcome(t, request.BotSlug); got != c.want {
					t.Fatalf("outcome %s, want %s", got, c.want)
				}
			})
		}
	}
}

func TestAWriteWithoutAVerdictThatFailedNeverWas(t *testing.T) {
	w := wireTo(t, real.address)
	w.shut(true)
	gate := openGate(t, connect(t, w.address(), token(t, "bot")), gateFile(t))
	request, failure := change(), errors.New("the store is full")
	if err := gate.Change(within(t, time.Minute), request, func(context.Context) error { return failure }); err != failure {
		t.Fatal(err)
	}
	w.shut(false)
	flushGate(t, gate)
	got := one(t, request.BotSlug)
	if got.GetReasonCode() != "PARAM_CHANGED" || outcome(t, request.BotSlug) != pb.WriteOutcome_WRITE_OUTCOME_ABORTED {
		t.Fatalf("recorded %v", got)
	}
}

func TestAWriteWithoutAVerdictIsNotDeliveredWhileItIsBeingMade(t *testing.T) {
	w := wireTo(t, real.address)
	w.shut(true)
	gate := openGate(t, connect(t, w.address(), token(t, "bot")), gateFile(t))
	request := change()
	err := gate.Change(within(t, time.Minute), request, func(ctx context.Context) error {
		w.shut(false)
		// Another write is delivered meanwhile, this one is not.
		other := change()
		w.shut(true)
		if _, err := gate.CheckWrite(ctx, other); err != nil {
			return err
		}
		w.shut(false)
		for len(recorded(t, other.BotSlug)) == 0 && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		if found := recorded(t, request.BotSlug); len(found) > 0 {
			t.Errorf("recorded while it was being made: %v", found)
		}
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	flushGate(t, gate)
	if got := one(t, request.BotSlug); got.GetReasonCode() != "UNGATED_WRITE" {
		t.Fatalf("recorded %v", got)
	}
}

func TestAPanicLeavesTheOutcomeOpen(t *testing.T) {
	gate := openGate(t, connect(t, real.address, token(t, "bot")), gateFile(t))
	request := change()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = gate.Change(within(t, time.Minute), request, func(context.Context) error { panic("in the store") })
	}()
	one(t, request.BotSlug)
	if !isUnconfirmed(t, request.BotSlug) {
		t.Fatal("an outcome was told")
	}
}

// losingAnswers lets CheckWrite reach the service, and loses what it answers.
func losingAnswers(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, conn, options...)
	if err == nil && method == pb.ParameterChangeAuditorService_CheckWrite_FullMethodName {
		return status.Error(codes.Unavailable, "the answer was lost")
	}
	return err
}

func TestAVerdictWhoseAnswerWasLostIsOneRecord(t *testing.T) {
	conn := connect(t, real.address, token(t, "bot"), grpc.WithUnaryInterceptor(losingAnswers))
	gate := openGate(t, conn, gateFile(t))
	request := change()
	if err := gate.Change(within(t, time.Minute), request, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	flushGate(t, gate)
	got := one(t, request.BotSlug)
	if got.GetReasonCode() != "PARAM_CHANGED" || outcome(t, request.BotSlug) != pb.WriteOutcome_WRITE_OUTCOME_APPLIED {
		t.Fatalf("recorded %v", got)
	}
}

func TestAWriteThatTheServiceRefusesForEverIsKeptAside(t *testing.T) {
	conn, path := connect(t, real.address, token(t, "bot")), gateFile(t)
	gate := openGate(t, conn, path)
	first := change()
	first.WriteId = rand.Text()
	if _, err := gate.CheckWrite(within(t, time.Minute), first); err != nil {
		t.Fatal(err)
	}
	w := wireTo(t, real.address)
	w.shut(true)
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	away := openGate(t, connect(t, w.address(), token(t, "bot")), path)
	second := proto.CloneOf(first)
	second.NewValueJson = proto.String("9")
	next := change()
	for _, request := range []*pb.CheckWriteRequest{second, next} {
		if _, err := away.CheckWrite(within(t, time.Minute), request); err != nil {
			t.Fatal(err)
		}
	}
	w.shut(false)
	flushGate(t, away)
	refused, err := away.Refused()
	if err != nil || len(refused) != 1 || !proto.Equal(refused[0].Write, second) {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	one(t, next.BotSlug)
}

// unrecorded gives verdicts that the service could not record.
type unrecorded struct {
	pb.UnimplementedParameterChangeAuditorServiceServer
	isAllowed bool
	ungated   chan *pb.RecordUngatedWriteRequest
	checked   chan *pb.CheckWriteRequest
}

func (u *unrecorded) CheckWrite(_ context.Context, request *pb.CheckWriteRequest) (*pb.CheckWriteResponse, error) {
	u.checked <- request
	durability := pb.Durability_DURABILITY_NOT_RECORDED
	if len(u.checked) > 1 {
		durability = pb.Durability_DURABILITY_DURABLE
	}
	return &pb.CheckWriteResponse{Allowed: u.isAllowed, Durability: durability, DecisionId: "d", ReasonCode: "AUDIT_TICKET_REQUIRED"}, nil
}

func (u *unrecorded) RecordUngatedWrite(_ context.Context, request *pb.RecordUngatedWriteRequest) (*pb.RecordUngatedWriteResponse, error) {
	u.ungated <- request
	return &pb.RecordUngatedWriteResponse{Durability: pb.Durability_DURABILITY_DURABLE}, nil
}

func TestAVerdictThatWasNotRecordedIsDelivered(t *testing.T) {
	for _, isAllowed := range []bool{true, false} {
		service := &unrecorded{isAllowed: isAllowed, ungated: make(chan *pb.RecordUngatedWriteRequest, 9), checked: make(chan *pb.CheckWriteRequest, 9)}
		address := serve(t, func(s *grpc.Server) { pb.RegisterParameterChangeAuditorServiceServer(s, service) })
		gate := openGate(t, connect(t, address, "any"), gateFile(t))
		_, err := gate.CheckWrite(within(t, time.Minute), change())
		if (err == nil) != isAllowed {
			t.Fatal(err)
		}
		flushGate(t, gate)
		if isAllowed {
			if cause := (<-service.ungated).GetCause(); cause != "NOT_RECORDED" {
				t.Fatalf("cause %q", cause)
			}
			continue
		}
		// A rejected write was not made: it is asked for again, under the same write_id.
		if first, again := <-service.checked, <-service.checked; first.GetWriteId() != again.GetWriteId() || len(service.ungated) > 0 {
			t.Fatalf("asked %v, then %v", first, again)
		}
	}
}

// picky fails on one write for ever.
type picky struct {
	failing
	never     string
	delivered chan string
}

func (p picky) RecordUngatedWrite(_ context.Context, request *pb.RecordUngatedWriteRequest) (*pb.RecordUngatedWriteResponse, error) {
	if request.GetBotSlug() == p.never {
		return nil, status.Error(codes.Internal, "as the test wants it")
	}
	p.delivered <- request.GetBotSlug()
	return &pb.RecordUngatedWriteResponse{Durability: pb.Durability_DURABILITY_DURABLE}, nil
}

func TestAWriteOnWhichTheServiceFailsDoesNotHoldUpTheNext(t *testing.T) {
	first, next := change(), change()
	service := picky{failing{code: codes.Internal}, first.BotSlug, make(chan string, 1)}
	address := serve(t, func(s *grpc.Server) { pb.RegisterParameterChangeAuditorServiceServer(s, service) })
	gate := openGate(t, connect(t, address, "any"), gateFile(t))
	for _, request := range []*pb.CheckWriteRequest{first, next} {
		if _, err := gate.CheckWrite(within(t, time.Minute), request); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-service.delivered:
		if got != next.BotSlug {
			t.Fatalf("delivered %s", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered")
	}
}

func TestOneProcessHasTheFile(t *testing.T) {
	path := gateFile(t)
	conn := connect(t, real.address, token(t, "bot"))
	openGate(t, conn, path)
	if _, err := governance.OpenGate(conn, path, governance.GateOptions{}); err == nil {
		t.Fatal("the file was opened twice")
	}
}
