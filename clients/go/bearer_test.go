package governance_test

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

func TestATokenIsNotSentInTheClearToAnotherMachine(t *testing.T) {
	address := serve(t, func(s *grpc.Server) {
		pb.RegisterParameterChangeAuditorServiceServer(s, failing{code: codes.NotFound})
	})
	for authority, want := range map[string]codes.Code{
		"governance.example:443": codes.Unauthenticated, "10.0.0.7:50051": codes.Unauthenticated,
		"localhost:50051": codes.NotFound, "127.0.0.1:50051": codes.NotFound, "[::1]:50051": codes.NotFound,
	} {
		conn := connect(t, address, "any", grpc.WithAuthority(authority))
		_, err := pb.NewParameterChangeAuditorServiceClient(conn).CheckWrite(within(t, time.Minute), change())
		if status.Code(err) != want {
			t.Errorf("%s: error %v, want %s", authority, err, want)
		}
	}
}
