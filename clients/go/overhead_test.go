package governance_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// BenchmarkGate asks in turns on the bare generated client and through the gate, on one
// connection to the real service: go test -run '^$' -bench Gate -benchtime 1000x
func BenchmarkGate(b *testing.B) {
	conn := connect(b, real.address, token(b, "bot"))
	bare, gate := pb.NewParameterChangeAuditorServiceClient(conn), openGate(b, conn, gateFile(b))
	var took [2][]time.Duration
	for number := range b.N {
		// Who is first takes turns, too.
		for turn := range 2 {
			which := (number + turn) % 2
			request := change()
			request.WriteId = rand.Text()
			ctx, done := context.WithTimeout(b.Context(), 500*time.Millisecond)
			started := time.Now()
			var err error
			if which == 0 {
				_, err = bare.CheckWrite(ctx, request)
			} else {
				_, err = gate.CheckWrite(ctx, request)
			}
			took[which] = append(took[which], time.Since(started))
			done()
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, took)
}

// BenchmarkRecorder sends actions in batches of 500, in turns on the bare generated stream
// and through the recorder: go test -run '^$' -bench Recorder -benchtime 6x
func BenchmarkRecorder(b *testing.B) {
	conn := connect(b, real.address, token(b, "bot"))
	recorder := openRecorder(b, conn, recorderFile(b), governance.RecorderOptions{})
	stream, err := pb.NewUserActivityLedgerServiceClient(conn).StreamUserActions(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	open := &pb.StreamUserActionsRequest_Open{Open: &pb.StreamOpen{StreamId: rand.Text()}}
	exchange(b, stream.Send(&pb.StreamUserActionsRequest{Message: open}))
	_, err = stream.Recv()
	exchange(b, err)

	const batches, batch = 20, 500
	offset := int64(1)
	var took [2][]time.Duration
	for number := range b.N {
		for turn := range 2 {
			which := (number + turn) % 2
			session := rand.Text()
			var all [batches][]*pb.UserAction
			for i := range batches * batch {
				all[i/batch] = append(all[i/batch], actionOf(session, i+1))
			}
			started := time.Now()
			if which == 0 {
				for _, actions := range all {
					message := &pb.StreamUserActionsRequest_Batch{Batch: &pb.UserActionBatch{FirstOffset: offset, Actions: actions}}
					exchange(b, stream.Send(&pb.StreamUserActionsRequest{Message: message}))
					offset += batch
				}
				for range all {
					_, err := stream.Recv()
					exchange(b, err)
				}
			} else {
				for _, actions := range all {
					exchange(b, recorder.RecordActions(b.Context(), actions...))
				}
				exchange(b, recorder.Flush(b.Context()))
			}
			took[which] = append(took[which], time.Since(started))
		}
	}
	report(b, took)
}

func exchange(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func report(b *testing.B, took [2][]time.Duration) {
	b.Helper()
	var median [2]float64
	for which := range took {
		slices.Sort(took[which])
		median[which] = float64(took[which][len(took[which])/2].Microseconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median[0], "bare-µs")
	b.ReportMetric(median[1], "layer-µs")
	b.ReportMetric(100*(median[1]/median[0]-1), "overhead-%")
}
