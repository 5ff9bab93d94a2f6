module polytraders.dev/governance/clients/go/test/decimal

go 1.25.0

require (
	github.com/shopspring/decimal v1.4.0
	polytraders.dev/governance/clients/go v0.0.0
)

require (
	golang.org/x/net v0.55.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
	golang.org/x/text v0.37.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260526163538-3dc84a4a5aaa // indirect
	google.golang.org/grpc v1.83.1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	polytraders.dev/governance/gen/go v0.0.0 // indirect
)

replace polytraders.dev/governance/gen/go => ../../../../gen/go

replace polytraders.dev/governance/clients/go => ../..
