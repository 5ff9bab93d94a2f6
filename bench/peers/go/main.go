// A straightforward server in Go: grpc-go, pgx and its pool, an insert per call into the plain table. No
// authentication, no validation, no dedupe beyond the table's primary key. Prints its port; ends with its parent.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	governance "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

const insert = `insert into plain_action (
	accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by,
	trace_id, params_json
) values ($1, 1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

type server struct {
	governance.UnimplementedUserActivityLedgerServiceServer
	pool *pgxpool.Pool
}

func (s *server) RecordUserAction(ctx context.Context, in *governance.RecordUserActionRequest) (*governance.RecordUserActionResponse, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	recordID := hex.EncodeToString(id[:])
	now := time.Now()
	_, err := s.pool.Exec(ctx, insert, now, now.AddDate(7, 0, 0), recordID, in.EventId, in.Wallet, in.SessionId,
		in.ActionType, "bench", in.TraceId, in.GetParamsJson())
	if err != nil {
		return nil, err
	}
	return &governance.RecordUserActionResponse{
		Outcome: governance.RecordOutcome_RECORD_OUTCOME_RECORDED,
		Report:  &governance.SettlementReport{ReportId: recordID, EventId: in.EventId, WalletAddress: in.Wallet},
	}, nil
}

func main() {
	config, err := pgxpool.ParseConfig(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 50
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	serving := grpc.NewServer()
	governance.RegisterUserActivityLedgerServiceServer(serving, &server{pool: pool})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(serving.Serve(listener))
}
