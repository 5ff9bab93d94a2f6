package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const (
	deliveredWithin = 2 * time.Second
	// A decision that the service has only buffered is found once it is in its database.
	foundWithin = 24 * time.Hour
)

// Refused is something that the service will never take.
type Refused struct {
	// Write is the write as it was asked for; nil when only its outcome was refused.
	Write *pb.CheckWriteRequest
	// DecisionID of an outcome.
	DecisionID string
	// At is when it happened.
	At time.Time
	// Reason is the service's error.
	Reason string
}

var errNotRecorded = status.Error(codes.Unavailable, "the service could not record it")

// deliver tells the service one entry. Telling it twice does no harm: a write has its
// write_id, and of an outcome the first stands.
func (o *outbox) deliver(ctx context.Context, e entry) error {
	ctx, done := context.WithTimeout(ctx, deliveredWithin)
	defer done()
	if e.Kind == confirmation {
		return o.confirm(ctx, e.DecisionID, e.Outcome)
	}
	write := &pb.CheckWriteRequest{}
	if err := proto.Unmarshal(e.Write, write); err != nil {
		return status.Error(codes.InvalidArgument, fmt.Sprintf("the file does not hold a write: %v", err))
	}
	switch e.Kind {
	case ungated, applied:
		answer, err := o.auditor.RecordUngatedWrite(ctx, ungatedWrite(write, e))
		if err != nil {
			return err
		}
		if answer.GetDurability() == pb.Durability_DURABILITY_NOT_RECORDED {
			return errNotRecorded
		}
		if e.Kind == applied && answer.GetReplayed() {
			// CheckWrite had recorded it after all, and that record waits for the outcome.
			return o.confirm(ctx, answer.GetDecisionId(), pb.WriteOutcome_WRITE_OUTCOME_APPLIED)
		}
		return nil
	case aborted, rejected:
		answer, err := o.auditor.CheckWrite(ctx, write)
		if err != nil {
			return err
		}
		if answer.GetDurability() == pb.Durability_DURABILITY_NOT_RECORDED {
			return errNotRecorded
		}
		if !answer.GetAllowed() {
			return nil
		}
		// Allowed by now, and not made.
		return o.confirm(ctx, answer.GetDecisionId(), pb.WriteOutcome_WRITE_OUTCOME_ABORTED)
	default:
		return status.Error(codes.InvalidArgument, fmt.Sprintf("the file has an entry of the unknown kind %q", e.Kind))
	}
}

func (o *outbox) confirm(ctx context.Context, decisionID string, outcome pb.WriteOutcome) error {
	_, err := o.auditor.ConfirmWrite(ctx, &pb.ConfirmWriteRequest{DecisionId: decisionID, Outcome: outcome})
	return err
}

// isTooLate tells whether a decision that is not found will not be any more.
func isTooLate(err error, e entry) bool {
	return status.Code(err) == codes.NotFound && time.Since(e.At) > foundWithin
}

func ungatedWrite(write *pb.CheckWriteRequest, e entry) *pb.RecordUngatedWriteRequest {
	changedAt := write.GetChangedAt()
	if changedAt == nil {
		changedAt = timestamppb.New(e.At)
	}
	return &pb.RecordUngatedWriteRequest{
		BotSlug: write.BotSlug, ParamName: write.ParamName,
		OldValue: write.OldValue, NewValue: write.NewValue,
		OldValueJson: write.OldValueJson, NewValueJson: write.NewValueJson,
		EditorId: write.EditorId, TicketRef: write.TicketRef, Environment: write.Environment,
		WriteId: write.WriteId, TraceId: write.TraceId, ChangedAt: changedAt, Cause: e.Cause,
	}
}

func (o *outbox) refused() ([]Refused, error) {
	var all []Refused
	err := o.store.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(refusedBucket)).ForEach(func(_, value []byte) error {
			var e entry
			err := json.Unmarshal(value, &e)
			refused := Refused{DecisionID: e.DecisionID, At: e.At, Reason: e.Refusal}
			if len(e.Write) > 0 {
				refused.Write = &pb.CheckWriteRequest{}
				err = errors.Join(err, proto.Unmarshal(e.Write, refused.Write))
			}
			all = append(all, refused)
			return err
		})
	})
	return all, err
}
