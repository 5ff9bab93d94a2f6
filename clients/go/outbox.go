package governance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"polytraders.dev/governance/clients/go/internal/store"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// entryKind says what the service has to be told.
type entryKind string

const (
	// ungated: the write was made without a verdict.
	ungated entryKind = "ungated"
	// applied: likewise, and nobody needs to confirm it.
	applied entryKind = "applied"
	// aborted: it had no verdict, and was not made.
	aborted entryKind = "aborted"
	// rejected: the verdict came, its record did not get into the database.
	rejected entryKind = "rejected"
	// confirmation: what became of a write whose verdict is on record.
	confirmation entryKind = "confirmation"
)

// entry is kept as JSON.
type entry struct {
	Kind entryKind `json:"kind"`
	// Write is the CheckWriteRequest, as protobuf.
	Write      []byte          `json:"write,omitempty"`
	Cause      string          `json:"cause,omitempty"`
	DecisionID string          `json:"decision_id,omitempty"`
	Outcome    pb.WriteOutcome `json:"outcome,omitempty"`
	// At is when it happened.
	At time.Time `json:"at"`
	// Holder is the outbox that keeps it back while the write is being made. What another
	// one held is of a process that ended: the write counts as made.
	Holder string `json:"holder,omitempty"`
	// Refusal is why the service will never take it.
	Refusal string `json:"refusal,omitempty"`
}

const (
	pendingBucket = "pending"
	refusedBucket = "refused"
)

// outbox keeps entries on disk until the service has them.
type outbox struct {
	store   *store.Store
	auditor pb.ParameterChangeAuditorServiceClient
	log     *slog.Logger
	stop    context.CancelFunc
	done    chan struct{}
	wake    chan struct{}

	// id is this outbox's, as a holder.
	id string

	mutex sync.Mutex
	// changed is closed when an entry has left.
	changed chan struct{}
}

func openOutbox(path string, auditor pb.ParameterChangeAuditorServiceClient, options GateOptions) (*outbox, error) {
	file, err := store.Open(path, pendingBucket, refusedBucket)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &outbox{
		store: file, auditor: auditor, log: logger(options.Log),
		stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1),
		id: rand.Text(), changed: make(chan struct{}),
	}
	go o.deliverAll(ctx)
	return o, nil
}

func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// put keeps an entry, and returns when it is on disk.
func (o *outbox) put(e entry) (key uint64, err error) {
	value, err := json.Marshal(e)
	if err == nil {
		// Not the caller's context: the record is owed however the caller fares.
		err = o.store.Change(context.Background(), func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(pendingBucket))
			if key, err = bucket.NextSequence(); err != nil {
				return err
			}
			return bucket.Put(store.Key(key), value)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("governance: this machine cannot keep what the service was not told of a write: %w", err)
	}
	o.poke()
	return key, nil
}

// replace puts another entry in an entry's place.
func (o *outbox) replace(key uint64, e entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = o.store.Change(context.Background(), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(pendingBucket)).Put(store.Key(key), value)
	})
	o.poke()
	return err
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) close() error {
	o.stop()
	<-o.done
	return o.store.Close()
}

func (o *outbox) pending() (int, error) {
	count := 0
	err := o.store.View(func(tx *bbolt.Tx) error {
		count = tx.Bucket([]byte(pendingBucket)).Stats().KeyN
		return nil
	})
	return count, err
}

func (o *outbox) flush(ctx context.Context) error {
	for {
		o.mutex.Lock()
		changed := o.changed
		o.mutex.Unlock()
		if count, err := o.pending(); err != nil || count == 0 {
			return err
		}
		o.poke()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliverAll delivers entries in order, again and again until ctx ends.
func (o *outbox) deliverAll(ctx context.Context) {
	defer close(o.done)
	pause := newBackoff()
	for {
		if o.deliverRound(ctx) {
			pause = newBackoff()
			select {
			case <-o.wake:
			case <-ctx.Done():
				return
			}
		} else if !pause.wait(ctx) {
			return
		}
	}
}

// deliverRound tries each entry once; false when one has to be tried again.
func (o *outbox) deliverRound(ctx context.Context) bool {
	isClear := true
	for key := uint64(0); ; {
		next, e, err := o.after(key)
		if err != nil {
			o.log.Error("what is kept for the service cannot be read", "error", err)
			return false
		}
		if e == nil {
			return isClear
		}
		key = next
		if e.Holder == o.id {
			continue
		}
		err = o.deliver(ctx, *e)
		if err != nil && !isRefusal(err) && !isTooLate(err, *e) {
			o.log.Debug("not delivered yet", "kind", e.Kind, "error", err)
			isClear = false
			switch status.Code(err) {
			case codes.Unavailable, codes.DeadlineExceeded:
				// The next would only wait for the same.
				return false
			}
			continue
		}
		if err != nil {
			o.log.Error("the service refuses what it was told of a write; it is kept aside", "kind", e.Kind, "error", err)
			e.Refusal = err.Error()
		}
		if err := o.settle(ctx, key, *e); err != nil {
			return false
		}
	}
}

// after is the next entry behind a key; nil at the end.
func (o *outbox) after(key uint64) (uint64, *entry, error) {
	var found *entry
	err := o.store.View(func(tx *bbolt.Tx) error {
		k, v := tx.Bucket([]byte(pendingBucket)).Cursor().Seek(store.Key(key + 1))
		if k == nil {
			return nil
		}
		key, found = store.Number(k), &entry{}
		return json.Unmarshal(v, found)
	})
	return key, found, err
}

// settle takes an entry out: the service has it, or never will.
func (o *outbox) settle(ctx context.Context, key uint64, e entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = o.store.Change(ctx, func(tx *bbolt.Tx) error {
		if e.Refusal != "" {
			if err := tx.Bucket([]byte(refusedBucket)).Put(store.Key(key), value); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(pendingBucket)).Delete(store.Key(key))
	})
	if err == nil {
		o.mutex.Lock()
		close(o.changed)
		o.changed = make(chan struct{})
		o.mutex.Unlock()
	}
	return err
}
