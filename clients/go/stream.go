package governance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// The service reads 8 batches ahead.
	openBatches = 8
	// A stream on which nothing moves for so long is given up; sending again does no harm.
	ackWithin = 30 * time.Second
)

// run sends until ctx ends; a stream that breaks is opened again.
func (l *lane) run(ctx context.Context) {
	defer close(l.done)
	pause := newBackoff()
	for l.waitFor(ctx, func() bool { return l.acked < l.last }) == nil {
		before := l.ackedNow()
		err := l.send(ctx)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("the stream to the governance service was cut", "records", l.bucket, "error", err)
		if l.ackedNow() > before {
			pause = newBackoff()
		}
		if !pause.wait(ctx) {
			return
		}
	}
}

// send opens a stream and sends until it breaks.
func (l *lane) send(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := l.open(ctx)
	if err != nil {
		return err
	}
	watch := time.AfterFunc(ackWithin, func() { cancel(errors.New("no answer within 30 s")) })
	defer watch.Stop()
	if err := stream.open(l.stream); err != nil {
		return received(stream, err)
	}
	opened, _, err := stream.receive()
	if err != nil {
		return err
	}
	if opened == nil {
		return errors.New("the service did not answer open")
	}
	// What opened says is durable is sent again all the same: the ack that was lost may
	// have refused some of it, and of the rest the service knows each event_id.
	watch.Stop()

	w := &window{watch: watch, slots: make(chan struct{}, openBatches)}
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		if err := l.sendBatches(ctx, stream, w); !errors.Is(err, io.EOF) {
			cancel(err)
		}
	}()
	err = l.receiveAcks(ctx, stream, w)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(err)
	<-sender
	return err
}

// window is the batches that were sent and not acked. Its watch runs while there are any.
type window struct {
	watch *time.Timer
	slots chan struct{}
	mutex sync.Mutex
	open  int
}

func (w *window) add(ctx context.Context) error {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.open == 0 {
		w.watch.Reset(ackWithin)
	}
	w.open++
	return nil
}

// take is called for each ack; false when no batch waited for one.
func (w *window) take() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.open == 0 {
		return false
	}
	w.open--
	w.watch.Reset(ackWithin)
	if w.open == 0 {
		w.watch.Stop()
	}
	<-w.slots
	return true
}

// sendBatches sends what comes until the stream breaks. io.EOF: who receives learns why.
func (l *lane) sendBatches(ctx context.Context, stream session, w *window) error {
	for offset := l.ackedNow(); ; {
		if err := l.waitFor(ctx, func() bool { return offset < l.last }); err != nil {
			return err
		}
		first, records, err := l.read(offset + 1)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return fmt.Errorf("record %d is not in the file", offset+1)
		}
		if err := w.add(ctx); err != nil {
			return err
		}
		if err := stream.send(first, records); err != nil {
			return err
		}
		offset = first + uint64(len(records)) - 1
	}
}

// receiveAcks takes acks until the stream breaks.
func (l *lane) receiveAcks(ctx context.Context, stream session, w *window) error {
	for {
		_, ack, err := stream.receive()
		if err != nil {
			return err
		}
		if ack == nil || !w.take() {
			return errors.New("the service sent something other than one ack for each batch")
		}
		if err := l.settle(ctx, uint64(max(ack.GetLastOffset(), 0)), ack.GetResults()); err != nil {
			return err
		}
	}
}

// received is the stream's own error: a failed send only says that there is one.
func received(stream session, err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	_, _, err = stream.receive()
	return err
}
