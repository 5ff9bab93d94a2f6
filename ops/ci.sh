#!/usr/bin/env bash
# The rules of Prometheus and the example for Alertmanager, checked by the programs that read them. Installs both:
# the tests under test/integration/alerts run against them.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v promtool >/dev/null || ! command -v amtool >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager
fi
promtool check rules prometheus/rules.yaml
promtool check config --syntax-only prometheus/prometheus.yaml
promtool test rules prometheus/tests.yaml
amtool check-config alertmanager.yaml
