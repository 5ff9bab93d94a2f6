"""Exports into files, against the real service."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import grpc
import pytest

from conftest import Records
from polytraders.governance.client import ExportCut, ExportDamaged, Recorder, export_to_file, user_action
from polytraders.governance.v1.parameter_change_auditor_pb2 import ExportParameterChangesRequest
from polytraders.governance.v1.user_activity_ledger_pb2 import ExportFillsRequest, ExportUserActionsRequest
from service import Relay, Service

LINES = 4000
SESSION = ExportUserActionsRequest(session_id="py-export")


@pytest.fixture(scope="module")
def compliance(service: Service, records: Records, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The token, with something on record to export: about 3 MB, hence several messages."""
    spool = tmp_path_factory.mktemp("spool")
    with Recorder(service.address, service.token("bot"), spool_dir=spool) as recorder:
        recorder.record_actions(
            user_action(
                {
                    "wallet": "0x" + 40 * "1", "session_id": "py-export", "action_type": "HALT",
                    "event_id": f"py-export-{n}", "params": {"n": n, "text": 300 * "é"},
                }
            )
            for n in range(LINES)
        )  # fmt: skip
        assert recorder.flush(60)
    # What a busy service only buffered is durable, and not on record yet.
    until = time.monotonic() + 60
    while len(records.actions("py-export")) < LINES:
        assert time.monotonic() < until
    return service.token("compliance")


def test_an_export_is_whole_and_checked(service: Service, compliance: str, tmp_path: Path) -> None:
    path = tmp_path / "actions.jsonl"
    trailer = export_to_file(service.address, compliance, SESSION, path)
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["event_id"] for line in lines] == [f"py-export-{n}" for n in range(LINES)]
    assert trailer.total_count == LINES
    assert hashlib.sha256(path.read_bytes()).digest() == trailer.sha256
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError):
        export_to_file(service.address, compliance, SESSION, path)


def test_an_export_that_is_cut_goes_on_and_ends_as_if_it_had_not_been(
    service: Service, compliance: str, tmp_path: Path, relay: Relay
) -> None:
    export_to_file(service.address, compliance, SESSION, tmp_path / "whole.jsonl")
    path, cuts = tmp_path / "cut.jsonl", 0
    relay.cut_after = 1_000_000
    while True:
        try:
            trailer = export_to_file(relay.address, compliance, SESSION, path)
            break
        except ExportCut as cut:
            cuts += 1
            assert "goes on with the same call" in str(cut)
            with path.open("ab") as file:
                file.write(b"what a crash left behind the state")
            relay.cut_after = 1_500_000 if cuts == 1 else None
    assert cuts == 2
    assert trailer.count < trailer.total_count == LINES, "it was resumed, not begun anew"
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_file_that_was_changed_between_its_parts_is_not_called_complete(
    compliance: str, tmp_path: Path, relay: Relay
) -> None:
    path = tmp_path / "changed.jsonl"
    relay.cut_after = 1_000_000
    with pytest.raises(ExportCut):
        export_to_file(relay.address, compliance, SESSION, path)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ExportDamaged, match="chain"):
        export_to_file(relay.address, compliance, SESSION, path)
    assert export_to_file(relay.address, compliance, SESSION, path).count == LINES


def test_a_cut_export_goes_on_only_with_the_same_request(compliance: str, tmp_path: Path, relay: Relay) -> None:
    path = tmp_path / "other.jsonl"
    relay.cut_after = 1_000_000
    with pytest.raises(ExportCut):
        export_to_file(relay.address, compliance, SESSION, path)
    with pytest.raises(ValueError, match="another request"):
        export_to_file(relay.address, compliance, ExportUserActionsRequest(session_id="other"), path)


def test_the_command_goes_on_with_what_was_begun_here(
    service: Service, compliance: str, tmp_path: Path, relay: Relay
) -> None:
    path = tmp_path / "either.jsonl"
    relay.cut_after = 1_000_000
    with pytest.raises(ExportCut):
        export_to_file(relay.address, compliance, SESSION, path)
    begun = path.stat().st_size
    said = service.command(
        "export", "--session-id", "py-export", "--output", str(path), "--resume", "--address", service.address
    )
    assert "4,000 records, complete" in said
    assert path.stat().st_size > begun > 0
    assert len(path.read_bytes().splitlines()) == LINES


def test_other_kinds_are_exported_too_and_a_refusal_is_raised(
    service: Service, compliance: str, bot: str, tmp_path: Path
) -> None:
    fills, changes = ExportFillsRequest(trade_id="none such"), ExportParameterChangesRequest(bot_slug="none such")
    assert export_to_file(service.address, compliance, fills, tmp_path / "fills").total_count == 0
    assert export_to_file(service.address, compliance, changes, tmp_path / "changes").total_count == 0
    with pytest.raises(grpc.RpcError, match="ROLE_NOT_ALLOWED"):
        export_to_file(service.address, bot, SESSION, tmp_path / "refused.jsonl")
