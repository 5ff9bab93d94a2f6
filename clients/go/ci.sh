#!/usr/bin/env bash
# The Go client: checks, tests on a service of their own, and its example and the guide's
# snippets against a running service: GOVERNANCE_GRPC_ADDR and GOVERNANCE_TOKEN (role bot).
set -euo pipefail
cd "$(dirname "$0")"
GOVERNANCE=$(cd ../.. && pwd)
export GOVERNANCE
: "${GOVERNANCE_GRPC_ADDR:?host:port of a running service}" "${GOVERNANCE_TOKEN:?a token with role bot}"
started=$SECONDS

staticcheck=$GOVERNANCE/.cache/ci/staticcheck
[[ -x $staticcheck ]] || GOBIN=${staticcheck%/*} go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
for module in . test/decimal; do
  unformatted=$(gofmt -l "$module")
  [[ -z $unformatted ]] || { echo "gofmt: $unformatted" >&2; exit 1; }
  go -C "$module" mod tidy -diff
  go -C "$module" vet ./...
  (cd "$module" && "$staticcheck" ./...)
done

go test -race -count=1 ./...
go -C test/decimal test -race -count=1 ./...

go run ./examples/bot

# As a new user has it: the guide's commands and program, in a module outside the checkout.
guide=$GOVERNANCE/docs/integrating.md
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
# The block of a language that has a word in it.
block() {
  awk -v fence="\`\`\`$1" -v word="$2" '
    $0 == fence { inside = 1; text = ""; next }
    inside && $0 == "```" { if (index(text, word)) { printf "%s", text; exit } inside = 0 }
    inside { text = text $0 "\n" }' "$guide"
}
cd "$outside"
block go "gate.Change(" >main.go
[[ -s main.go ]] || { echo "$guide has no Go program with gate.Change" >&2; exit 1; }
commands=$(block sh "go mod init")
[[ -n $commands ]] || { echo "$guide has no commands with go mod init" >&2; exit 1; }
bash -euo pipefail -c "$commands"
echo "clients/go: all well ($((SECONDS - started))s)"
