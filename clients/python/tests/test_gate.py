"""The gate, against the real service."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import grpc
import pytest

from conftest import Records
from polytraders.governance.client import ConfigError, Gate, SpoolInUse
from polytraders.governance.v1.parameter_change_auditor_pb2 import (
    DURABILITY_DURABLE,
    VERDICT_ALLOW,
    WRITE_OUTCOME_ABORTED,
    CheckWriteRequest,
)
from service import Relay, Service

DELIVERED_WITHIN_S = 30.0


def test_an_allowed_write_has_its_verdict_and_is_on_record_digit_for_digit(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    with Gate(service.address, bot, spool_dir=spool) as gate:
        checked = gate.check_write(
            bot_slug="py.allowed", param_name="größe", editor_id="alice",
            old_value=None, new_value={"size": Decimal("0.100000000000000000000000001"), "名": [1, True]},
        )  # fmt: skip
    assert checked.answer is not None and checked.answer.verdict == VERDICT_ALLOW
    assert checked.answer.durability == DURABILITY_DURABLE
    [change] = records.changes("py.allowed")
    assert change.report.new_value_json == '{"size":0.100000000000000000000000001,"名":[1,true]}'
    assert change.report.old_value_json == "null"
    assert change.write_id == checked.write_id


def test_a_write_that_may_not_proceed_raises_with_its_reason_and_sentence(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    with Gate(service.address, bot, spool_dir=spool) as gate:
        with pytest.raises(ConfigError) as raised:
            gate.check_write(
                bot_slug="risk.pyguard", param_name="max_position_pusd", editor_id="alice", old_value=1, new_value=2
            )
    assert raised.value.reason_code == "AUDIT_TICKET_REQUIRED"
    assert len(raised.value.user_message) > 10
    [change] = records.changes("risk.pyguard")
    assert change.report.decision_id == raised.value.decision_id


def test_a_mistake_of_the_caller_raises_and_is_never_a_write_without_a_verdict(
    service: Service, bot: str, spool: Path
) -> None:
    with Gate(service.address, bot, spool_dir=spool) as gate:
        with pytest.raises(grpc.RpcError, match="INVALID_FIELD: editor_id"):
            gate.check_write(bot_slug="py.mistake", param_name="x", editor_id="")
        assert gate.owed() == 0
    with Gate(service.address, "not a token", spool_dir=spool) as gate:
        with pytest.raises(grpc.RpcError, match="TOKEN_INVALID"):
            gate.check_write(bot_slug="py.mistake", param_name="x", editor_id="a")
        assert gate.owed() == 0


def test_while_the_service_is_away_writes_proceed_at_once_and_each_is_delivered_once(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        relay.cut()
        written = []
        for value in range(20):
            started = time.monotonic()
            checked = gate.check_write(bot_slug="py.away", param_name="x", editor_id="alice", new_value=value)
            assert time.monotonic() - started < 0.6
            assert checked.answer is None and checked.cause == "UNAVAILABLE"
            written.append(checked.write_id)
        assert gate.owed() == 20
        relay.mend()
        assert gate.flush(DELIVERED_WITHIN_S)
    changes = records.changes("py.away")
    assert [change.write_id for change in reversed(changes)] == written
    assert {change.ungated_cause for change in changes} == {"UNAVAILABLE"}


def test_a_frozen_service_costs_the_deadline_and_its_late_decision_is_not_doubled(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        gate.check_write(bot_slug="py.frozen", param_name="x", editor_id="alice", new_value=0)
        relay.freeze()
        started = time.monotonic()
        checked = gate.check_write(bot_slug="py.frozen", param_name="x", editor_id="alice", new_value=1)
        assert 0.4 < time.monotonic() - started < 0.9
        assert checked.cause == "DEADLINE_EXCEEDED"
        # What was frozen on its way arrives now, beside what is delivered.
        relay.thaw()
        assert gate.flush(DELIVERED_WITHIN_S)
    assert [change.write_id for change in records.changes("py.frozen")].count(checked.write_id) == 1


def test_a_write_without_a_verdict_is_delivered_by_the_next_start_when_the_process_was_killed(
    service: Service, bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    relay.cut()
    program = (
        "import os, signal, sys; from polytraders.governance.client import Gate\n"
        "address, token, spool = sys.argv[1:]\n"
        "gate = Gate(address, token, spool_dir=spool)\n"
        "print(gate.check_write(bot_slug='py.killed', param_name='x', editor_id='alice', new_value=1).write_id)\n"
        "with gate.change(bot_slug='py.killed', param_name='y', editor_id='alice', new_value=2) as change:\n"
        "    print(change.write_id, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, relay.address, bot, spool], capture_output=True, text=True, timeout=60
    )
    assert killed.returncode == -9, killed.stderr
    with Gate(service.address, bot, spool_dir=spool) as gate:
        assert gate.flush(DELIVERED_WITHIN_S)
    # The second may have been made: whoever died in the middle of a write does not say that it was not.
    assert [change.write_id for change in reversed(records.changes("py.killed"))] == killed.stdout.split()


def test_a_change_is_confirmed_as_applied_or_when_it_raises_as_aborted(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    with Gate(service.address, bot, spool_dir=spool) as gate:
        with gate.change(bot_slug="py.change", param_name="x", editor_id="alice", new_value=1) as applied:
            assert len(records.changes("py.change", unconfirmed=True)) == 1
        with pytest.raises(ZeroDivisionError):
            with gate.change(bot_slug="py.change", param_name="x", editor_id="alice", new_value=2) as aborted:
                1 / 0  # noqa: B018
        assert records.changes("py.change", unconfirmed=True) == []
        assert applied.answer is not None and aborted.answer is not None
        # The first outcome stands, so this asks what it was.
        assert _outcome(gate, aborted.answer.decision_id, bot) == WRITE_OUTCOME_ABORTED
        assert _outcome(gate, applied.answer.decision_id, bot) != WRITE_OUTCOME_ABORTED


def test_a_change_whose_end_the_service_did_not_hear_is_confirmed_later(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        with gate.change(bot_slug="py.later", param_name="x", editor_id="alice", new_value=1):
            relay.cut()
        assert len(records.changes("py.later", unconfirmed=True)) == 1
        relay.mend()
        assert gate.flush(DELIVERED_WITHIN_S)
    assert records.changes("py.later", unconfirmed=True) == []


def test_a_change_without_a_verdict_counts_as_made_only_if_it_was(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        relay.cut()
        with pytest.raises(ZeroDivisionError):
            with gate.change(bot_slug="py.unmade", param_name="x", editor_id="alice", new_value=1):
                1 / 0  # noqa: B018
        with gate.change(bot_slug="py.unmade", param_name="y", editor_id="alice", new_value=1) as made:
            assert gate.owed() == 1, "what is not ended yet is not sent"
        relay.mend()
        assert gate.flush(DELIVERED_WITHIN_S)
    unmade_then_made = list(reversed(records.changes("py.unmade")))
    assert [change.ungated_cause for change in unmade_then_made] == ["", "UNAVAILABLE"]
    assert unmade_then_made[1].write_id == made.write_id
    assert records.changes("py.unmade", unconfirmed=True) == []


def test_what_the_service_refuses_for_ever_is_kept_apart_and_holds_up_nothing(
    service: Service, bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(service.address, bot, spool_dir=spool) as gate:
        gate.check_write(bot_slug="py.refused", param_name="x", editor_id="a", new_value=1, write_id="py-taken")
    relay.cut()
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        gate.check_write(bot_slug="py.refused", param_name="x", editor_id="a", new_value=2, write_id="py-taken")
        gate.check_write(bot_slug="py.refused", param_name="x", editor_id="a", new_value=3, write_id="py-free")
        relay.mend()
        assert gate.flush(DELIVERED_WITHIN_S)
        [(kind, _, why)] = gate.refused()
    assert kind == "ungated" and "WRITE_ID_CONFLICT" in why
    assert [change.write_id for change in records.changes("py.refused")] == ["py-free", "py-taken"]


def test_a_write_proceeds_and_is_delivered_from_memory_when_the_disk_fails(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    with Gate(relay.address, bot, spool_dir=spool) as gate:
        relay.cut()
        gate._settling._outbox._database.execute("pragma max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for _ in range(100):
                gate._settling._outbox.put("confirm", bytes(10_000), held=True)
        assert gate.check_write(bot_slug="py.full", param_name="x", editor_id="a", new_value="x" * 9_000).answer is None
        relay.mend()
        assert gate.flush(DELIVERED_WITHIN_S)
    assert len(records.changes("py.full")) == 1


def test_two_gates_do_not_share_a_spool(service: Service, bot: str, spool: Path) -> None:
    with Gate(service.address, bot, spool_dir=spool):
        with pytest.raises(SpoolInUse, match="spool_dir of its own"):
            Gate(service.address, bot, spool_dir=spool)


def test_the_generated_client_is_there(service: Service, bot: str, spool: Path) -> None:
    with Gate(service.address, lambda: bot, spool_dir=spool) as gate:
        answer = gate.stub.CheckWrite(
            CheckWriteRequest(bot_slug="py.bare", param_name="x", editor_id="a"),
            metadata=(("authorization", f"Bearer {bot}"),),
        )
        assert answer.allowed


def _outcome(gate: Gate, decision_id: str, token: str) -> int:
    from polytraders.governance.v1.parameter_change_auditor_pb2 import WRITE_OUTCOME_APPLIED, ConfirmWriteRequest

    request = ConfirmWriteRequest(decision_id=decision_id, outcome=WRITE_OUTCOME_APPLIED)
    return gate.stub.ConfirmWrite(request, metadata=(("authorization", f"Bearer {token}"),)).outcome
