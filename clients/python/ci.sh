#!/usr/bin/env bash
# Builds the wheel, installs it in clean environments outside the checkout, and checks it from there against the real
# service of this checkout: ruff, mypy and all tests on the oldest Python there is from 3.9 on, with the oldest libraries
# that the wheel takes; a part of them on the machine's own Python with the newest. Needs npm install to have run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export GOVERNANCE_CHECKOUT=${GOVERNANCE_CHECKOUT:-$(cd "$here/../.." && pwd)} PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH
started=$SECONDS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

oldest=python3
shopt -s nullglob
for python in python3.9 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.9.*/bin/python python3.10 python3.11; do
  # A pyenv shim may be there without the Python behind it.
  if "$python" -c 'import venv' 2>/dev/null; then oldest=$python; break; fi
done

# One pip for all: making one takes longer than the rest of an environment. Wheels only: grpcio takes half an hour to
# compile, better to fail at once.
python3 -m venv "$work/pip"
pip() { "$work/pip/bin/python" -m pip --disable-pip-version-check "$@"; }
environment() {
  "$1" -m venv --without-pip "$2"
  pip --python "$2/bin/python" install --quiet --only-binary :all: "${@:3}"
}
versions() { echo "$("$1/bin/python" --version), $(pip --python "$1/bin/python" freeze | grep -E '^(grpcio|protobuf|py_clob_client_v2)=' | tr '\n' ' ')"; }

pip wheel --quiet --no-deps -w "$work" "$here"
wheel=$(echo "$work"/*.whl)
cp -r "$here/tests" "$here/examples" "$work"
# The floors that pyproject.toml names: what the wheel says it takes it has to run on.
floors=()
for name in grpcio protobuf; do
  floors+=("$name==$(sed -nE "s/.*\"$name>=([0-9.]+).*/\1/p" "$here/pyproject.toml")")
done
cd "$work"

environment "$oldest" old "$wheel" "${floors[@]}" -r tests/requirements.txt
old/bin/ruff check --quiet --no-cache "$here"
old/bin/ruff format --quiet --no-cache --check "$here"
old/bin/mypy --strict -p polytraders.governance.client
cd tests
../old/bin/mypy --strict ./*.py ../examples/bot.py
../old/bin/python -m pytest

environment python3 ../new "$wheel" pytest
../new/bin/python -m pytest test_codes.py test_example.py

echo "clients/python: $(basename "$wheel") holds on $(versions ../old)"
echo "clients/python: and on $(versions ../new)($((SECONDS - started)) s)"
