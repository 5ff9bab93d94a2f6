package governance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// The contract's deadline of a CheckWrite.
const verdictWithin = 500 * time.Millisecond

// Gate asks before configuration writes. One process has its file at a time; it is safe
// for concurrent use.
type Gate struct {
	auditor pb.ParameterChangeAuditorServiceClient
	outbox  *outbox
}

// GateOptions may be left zero.
type GateOptions struct {
	// Log is told what is delivered late, and what cannot be. Nil: nothing is logged.
	Log *slog.Logger
}

// Decision is what a write may go ahead on.
type Decision struct {
	// Response is the service's verdict. Nil when it gave none in time.
	Response *pb.CheckWriteResponse
	// WriteID names the write: the caller's, or one that was made for it.
	WriteID string
	// Cause is why no verdict is on record, e.g. UNAVAILABLE: the record is on this
	// machine's disk, and is delivered. Empty: the service has it.
	Cause string
}

// OpenGate opens the file that keeps what the service has not been told yet, makes it
// when it is not there, and goes on delivering what an earlier process left in it.
func OpenGate(conn grpc.ClientConnInterface, path string, options GateOptions) (*Gate, error) {
	auditor := pb.NewParameterChangeAuditorServiceClient(conn)
	outbox, err := openOutbox(path, auditor, options)
	if err != nil {
		return nil, err
	}
	return &Gate{auditor, outbox}, nil
}

// CheckWrite asks whether a write may be made, for at most 500 ms; nil says that it may.
//
// A *[ConfigError] says that it is not allowed. Where the service gives no verdict
// (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNKNOWN) the write is
// allowed, and taken as made: its record is on this machine's disk when CheckWrite
// returns, and is delivered once, by this process or the next. Any other error is the
// caller's to mend: a bad field, a bad token, a write_id used for two writes. The
// request is not changed; without a write_id it is sent with a new one.
//
// [Gate.Change] is better where the write is made by this process: it also tells the
// outcome.
func (g *Gate) CheckWrite(ctx context.Context, request *pb.CheckWriteRequest) (*Decision, error) {
	checked, err := g.check(ctx, request)
	if err != nil {
		return nil, err
	}
	if checked.isToBeKept() {
		if _, err := g.outbox.put(checked.entry(ungated)); err != nil {
			return nil, err
		}
	}
	return &checked.decision, nil
}

// Change asks like [Gate.CheckWrite], makes the write, and tells the service whether it
// was made: nil from write says that it was, an error that it was not. When the service
// is away that is told later. write is not called when the write is not allowed; its
// error is returned as it is. When write panics, nothing is told: the service lists the
// write as unconfirmed, one without a verdict is delivered as made.
func (g *Gate) Change(ctx context.Context, request *pb.CheckWriteRequest, write func(context.Context) error) (err error) {
	if request.GetDryRun() {
		return errors.New("governance: Change makes the write, so dry_run must not be set; use CheckWrite")
	}
	checked, err := g.check(ctx, request)
	if err != nil {
		return err
	}
	if !checked.isToBeKept() {
		outcome := pb.WriteOutcome_WRITE_OUTCOME_APPLIED
		err := write(ctx)
		if err != nil {
			outcome = pb.WriteOutcome_WRITE_OUTCOME_ABORTED
		}
		return both(err, g.Confirm(ctx, checked.decision.Response.GetDecisionId(), outcome))
	}

	held := checked.entry(ungated)
	held.Holder = g.outbox.id
	key, err := g.outbox.put(held)
	if err != nil {
		return err
	}
	// Where write panics, it may have been made.
	outcome := ungated
	defer func() { err = both(err, g.outbox.replace(key, checked.entry(outcome))) }()
	if err := write(ctx); err != nil {
		outcome = aborted
		return err
	}
	outcome = applied
	return nil
}

// both is the first error as it is where there is no second.
func both(first, second error) error {
	if second == nil {
		return first
	}
	return errors.Join(first, second)
}

// Confirm tells what became of an allowed write. When the service cannot be told now,
// it is told later; the error is then of this machine's disk alone.
func (g *Gate) Confirm(ctx context.Context, decisionID string, outcome pb.WriteOutcome) error {
	// The outcome stands whatever became of the caller meanwhile.
	calling, done := context.WithTimeout(context.WithoutCancel(ctx), verdictWithin)
	defer done()
	_, err := g.auditor.ConfirmWrite(calling, &pb.ConfirmWriteRequest{DecisionId: decisionID, Outcome: outcome})
	if err == nil {
		return nil
	}
	if isRefusal(err) {
		return fmt.Errorf("governance: the write's outcome was refused: %w", err)
	}
	_, err = g.outbox.put(entry{Kind: confirmation, DecisionID: decisionID, Outcome: outcome, At: time.Now()})
	return err
}

// Pending counts what the service has not been told yet.
func (g *Gate) Pending() (int, error) { return g.outbox.pending() }

// Refused lists what the service will never take, oldest first: it stays in the file.
func (g *Gate) Refused() ([]Refused, error) { return g.outbox.refused() }

// Flush delivers until nothing is pending, or ctx ends.
func (g *Gate) Flush(ctx context.Context) error { return g.outbox.flush(ctx) }

// Close stops delivering. What is pending stays in the file for the next process.
func (g *Gate) Close() error { return g.outbox.close() }

// checked is a write that may be made.
type checked struct {
	decision Decision
	write    []byte
	isDryRun bool
}

func (c *checked) isToBeKept() bool { return c.decision.Cause != "" && !c.isDryRun }

func (c *checked) entry(kind entryKind) entry {
	return entry{Kind: kind, Write: c.write, Cause: c.decision.Cause, At: time.Now()}
}

func (g *Gate) check(ctx context.Context, request *pb.CheckWriteRequest) (*checked, error) {
	write := request
	if write.GetWriteId() == "" {
		write = proto.CloneOf(request)
		write.WriteId = rand.Text()
	}
	// Before the call: what cannot be sent could not be kept either, and grpc reports it
	// as INTERNAL, which opens the gate.
	bytes, err := proto.Marshal(write)
	if err != nil {
		return nil, fmt.Errorf("governance: the write cannot be sent: %w", err)
	}
	c := &checked{decision: Decision{WriteID: write.GetWriteId()}, write: bytes, isDryRun: write.GetDryRun()}

	calling, done := context.WithTimeout(ctx, verdictWithin)
	defer done()
	answer, err := g.auditor.CheckWrite(calling, write)
	if err != nil {
		cause, opens := noVerdict[status.Code(err)]
		if !opens {
			return nil, err
		}
		c.decision.Cause = cause
		return c, nil
	}
	c.decision.Response = answer
	if answer.GetDurability() == pb.Durability_DURABILITY_NOT_RECORDED {
		c.decision.Cause = "NOT_RECORDED"
	}
	if answer.GetAllowed() {
		return c, nil
	}
	refusal := &ConfigError{answer.GetReasonCode(), answer.GetUserMessage(), answer.GetDecisionId(), answer}
	if c.isToBeKept() {
		// A rejection is put on record by asking again.
		if _, err := g.outbox.put(c.entry(rejected)); err != nil {
			return nil, errors.Join(refusal, err)
		}
	}
	return nil, refusal
}
