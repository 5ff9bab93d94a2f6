"""The example, run as its reader runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import Records
from service import CHECKOUT, Relay, Service

BOT = CHECKOUT / "clients/python/examples/bot.py"


def test_the_example_trades_and_tells_its_operator(
    service: Service, bot: str, tmp_path: Path, records: Records
) -> None:
    said = _run(service.address, bot, tmp_path)
    session = re.findall(r"in session (\S+)", said)[0]
    assert "order_size 250.00 -> 300.50: " in said
    assert said.endswith("all of it is on record\n")
    [start] = records.actions(session)
    assert len(start.fill_ids) == 3
    assert [fill.report.status for fill in records.fills(f"{session}-1")] == ["CONFIRMED", "MATCHED"]
    assert records.changes("strategy.example", unconfirmed=True) == []


def test_the_example_goes_on_while_the_service_is_away(bot: str, tmp_path: Path, relay: Relay) -> None:
    relay.cut()
    process = subprocess.Popen(
        [sys.executable, BOT, "spool"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "GOVERNANCE_GRPC_ADDR": relay.address, "GOVERNANCE_TOKEN": bot},
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "0xb2" not in said:
        said += process.stdout.readline()
    relay.mend()
    said += process.communicate(timeout=60)[0]
    assert "without a verdict (UNAVAILABLE)" in said
    assert said.endswith("all of it is on record\n")


def _run(address: str, token: str, folder: Path) -> str:
    environment = {**os.environ, "GOVERNANCE_GRPC_ADDR": address, "GOVERNANCE_TOKEN": token}
    ran = subprocess.run(
        [sys.executable, BOT, "spool"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
