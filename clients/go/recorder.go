package governance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"go.etcd.io/bbolt"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"polytraders.dev/governance/clients/go/internal/store"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const (
	actionsBucket        = "actions"
	fillsBucket          = "fills"
	refusedActionsBucket = "refused actions"
	refusedFillsBucket   = "refused fills"
	metaBucket           = "meta"
	// Any valid record is smaller by far.
	maxRecordBytes = 1024 * 1024
)

// Recorder keeps user actions and execution reports on disk until the service has them.
// One process has its file at a time; it is safe for concurrent use.
type Recorder struct {
	store   *store.Store
	actions *lane
	fills   *lane
	stop    context.CancelFunc
}

// RecorderOptions may be left zero.
type RecorderOptions struct {
	// Stream is the beginning of the streams' names, at most 64 bytes. Empty: "go".
	Stream string
	// MaxBytes is how much waits in the file, of actions and of reports each, before
	// recording returns ErrFull. Zero: 1 GiB.
	MaxBytes int64
	// Log is told of cut streams and refused records. Nil: nothing is logged.
	Log *slog.Logger
	// OnRefused is told of each record that the service refused for ever. It is called
	// from the goroutine that sends, and holds it up. Nil: they are only kept and logged.
	OnRefused func(RefusedRecord)
}

// RefusedRecord is an action or a report that the service will never take. It stays in
// the recorder's file.
type RefusedRecord struct {
	// One of the two.
	Action *pb.UserAction
	Report *pb.ExecutionReport
	// Result is the service's word on it.
	Result *pb.StreamEventResult
}

// OpenRecorder opens the file that keeps what the service does not have yet, makes it
// when it is not there, and goes on sending what an earlier process left in it. Never
// copy the file back from a backup: its offsets would be used twice.
func OpenRecorder(conn grpc.ClientConnInterface, path string, options RecorderOptions) (*Recorder, error) {
	if options.Stream == "" {
		options.Stream = "go"
	}
	if len(options.Stream) > 64 {
		return nil, errors.New("governance: RecorderOptions.Stream has more than 64 bytes")
	}
	if options.MaxBytes == 0 {
		options.MaxBytes = 1 << 30
	}
	file, err := store.Open(path, actionsBucket, fillsBucket, refusedActionsBucket, refusedFillsBucket, metaBucket)
	if err != nil {
		return nil, err
	}
	// Each file has streams of its own: a lost one does not leave its offsets to the next.
	identity, err := identityOf(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	ledger := pb.NewUserActivityLedgerServiceClient(conn)
	ctx, stop := context.WithCancel(context.Background())
	stream := options.Stream + "/" + identity
	r := &Recorder{store: file, stop: stop}
	r.actions, err = openLane(file, laneOptions{
		bucket: actionsBucket, refusedBucket: refusedActionsBucket, stream: stream,
		maxBytes: options.MaxBytes, log: logger(options.Log),
		open: func(ctx context.Context) (session, error) { return openActions(ctx, ledger) },
		onRefused: func(bytes []byte, result *pb.StreamEventResult) {
			action := &pb.UserAction{}
			if options.OnRefused != nil && proto.Unmarshal(bytes, action) == nil {
				options.OnRefused(RefusedRecord{Action: action, Result: result})
			}
		},
	})
	if err == nil {
		r.fills, err = openLane(file, laneOptions{
			bucket: fillsBucket, refusedBucket: refusedFillsBucket, stream: stream,
			maxBytes: options.MaxBytes, log: logger(options.Log),
			open: func(ctx context.Context) (session, error) { return openReports(ctx, ledger) },
			onRefused: func(bytes []byte, result *pb.StreamEventResult) {
				report := &pb.ExecutionReport{}
				if options.OnRefused != nil && proto.Unmarshal(bytes, report) == nil {
					options.OnRefused(RefusedRecord{Report: report, Result: result})
				}
			},
		})
	}
	if err != nil {
		stop()
		return nil, errors.Join(err, file.Close())
	}
	go r.actions.run(ctx)
	go r.fills.run(ctx)
	return r, nil
}

func identityOf(file *store.Store) (string, error) {
	identity := rand.Text()
	err := file.Change(context.Background(), func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if known := meta.Get([]byte("identity")); known != nil {
			identity = string(known)
			return nil
		}
		return meta.Put([]byte("identity"), []byte(identity))
	})
	return identity, err
}

// RecordActions keeps actions, all or none: they are on disk when it returns, and are
// sent by this process or the next. Several in one call cost one fsync. An action
// without event_id gets a new one, and the time as occurred_at; its own fields are set.
func (r *Recorder) RecordActions(ctx context.Context, actions ...*pb.UserAction) error {
	records := make([][]byte, len(actions))
	for i, action := range actions {
		if action.GetEventId() == "" {
			action.EventId = rand.Text()
			if action.OccurredAt == nil {
				action.OccurredAt = timestamppb.Now()
			}
		}
		var err error
		if records[i], err = recordOf(action); err != nil {
			return fmt.Errorf("governance: actions[%d]: %w", i, err)
		}
	}
	return r.actions.add(ctx, records)
}

// RecordReports keeps execution reports, as [Recorder.RecordActions] keeps actions.
func (r *Recorder) RecordReports(ctx context.Context, reports ...*pb.ExecutionReport) error {
	records := make([][]byte, len(reports))
	for i, report := range reports {
		var err error
		if records[i], err = recordOf(report); err != nil {
			return fmt.Errorf("governance: reports[%d]: %w", i, err)
		}
	}
	return r.fills.add(ctx, records)
}

func recordOf(message proto.Message) ([]byte, error) {
	bytes, err := proto.Marshal(message)
	if err == nil && len(bytes) > maxRecordBytes {
		err = fmt.Errorf("has %d bytes, and no more than %d are taken", len(bytes), maxRecordBytes)
	}
	return bytes, err
}

// Flush waits until the service has, or has refused, all that was recorded before.
func (r *Recorder) Flush(ctx context.Context) error {
	return errors.Join(r.actions.flush(ctx), r.fills.flush(ctx))
}

// Pending counts the actions and the reports that the service does not have yet.
func (r *Recorder) Pending() (actions, reports int64) {
	return r.actions.pending(), r.fills.pending()
}

// Close stops sending. What is pending stays in the file for the next process.
func (r *Recorder) Close() error {
	r.stop()
	<-r.actions.done
	<-r.fills.done
	return r.store.Close()
}
