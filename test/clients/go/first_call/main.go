// Records an action and asks about a write, with generated code and grpc-go alone.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	governance "polytraders.dev/governance/gen/go/polytraders/governance/v1"
)

func main() {
	channel := must(grpc.NewClient(os.Getenv("GOVERNANCE_GRPC_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer channel.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("GOVERNANCE_TOKEN"))

	// Longer than the method's own budget: the first call on a channel connects, too.
	recording, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	recorded := must(governance.NewUserActivityLedgerServiceClient(channel).RecordUserAction(recording, &governance.RecordUserActionRequest{
		EventId:    "first-call-" + rand.Text(),
		Wallet:     "0x00000000000000000000000000000000000000f1",
		SessionId:  "first-call",
		ActionType: "STRATEGY_START",
	}))

	checking, done := context.WithTimeout(ctx, 500*time.Millisecond)
	defer done()
	checked := must(governance.NewParameterChangeAuditorServiceClient(channel).CheckWrite(checking, &governance.CheckWriteRequest{
		BotSlug:   "first-call",
		ParamName: "tick_ms",
		EditorId:  "first-call",
		OldValue:  structpb.NewNumberValue(250),
		NewValue:  structpb.NewNumberValue(500),
	}))

	line := map[string]string{"client": "go", "outcome": recorded.GetOutcome().String(), "verdict": checked.GetVerdict().String()}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
