#!/usr/bin/env bash
# The generated clients against a running service: GOVERNANCE_GRPC_ADDR, GOVERNANCE_HTTP_ADDR, GOVERNANCE_TOKEN (role bot)
# and GOVERNANCE_COMPLIANCE_TOKEN. A first call of each, a line of JSON; the guide's shell calls, with the grpcurl of .ci/run;
# then what each writes the others read back, also on code and services of other versions (crosswise). Needs npm install and
# npm run gen:check to have run.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${GOVERNANCE_GRPC_ADDR:?host:port of a running service}" "${GOVERNANCE_TOKEN:?a token with role bot}"
: "${GOVERNANCE_HTTP_ADDR:?host:port of its HTTP listener}"
: "${GOVERNANCE_COMPLIANCE_TOKEN:?a token with role compliance}"
for tool in python3 go; do
  command -v "$tool" >/dev/null || { echo "$tool was not found: the clients need Python 3.9 and Go 1.25, or later" >&2; exit 1; }
done

requirements=test/clients/python/requirements.txt
venv=.cache/clients/python
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  python3 -m venv --clear "$venv"
  # Wheels only: grpcio takes half an hour to compile, better to fail at once.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r "$requirements"
  # Last: a venv that was cut short is made again.
  cp "$requirements" "$venv/requirements.txt"
fi

PYTHONPATH=gen/python PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" test/clients/python/first_call.py
go -C test/clients/go/first_call run .
PATH=$PWD/.cache/ci:$PATH node_modules/.bin/node test/clients/guide.ts
PYTHON=$venv/bin/python node_modules/.bin/node test/clients/crosswise/crosswise.ts
