package governance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

// ExportDamagedError says that what came is not what the service says it sent. The next
// export to the same file begins anew.
type ExportDamagedError struct{ Problem string }

func (e *ExportDamagedError) Error() string { return "governance: the export is damaged: " + e.Problem }

// ErrExportCut says that an export ended before its trailer; calling it again goes on.
var ErrExportCut = errors.New("governance: the export was cut")

// How often an export is taken up again without a byte of progress.
const exportTries = 5

// ExportUserActions writes the actions that the request's filters choose to a file, as
// JSONL, and returns when all of it is on disk and checked: lines and SHA-256 of what
// came, and the chain of hashes over the whole file, are those of the trailer. After a
// cut it goes on by itself; an error that matches [ErrExportCut] says that it gave up,
// and the same call goes on where it stopped, also in another process. A file that is
// there and complete is not overwritten: fs.ErrExist.
func ExportUserActions(ctx context.Context, client pb.UserActivityLedgerServiceClient, request *pb.ExportUserActionsRequest, path string) (*pb.ExportTrailer, error) {
	return export(ctx, path, "user_actions", request, func(ctx context.Context, token string) (parts, error) {
		request := proto.CloneOf(request)
		request.ResumeToken = token
		return opened(client.ExportUserActions(ctx, request))
	})
}

// ExportFills exports execution reports, as [ExportUserActions] does actions.
func ExportFills(ctx context.Context, client pb.UserActivityLedgerServiceClient, request *pb.ExportFillsRequest, path string) (*pb.ExportTrailer, error) {
	return export(ctx, path, "fills", request, func(ctx context.Context, token string) (parts, error) {
		request := proto.CloneOf(request)
		request.ResumeToken = token
		return opened(client.ExportFills(ctx, request))
	})
}

// ExportParameterChanges exports decisions, as [ExportUserActions] does actions.
func ExportParameterChanges(ctx context.Context, client pb.ParameterChangeAuditorServiceClient, request *pb.ExportParameterChangesRequest, path string) (*pb.ExportTrailer, error) {
	return export(ctx, path, "parameter_changes", request, func(ctx context.Context, token string) (parts, error) {
		request := proto.CloneOf(request)
		request.ResumeToken = token
		return opened(client.ExportParameterChanges(ctx, request))
	})
}

// ExportAccessLog exports the access log, as [ExportUserActions] does actions.
func ExportAccessLog(ctx context.Context, client pb.AccessLogServiceClient, request *pb.ExportAccessLogRequest, path string) (*pb.ExportTrailer, error) {
	return export(ctx, path, "access_log", request, func(ctx context.Context, token string) (parts, error) {
		request := proto.CloneOf(request)
		request.ResumeToken = token
		return opened(client.ExportAccessLog(ctx, request))
	})
}

// part is a message of any export.
type part interface {
	GetJsonl() []byte
	GetResumeToken() string
	GetTrailer() *pb.ExportTrailer
}

// parts is the next message of a stream, again and again.
type parts func() (part, error)

func opened[P any, Q interface {
	*P
	part
}](stream grpc.ServerStreamingClient[P], err error) (parts, error) {
	if err != nil {
		return nil, err
	}
	return func() (part, error) {
		message, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		return Q(message), nil
	}, nil
}

func export(ctx context.Context, path, kind string, request proto.Message, open func(context.Context, string) (parts, error)) (_ *pb.ExportTrailer, err error) {
	file, err := planExport(path, kind, request)
	if err != nil {
		return nil, err
	}
	defer func() { err = both(err, file.close()) }()
	pause := newBackoff()
	for tries := 1; ; tries++ {
		before := file.bytes
		trailer, err := receive(ctx, file, open)
		if err == nil {
			return finish(file, trailer)
		}
		var damaged *ExportDamagedError
		if errors.As(err, &damaged) {
			return nil, errors.Join(err, file.discard())
		}
		switch reasonOf(err) {
		case "EXPORT_CHANGED", "LOG_EPOCH_CHANGED":
			// What was exported is no longer the beginning of what there is.
			return nil, errors.Join(err, file.discard())
		}
		if !isCut(ctx, err, file) {
			return nil, err
		}
		if file.bytes > before {
			tries, pause = 1, newBackoff()
		}
		if tries >= exportTries || !pause.wait(ctx) {
			return nil, fmt.Errorf("%w: %w; %s holds %d bytes of it", ErrExportCut, err, path, file.bytes)
		}
	}
}

// isCut tells whether going on makes sense, and keeps what came when it does.
func isCut(ctx context.Context, err error, file *exportFile) bool {
	isTransient := errors.Is(err, ErrExportCut) || ctx.Err() != nil
	if answer, ok := status.FromError(err); ok && !isTransient {
		_, isTransient = noVerdict[answer.Code()]
		isTransient = isTransient || answer.Code() == codes.Canceled
	}
	return isTransient && (file.file == nil || file.checkpoint() == nil)
}

// receive takes one stream, and checks it against its trailer.
func receive(ctx context.Context, file *exportFile, open func(context.Context, string) (parts, error)) (*pb.ExportTrailer, error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	next, err := open(ctx, file.resumeToken)
	if err != nil {
		return nil, err
	}
	sum, lines := sha256.New(), int64(0)
	var trailer *pb.ExportTrailer
	for {
		part, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if trailer != nil {
			return nil, &ExportDamagedError{"something came behind the trailer"}
		}
		if jsonl := part.GetJsonl(); len(jsonl) > 0 {
			sum.Write(jsonl)
			lines += int64(bytes.Count(jsonl, []byte{'\n'}))
			if err := file.write(jsonl, part.GetResumeToken()); err != nil {
				return nil, err
			}
		}
		trailer = part.GetTrailer()
	}
	switch {
	case trailer == nil || !trailer.GetComplete():
		return nil, fmt.Errorf("%w: it ended without its trailer", ErrExportCut)
	case trailer.GetCount() != lines:
		return nil, &ExportDamagedError{fmt.Sprintf("the trailer says %d lines, and %d came", trailer.GetCount(), lines)}
	case !bytes.Equal(trailer.GetSha256(), sum.Sum(nil)):
		return nil, &ExportDamagedError{"the SHA-256 of what came is not the trailer's"}
	}
	return trailer, nil
}

// finish checks the whole file, as it is on disk.
func finish(file *exportFile, trailer *pb.ExportTrailer) (*pb.ExportTrailer, error) {
	lines, chain, err := file.chain()
	if err != nil {
		return nil, err
	}
	var damaged error
	switch {
	case trailer.GetTotalCount() != lines:
		damaged = &ExportDamagedError{fmt.Sprintf("the trailer says %d lines in all, and there are %d", trailer.GetTotalCount(), lines)}
	case !bytes.Equal(trailer.GetChainSha256(), chain):
		damaged = &ExportDamagedError{"the chain of hashes over its lines is not the trailer's"}
	default:
		return trailer, file.complete()
	}
	return nil, errors.Join(damaged, file.discard())
}
