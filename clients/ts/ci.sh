#!/usr/bin/env bash
# The TypeScript client as its users have it: packed, installed in a clean folder outside the checkout, and from there
# type-checked and tested against a service of its own, the guide's snippets too, with the project's Node and with the
# machine's; then its example against a running service: GOVERNANCE_GRPC_ADDR and GOVERNANCE_TOKEN (role bot).
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
npm pack --silent --pack-destination "$work" >"$work/packed"

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
npm install --silent --no-audit --no-fund --prefer-offline --ignore-scripts \
  "./$(cat packed)" @types/node@20 @connectrpc/connect-web@2.1.2 @polymarket/clob-client@5.8.1

"$bin/tsc" -p .
# The venue's package has types of its own that not every compiler takes.
"$bin/tsc" -p clob
# What runs in browsers, without Node's types.
"$bin/tsc" --ignoreConfig --noEmit --strict --module esnext --moduleResolution bundler --lib es2022,dom --types '' test/browser.ts
cp examples/trades.json out/examples

tests() { "$1" test/run.mjs "$1" --expose-gc --test --test-timeout=120000 out/test/*.test.js out/clob/*.test.js >tests.log || { cat tests.log; exit 1; }; }
ran=()
for node in "$bin/node" "$(PATH=${PATH//$bin:/} command -v node)"; do
  version=$("$node" --version)
  [[ " ${ran[*]-} " != *" $version "* ]] || continue
  tests "$node"
  ran+=("$version")
  echo "clients/ts: $(grep -E '^(#|ℹ) pass' tests.log | tail -1 | tr -dc 0-9) tests on Node $version ($((SECONDS - started)) s)"
done

"$bin/node" out/examples/bot.js
echo "clients/ts: all well on Node ${ran[*]} ($((SECONDS - started)) s)"
