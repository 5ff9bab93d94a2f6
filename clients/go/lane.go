package governance

import (
	"context"
	"log/slog"
	"sync"

	"go.etcd.io/bbolt"

	"polytraders.dev/governance/clients/go/internal/store"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const (
	// The contract takes 1,000 records a batch and 4 MiB a message.
	batchRecords = 500
	batchBytes   = 2 * 1024 * 1024
)

// lane sends the records of one bucket over one stream, in order. A record's key is its
// offset in the stream.
type lane struct {
	laneOptions
	store *store.Store
	done  chan struct{}

	mutex sync.Mutex
	// last is the newest record's offset, acked the last that the service has.
	last, acked uint64
	// bytes are in the file.
	bytes int64
	// changed is closed when last or acked has.
	changed chan struct{}
}

type laneOptions struct {
	bucket, refusedBucket string
	stream                string
	maxBytes              int64
	log                   *slog.Logger
	open                  func(context.Context) (session, error)
	onRefused             func(record []byte, result *pb.StreamEventResult)
}

func openLane(file *store.Store, options laneOptions) (*lane, error) {
	l := &lane{laneOptions: options, store: file, done: make(chan struct{}), changed: make(chan struct{})}
	err := file.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(l.bucket))
		l.last, l.acked = bucket.Sequence(), bucket.Sequence()
		if first, _ := bucket.Cursor().First(); first != nil {
			l.acked = store.Number(first) - 1
		}
		return bucket.ForEach(func(_, record []byte) error {
			l.bytes += int64(len(record))
			return nil
		})
	})
	return l, err
}

// add keeps records, all or none, and returns when they are on disk.
func (l *lane) add(ctx context.Context, records [][]byte) error {
	if len(records) == 0 {
		return nil
	}
	var size int64
	for _, record := range records {
		size += int64(len(record))
	}
	l.mutex.Lock()
	isFull := l.bytes+size > l.maxBytes
	if !isFull {
		l.bytes += size
	}
	l.mutex.Unlock()
	if isFull {
		return ErrFull
	}
	var last uint64
	err := l.store.Change(ctx, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(l.bucket))
		// Always at the end, so full pages stay full.
		bucket.FillPercent = 0.9
		for _, record := range records {
			offset, err := bucket.NextSequence()
			if err == nil {
				err = bucket.Put(store.Key(offset), record)
			}
			if err != nil {
				return err
			}
			last = offset
		}
		return nil
	})
	l.update(func() {
		if err != nil {
			l.bytes -= size
			return
		}
		l.last = max(l.last, last)
	})
	return err
}

// update changes the figures, and wakes who waits for them.
func (l *lane) update(change func()) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lane) pending() int64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return int64(l.last - l.acked)
}

func (l *lane) flush(ctx context.Context) error {
	l.mutex.Lock()
	target := l.last
	l.mutex.Unlock()
	return l.waitFor(ctx, func() bool { return l.acked >= target })
}

// waitFor waits until the figures are as wanted.
func (l *lane) waitFor(ctx context.Context, isThere func() bool) error {
	for {
		l.mutex.Lock()
		there, changed := isThere(), l.changed
		l.mutex.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *lane) ackedNow() uint64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.acked
}

// read is a batch from an offset on.
func (l *lane) read(from uint64) (first uint64, records [][]byte, err error) {
	size := 0
	err = l.store.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket([]byte(l.bucket)).Cursor()
		for key, record := cursor.Seek(store.Key(from)); key != nil; key, record = cursor.Next() {
			if len(records) == 0 {
				first = store.Number(key)
			}
			if len(records) == batchRecords || len(records) > 0 && size+len(record) > batchBytes {
				return nil
			}
			size += len(record)
			records = append(records, append([]byte(nil), record...))
		}
		return nil
	})
	return first, records, err
}

// settle takes the records up to an offset out; those that were refused are kept aside.
func (l *lane) settle(ctx context.Context, offset uint64, results []*pb.StreamEventResult) error {
	refused := map[uint64]*pb.StreamEventResult{}
	for _, result := range results {
		if result.GetReason() != pb.ErrorReason_ERROR_REASON_UNSPECIFIED {
			refused[uint64(result.GetOffset())] = result
		}
	}
	aside := map[uint64][]byte{}
	if len(refused) > 0 {
		if err := l.setAside(ctx, refused, aside); err != nil {
			return err
		}
	}
	// Nobody waits for this: what is sent again is known to the service.
	err := l.store.Later(ctx, func(tx *bbolt.Tx) error { return l.takeOut(tx, offset) })
	if err != nil {
		return err
	}
	l.update(func() { l.acked = max(l.acked, offset) })
	for offset, record := range aside {
		l.log.Error("the service refuses a record; it is kept aside", "records", l.bucket, "why", refused[offset].GetMessage())
		l.onRefused(record, refused[offset])
	}
	return nil
}

// setAside copies what was refused into the bucket for it.
func (l *lane) setAside(ctx context.Context, refused map[uint64]*pb.StreamEventResult, aside map[uint64][]byte) error {
	return l.store.Change(ctx, func(tx *bbolt.Tx) error {
		waiting, kept := tx.Bucket([]byte(l.bucket)), tx.Bucket([]byte(l.refusedBucket))
		for offset := range refused {
			record := waiting.Get(store.Key(offset))
			if record == nil {
				continue
			}
			aside[offset] = append([]byte(nil), record...)
			if err := kept.Put(store.Key(offset), aside[offset]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *lane) takeOut(tx *bbolt.Tx, offset uint64) error {
	var size int64
	cursor := tx.Bucket([]byte(l.bucket)).Cursor()
	for key, record := cursor.First(); key != nil && store.Number(key) <= offset; key, record = cursor.First() {
		size += int64(len(record))
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.bytes -= size
	})
	return nil
}
