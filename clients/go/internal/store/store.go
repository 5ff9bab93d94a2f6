// Package store keeps records in a bbolt file, with one fsync for all that wait.
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// ErrClosed is the answer to whatever comes after Close.
var ErrClosed = errors.New("governance: closed")

// Store is one file, open in one process.
type Store struct {
	db      *bbolt.DB
	changes chan change
	laters  chan change
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}
}

// What may wait for the next change waits no longer than this.
const laterWithin = 200 * time.Millisecond

type change struct {
	apply func(*bbolt.Tx) error
	done  chan error
}

// Open makes the file and its folder when they are not there, and the buckets. It fails
// when another process has the file.
func Open(path string, buckets ...string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("governance: %w", err)
	}
	// The array of free pages would be written anew with each commit; the tree is read again at Open.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("governance: %s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("governance: %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("governance: %s: %w", path, err), db.Close())
	}
	s := &Store{db: db, changes: make(chan change, 256), laters: make(chan change, 256), closing: make(chan struct{}), stopped: make(chan struct{})}
	go s.commit()
	return s, nil
}

// syncFolder makes the file's name durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Change applies a change together with others that wait, and returns when they are on
// disk. apply may be called more than once; what it wrote stays only if all of it could be
// written.
func (s *Store) Change(ctx context.Context, apply func(*bbolt.Tx) error) error {
	c := change{apply, make(chan error, 1)}
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	select {
	case s.changes <- c:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-s.stopped:
		// Taken by the last commit, or never.
		select {
		case err := <-c.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// Later is Change for what may as well be lost: it does not wait, and goes to disk with the
// next change, or a little later.
func (s *Store) Later(ctx context.Context, apply func(*bbolt.Tx) error) error {
	select {
	case s.laters <- change{apply, make(chan error, 1)}:
		return nil
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View reads.
func (s *Store) View(read func(*bbolt.Tx) error) error { return s.db.View(read) }

// Close lets the changes under way finish.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.stopped
	return s.db.Close()
}

func (s *Store) commit() {
	defer close(s.stopped)
	var waiting []change
	quiet := time.NewTimer(laterWithin)
	for {
		select {
		case first := <-s.changes:
			s.commitTogether(append(waiting, first))
			waiting = nil
		case later := <-s.laters:
			if len(waiting) == 0 {
				quiet.Reset(laterWithin)
			}
			waiting = append(waiting, later)
		case <-quiet.C:
			s.commitTogether(waiting)
			waiting = nil
		case <-s.closing:
			for len(s.laters) > 0 {
				waiting = append(waiting, <-s.laters)
			}
			s.commitTogether(waiting)
			return
		}
	}
}

// commitTogether commits changes with those that came while the last commit ran.
func (s *Store) commitTogether(together []change) {
	for len(s.changes) > 0 && len(together) < cap(s.changes) {
		together = append(together, <-s.changes)
	}
	for len(together) > 0 {
		failed := -1
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for i, c := range together {
				if err := c.apply(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 {
			for _, c := range together {
				c.done <- err
			}
			return
		}
		// The others once more, without it.
		together[failed].done <- err
		together = append(together[:failed], together[failed+1:]...)
	}
}

// Key is a number as a key, in order.
func Key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Number is a key's number.
func Number(key []byte) uint64 { return binary.BigEndian.Uint64(key) }
