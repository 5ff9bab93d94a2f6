"""Answers that the real service cannot be made to give: a server that says what the test wants, over a real socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message

from polytraders.governance.client import ConfigError, Gate
from polytraders.governance.v1 import parameter_change_auditor_pb2 as auditor
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import (
    ParameterChangeAuditorServiceServicer as Servicer,
)
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import (
    add_ParameterChangeAuditorServiceServicer_to_server as add_to_server,
)

OPENS_THE_GATE = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN"}
DECISION = "01M7YP4TE9FJ5R47J698GNCE4F"


class Scripted(Servicer):
    """Answers as it is set, and keeps what came. The methods that are not here answer UNIMPLEMENTED."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.verdict = auditor.CheckWriteResponse(allowed=True, decision_id=DECISION)
        self.came: list[Message] = []
        self.confirm_codes: list[grpc.StatusCode] = []

    def CheckWrite(self, request, context):  # type: ignore[no-untyped-def]
        self.came.append(request)
        if self.code is not None:
            context.abort(self.code, "as scripted")
        return self.verdict

    def RecordUngatedWrite(self, request, context):  # type: ignore[no-untyped-def]
        self.came.append(request)
        return auditor.RecordUngatedWriteResponse(decision_id=DECISION)

    def ConfirmWrite(self, request, context):  # type: ignore[no-untyped-def]
        self.came.append(request)
        if self.confirm_codes:
            context.abort(self.confirm_codes.pop(0), "as scripted")
        return auditor.ConfirmWriteResponse()

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.came if isinstance(message, kind)]


@pytest.fixture
def scripted() -> Iterator[tuple[Scripted, str]]:
    servicer = Scripted()  # type: ignore[abstract]
    server = grpc.server(ThreadPoolExecutor(4))
    add_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_five_codes_open_the_gate_and_no_other(scripted: tuple[Scripted, str], spool: Path) -> None:
    servicer, address = scripted
    opened = set()
    with Gate(address, "t", spool_dir=spool) as gate:
        for code in grpc.StatusCode:
            if code is grpc.StatusCode.OK:
                continue
            servicer.code = code
            try:
                assert gate.check_write(bot_slug="b", param_name="p", editor_id="e").cause == code.name
                opened.add(code.name)
            except grpc.RpcError as error:
                assert error.code() is code
        assert gate.flush(10)
    assert opened == OPENS_THE_GATE
    delivered = servicer.of(auditor.RecordUngatedWriteRequest)
    assert {message.cause for message in delivered} == OPENS_THE_GATE  # type: ignore[attr-defined]


def test_an_allowed_write_whose_record_is_nowhere_is_delivered(scripted: tuple[Scripted, str], spool: Path) -> None:
    servicer, address = scripted
    servicer.verdict.durability = auditor.DURABILITY_NOT_RECORDED
    with Gate(address, "t", spool_dir=spool) as gate:
        with gate.change(bot_slug="b", param_name="p", editor_id="e", new_value=1) as change:
            assert change.answer is not None
        assert gate.flush(10)
    [ungated] = servicer.of(auditor.RecordUngatedWriteRequest)
    assert (ungated.write_id, ungated.cause) == (change.write_id, "NOT_RECORDED")  # type: ignore[attr-defined]
    assert ungated.HasField("changed_at") and ungated.new_value_json == "1"  # type: ignore[attr-defined]


def test_a_refused_write_whose_record_is_nowhere_is_asked_again_never_reported_as_made(
    scripted: tuple[Scripted, str], spool: Path
) -> None:
    servicer, address = scripted
    servicer.verdict.allowed = False
    servicer.verdict.durability = auditor.DURABILITY_NOT_RECORDED
    with Gate(address, "t", spool_dir=spool) as gate:
        with pytest.raises(ConfigError) as raised:
            gate.check_write(bot_slug="b", param_name="p", editor_id="e")
        # The policy may have changed by now: what is allowed then was not made either.
        servicer.verdict.allowed = True
        assert gate.flush(10)
    asked = servicer.of(auditor.CheckWriteRequest)
    assert len(asked) >= 2
    assert {message.write_id for message in asked} == {raised.value.write_id}  # type: ignore[attr-defined]
    assert servicer.of(auditor.RecordUngatedWriteRequest) == []


def test_a_dry_run_leaves_nothing_whatever_is_answered(scripted: tuple[Scripted, str], spool: Path) -> None:
    servicer, address = scripted
    servicer.verdict = auditor.CheckWriteResponse(allowed=True, durability=auditor.DURABILITY_NOT_RECORDED)
    with Gate(address, "t", spool_dir=spool) as gate:
        with gate.change(bot_slug="b", param_name="p", editor_id="e", dry_run=True):
            assert gate.owed() == 0
        servicer.code = grpc.StatusCode.UNAVAILABLE
        assert gate.check_write(bot_slug="b", param_name="p", editor_id="e", dry_run=True).answer is None
        assert gate.owed() == 0
    assert servicer.of(auditor.ConfirmWriteRequest) == []


def test_a_confirmation_is_repeated_until_it_is_taken(scripted: tuple[Scripted, str], spool: Path) -> None:
    servicer, address = scripted
    Code = grpc.StatusCode
    # A decision in the spool of another replica is not found at first; tokens expire and are renewed.
    servicer.confirm_codes = [Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED]
    with Gate(address, "t", spool_dir=spool) as gate:
        with gate.change(bot_slug="b", param_name="p", editor_id="e"):
            started = time.monotonic()
        assert gate.flush(20) and gate.refused() == []
    assert len(servicer.of(auditor.ConfirmWriteRequest)) == 4
    assert time.monotonic() - started < 20
