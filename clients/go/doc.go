// Package governance is a small layer on the generated client of the Polytraders
// governance service (polytraders.dev/governance/gen/go). It takes and returns the
// generated messages, works on any grpc connection, and adds three things:
//
//   - [Gate] asks before a configuration write, with the deadline of 500 ms, and
//     sees to it that a write made without a verdict is told later;
//   - [Recorder] keeps user actions and execution reports on disk until the service
//     has them;
//   - [ExportUserActions] and its neighbours write an export to a file, go on after
//     a cut, and check the file.
//
// The package venue beside it makes execution reports of the venue's trades.
package governance
