package governance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// ConfigError says that a write is not allowed.
type ConfigError struct {
	// ReasonCode is why, e.g. AUDIT_TICKET_REQUIRED.
	ReasonCode string
	// Message is the sentence for a person, as the service words it.
	Message string
	// DecisionID names the decision on record.
	DecisionID string
	// Response is the whole answer.
	Response *pb.CheckWriteResponse
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %s (decision %s)", e.ReasonCode, e.Message, e.DecisionID)
}

// ErrFull says that a recorder's file has reached its limit: the service has been away
// for long. Nothing of the call was kept.
var ErrFull = errors.New("governance: the recorder's file is full")

// noVerdict names the codes that open the gate; any other is the caller's own mistake.
var noVerdict = map[codes.Code]string{
	codes.Unavailable:       "UNAVAILABLE",
	codes.DeadlineExceeded:  "DEADLINE_EXCEEDED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Internal:          "INTERNAL",
	codes.Unknown:           "UNKNOWN",
}

// isRefusal tells whether sending the same again cannot work. What a new token, a newer
// service or an operator can mend is not one.
func isRefusal(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange:
		return true
	case codes.ResourceExhausted:
		return reasonOf(err) == "LIMIT_EXCEEDED"
	default:
		return false
	}
}

// reasonOf is the reason in an error's ErrorInfo; empty when it has none.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// backoff is a wait that doubles up to a limit.
type backoff struct{ next, limit time.Duration }

func newBackoff() backoff { return backoff{next: 100 * time.Millisecond, limit: 10 * time.Second} }

// wait sleeps, and returns false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, b.limit)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
