#!/usr/bin/env bash
# The TypeScript client as its users have it: packed, installed in a clean folder outside the checkout, and from there
# type-checked and tested against a service of its own, the guide's snippets too, with the machine's Node and the
# project's; then its example against a running service: GOVERNANCE_GRPC_ADDR and GOVERNANCE_TOKEN (role bot).
# Needs npm install to have run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
GOVERNANCE=$(cd "$here/../.." && pwd)
export GOVERNANCE
: "${GOVERNANCE_GRPC_ADDR:?host:port of a running service}" "${GOVERNANCE_TOKEN:?a token with role bot}"
started=$SECONDS
bin=$GOVERNANCE/node_modules/.bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$GOVERNANCE" && "$bin/biome" check clients/ts)
cd "$here"
npm pack --loglevel=error --pack-destination "$work" >/dev/null

cd "$work"
cp -r "$here/test" "$here/examples" .
mv test/tsconfig.json test/clob .
# Each block of the guide's section is a program.
mkdir guide
awk '
  /^## / { inside = $0 == "## TypeScript" }
  inside && $0 == "```ts" { file = "guide/snippet" ++count ".ts"; next }
  $0 == "```" { file = "" }
  file { print >file }' "$GOVERNANCE/docs/integrating.md"
echo '{ "type": "module", "private": true }' >package.json
npm install --loglevel=error --no-audit --no-fund --prefer-offline --ignore-scripts \
  ./*.tgz @types/node@20 @connectrpc/connect-web@2.1.2 @polymarket/clob-client@5.8.1

"$bin/tsc" -p .
# The venue's package has types of its own that not every compiler takes.
"$bin/tsc" -p clob
# What runs in browsers, without Node's types.
"$bin/tsc" --ignoreConfig --noEmit --strict --module esnext --moduleResolution bundler --lib es2022,dom --types '' test/browser.ts
# And bundled for them, nothing of Node is in it.
"$bin/rolldown" out/test/browser.js --platform browser --file out/browser.js --log-level warn >rolldown.log 2>&1 || { cat rolldown.log; exit 1; }
! grep -E "node:|require\(" out/browser.js || { echo "the browser's bundle needs Node" >&2; exit 1; }
cp examples/trades.json out/examples

ran=
# With a Node, the tests of these names.
tests() {
  local node=$1
  shift
  "$node" test/run.mjs "$node" --expose-gc --test --test-concurrency=2 --test-timeout=120000 "${@/%/.test.js}" >tests.log ||
    { cat tests.log; exit 1; }
  ran+=" $("$node" --version) ($(grep -E '^(#|ℹ) pass' tests.log | tail -1 | tr -dc 0-9) tests)"
}
# All of them on the machine's Node where it is 20 or newer, and those of the gate on the project's.
own=$(PATH=${PATH//$bin:/} command -v node)
"$own" -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' || own=$bin/node
all=(out/test/*.test.js out/clob/*.test.js)
tests "$own" "${all[@]%.test.js}"
[[ $("$own" --version) == $("$bin/node" --version) ]] || tests "$bin/node" out/test/gate

"$bin/node" out/examples/bot.js
echo "clients/ts: all well on Node$ran ($((SECONDS - started)) s)"
