#!/usr/bin/env bash
# What each client's layer costs over the bare generated call, on a running service: GOVERNANCE_GRPC_ADDR and
# GOVERNANCE_TOKEN (role bot). Fails from 10 % on. One after the other, for they measure; needs run.sh to have run.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${GOVERNANCE_GRPC_ADDR:?host:port of a running service}" "${GOVERNANCE_TOKEN:?a token with role bot}"

echo Python
PYTHONPATH=gen/python:clients/python/src PYTHONDONTWRITEBYTECODE=1 .cache/clients/python/bin/python clients/python/tests/overhead.py
echo Go
go -C clients/go run ./internal/overhead
echo TypeScript
node_modules/.bin/node --import ./test/clients/crosswise/asSource.ts clients/ts/test/overhead.ts
