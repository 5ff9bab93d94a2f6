// Overhead measures what the layer costs over the bare generated call, both on a running
// service (GOVERNANCE_GRPC_ADDR, GOVERNANCE_TOKEN of role bot), and fails from 10 % on:
//
//	go run ./internal/overhead
//
// Two figures are judged, both by the quieter half of the runs, for other processes only
// ever add to them: the time, and the CPU of this process that the layer takes more, as a
// share of the bare call's shortest time: what it would add if the service waited for it.
// Runs alternate, and what is sent is made before. The layer's files are in memory, where
// the machine has a folder there: what a disk adds is the disk's, and is printed apart.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	governance "polytraders.dev/governance/clients/go"
	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const (
	limit                    = 0.10
	tries                    = 3
	calls, rounds            = 300, 8
	batches, batch           = 20, 500
	ways, bare, inMemory, on = 3, 0, 1, 2
)

// way makes what is to be sent; what it returns sends that.
type way func() func() error

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	conn, err := grpc.NewClient(os.Getenv("GOVERNANCE_GRPC_ADDR"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(governance.Bearer(governance.StaticToken(os.Getenv("GOVERNANCE_TOKEN")))))
	if err != nil {
		return err
	}
	defer conn.Close()
	memory := os.TempDir()
	if _, err := os.Stat("/dev/shm"); err == nil {
		memory = "/dev/shm"
	}
	var folders []string
	for _, base := range []string{memory, os.TempDir()} {
		folder, err := os.MkdirTemp(base, "governance-go-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		folders = append(folders, folder)
	}
	err = writes(ctx, conn, folders)
	return errors.Join(err, events(ctx, conn, folders))
}

func writes(ctx context.Context, conn *grpc.ClientConn, folders []string) error {
	auditor := pb.NewParameterChangeAuditorServiceClient(conn)
	request := func() *pb.CheckWriteRequest {
		return &pb.CheckWriteRequest{BotSlug: "go.overhead", ParamName: "x", EditorId: "a", NewValueJson: proto.String("1"), WriteId: rand.Text()}
	}
	all := []way{func() func() error {
		request := request()
		return func() error {
			ctx, done := context.WithTimeout(ctx, 500*time.Millisecond)
			defer done()
			_, err := auditor.CheckWrite(ctx, request)
			return err
		}
	}}
	for _, folder := range folders {
		gate, err := governance.OpenGate(conn, filepath.Join(folder, "gate.db"), governance.GateOptions{})
		if err != nil {
			return err
		}
		defer gate.Close()
		all = append(all, func() func() error {
			request := request()
			return func() error {
				_, err := gate.CheckWrite(ctx, request)
				return err
			}
		})
	}
	return compare("CheckWrite, a call", calls, all)
}

func events(ctx context.Context, conn *grpc.ClientConn, folders []string) error {
	made := func() (all [batches][]*pb.UserAction) {
		session := rand.Text()
		for i := range batches * batch {
			all[i/batch] = append(all[i/batch], &pb.UserAction{EventId: fmt.Sprintf("%s-%d", session, i), SessionId: session,
				Wallet: "0x3333333333333333333333333333333333333333", ActionType: "HALT", ParamsJson: proto.String(`{"size":"1.5"}`)})
		}
		return all
	}
	stream, err := pb.NewUserActivityLedgerServiceClient(conn).StreamUserActions(ctx)
	if err != nil {
		return err
	}
	open := &pb.StreamUserActionsRequest_Open{Open: &pb.StreamOpen{StreamId: rand.Text()}}
	if err := stream.Send(&pb.StreamUserActionsRequest{Message: open}); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	offset := int64(1)
	all := []way{func() func() error {
		made := made()
		return func() error {
			for _, actions := range made {
				message := &pb.StreamUserActionsRequest_Batch{Batch: &pb.UserActionBatch{FirstOffset: offset, Actions: actions}}
				if err := stream.Send(&pb.StreamUserActionsRequest{Message: message}); err != nil {
					return err
				}
				offset += batch
			}
			for range made {
				if _, err := stream.Recv(); err != nil {
					return err
				}
			}
			return nil
		}
	}}
	for _, folder := range folders {
		recorder, err := governance.OpenRecorder(conn, filepath.Join(folder, "recorder.db"), governance.RecorderOptions{})
		if err != nil {
			return err
		}
		defer recorder.Close()
		all = append(all, func() func() error {
			made := made()
			return func() error {
				for _, actions := range made {
					if err := recorder.RecordActions(ctx, actions...); err != nil {
						return err
					}
				}
				return recorder.Flush(ctx)
			}
		})
	}
	return compare(fmt.Sprintf("StreamUserActions, %d events", batches*batch), rounds, all)
}

// compare prints, and fails when the layer costs too much in each of the tries.
func compare(what string, rounds int, all []way) error {
	for _, warmUp := range all {
		if err := warmUp()(); err != nil {
			return err
		}
	}
	for range tries {
		var wall, cpu [ways][]float64
		for turn := range rounds {
			for at := range ways {
				which := (turn + at) % ways
				run := all[which]()
				started, before := time.Now(), cpuSeconds()
				if err := run(); err != nil {
					return err
				}
				cpu[which] = append(cpu[which], cpuSeconds()-before)
				wall[which] = append(wall[which], time.Since(started).Seconds())
			}
		}
		base, layer := quiet(wall[bare]), quiet(wall[inMemory])
		longer := layer/base - 1
		more := (quiet(cpu[inMemory]) - quiet(cpu[bare])) / slices.Min(wall[bare])
		fmt.Printf("%s: bare %.2f ms, layer %.2f ms, %+.1f%%; its CPU %+.1f%%; its files on a disk %+.1f%%\n",
			what, base*1000, layer*1000, longer*100, more*100, (quiet(wall[on])-layer)/base*100)
		if max(longer, more) < limit {
			return nil
		}
	}
	return fmt.Errorf("%s: the layer costs %.0f%% or more", what, limit*100)
}

// quiet is the median of the quieter half.
func quiet(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[(len(values)+1)/4]
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
