package governance

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// session is one stream to the service, of actions or of reports.
type session interface {
	open(streamID string) error
	send(firstOffset uint64, records [][]byte) error
	// receive returns one of the two.
	receive() (*pb.StreamOpened, *pb.StreamAck, error)
}

type actionSession struct {
	stream grpc.BidiStreamingClient[pb.StreamUserActionsRequest, pb.StreamUserActionsResponse]
}

func openActions(ctx context.Context, ledger pb.UserActivityLedgerServiceClient) (session, error) {
	stream, err := ledger.StreamUserActions(ctx)
	return actionSession{stream}, err
}

func (s actionSession) open(streamID string) error {
	open := &pb.StreamUserActionsRequest_Open{Open: &pb.StreamOpen{StreamId: streamID}}
	return s.stream.Send(&pb.StreamUserActionsRequest{Message: open})
}

func (s actionSession) send(firstOffset uint64, records [][]byte) error {
	batch := &pb.UserActionBatch{FirstOffset: int64(firstOffset)}
	fill(batch, "actions", records)
	return s.stream.Send(&pb.StreamUserActionsRequest{Message: &pb.StreamUserActionsRequest_Batch{Batch: batch}})
}

func (s actionSession) receive() (*pb.StreamOpened, *pb.StreamAck, error) {
	answer, err := s.stream.Recv()
	return answer.GetOpened(), answer.GetAck(), err
}

type reportSession struct {
	stream grpc.BidiStreamingClient[pb.StreamExecutionReportsRequest, pb.StreamExecutionReportsResponse]
}

func openReports(ctx context.Context, ledger pb.UserActivityLedgerServiceClient) (session, error) {
	stream, err := ledger.StreamExecutionReports(ctx)
	return reportSession{stream}, err
}

func (s reportSession) open(streamID string) error {
	open := &pb.StreamExecutionReportsRequest_Open{Open: &pb.StreamOpen{StreamId: streamID}}
	return s.stream.Send(&pb.StreamExecutionReportsRequest{Message: open})
}

func (s reportSession) send(firstOffset uint64, records [][]byte) error {
	batch := &pb.ExecutionReportBatch{FirstOffset: int64(firstOffset)}
	fill(batch, "reports", records)
	return s.stream.Send(&pb.StreamExecutionReportsRequest{Message: &pb.StreamExecutionReportsRequest_Batch{Batch: batch}})
}

func (s reportSession) receive() (*pb.StreamOpened, *pb.StreamAck, error) {
	answer, err := s.stream.Recv()
	return answer.GetOpened(), answer.GetAck(), err
}

// fill puts messages into a repeated field as the bytes they are kept as: they need not be
// read to be sent.
func fill(batch proto.Message, field protoreflect.Name, records [][]byte) {
	message := batch.ProtoReflect()
	number := message.Descriptor().Fields().ByName(field).Number()
	var bytes []byte
	for _, record := range records {
		bytes = protowire.AppendTag(bytes, number, protowire.BytesType)
		bytes = protowire.AppendBytes(bytes, record)
	}
	message.SetUnknown(bytes)
}
