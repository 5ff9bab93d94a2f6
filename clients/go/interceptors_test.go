package governance_test

import (
	"context"

	"google.golang.org/grpc"
)

// counting calls after behind each message that comes.
type counting struct {
	grpc.ClientStream
	after func()
}

func (c counting) RecvMsg(message any) error {
	err := c.ClientStream.RecvMsg(message)
	if err == nil {
		c.after()
	}
	return err
}

// cutting cuts the wire behind the first message of the first stream.
func cutting(w *wire) grpc.StreamClientInterceptor { return once(w.cut) }

// shutting shuts it there for good.
func shutting(w *wire) grpc.StreamClientInterceptor { return once(func() { w.shut(true) }) }

func once(act func()) grpc.StreamClientInterceptor {
	isDone := false
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(ctx, desc, conn, method, options...)
		if err != nil || isDone {
			return stream, err
		}
		isDone = true
		return counting{stream, act}, nil
	}
}
