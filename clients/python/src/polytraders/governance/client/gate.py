"""The gate: asks before a configuration write."""

from __future__ import annotations

from types import TracebackType
from typing import Optional, Union

import grpc
from typing_extensions import Unpack

from polytraders.governance.v1.parameter_change_auditor_pb2 import (
    WRITE_OUTCOME_ABORTED,
    WRITE_OUTCOME_APPLIED,
    CheckWriteRequest,
    ConfirmWriteRequest,
    WriteOutcome,
)
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub

from ._disk import Folder
from ._settle import Checked, Settling
from .connection import Connection, Token
from .write import Write, with_write_id, write_request

VERDICT_WITHIN_S = 0.5


class Gate:
    """Safe to use from many threads. One per process and spool_dir.

    `target` is host:port (without TLS) or a channel of your own; `stub` is the generated client on it.
    """

    def __init__(self, target: Union[str, grpc.Channel], token: Token, *, spool_dir: Folder) -> None:
        self._connection = Connection(target, token)
        self._settling = Settling(self._connection, spool_dir)
        self.stub = ParameterChangeAuditorServiceStub(self._connection.channel)

    def check_write(self, **write: Unpack[Write]) -> Checked:
        """Asks, within 500 ms. Returns when the write may proceed; raises ConfigError when it may not.

        Without a verdict it may proceed, and its record is on disk until the service has it. An error that is
        the caller's own (a bad field, a bad token, a write_id used twice) is raised as the grpc.RpcError it is.
        """
        return self.check(write_request(write))

    def check(self, request: CheckWriteRequest) -> Checked:
        """check_write with the generated message."""
        return self._check(request, held=False)

    def change(self, **write: Unpack[Write]) -> Change:
        """`with gate.change(…):` around a write: asks, then confirms that it was applied, or aborted by an error."""
        return Change(self, write_request(write))

    def confirm(self, decision_id: str, outcome: WriteOutcome) -> None:
        """Says what became of a write; later, from disk, when the service does not take it now."""
        request = ConfirmWriteRequest(decision_id=decision_id, outcome=outcome)
        try:
            self.stub.ConfirmWrite(request, timeout=VERDICT_WITHIN_S, metadata=self._connection.metadata())
        except grpc.RpcError:
            self._settling.confirm_later(decision_id, outcome)

    def owed(self) -> int:
        """How many messages the service does not have yet."""
        return self._settling.owed()

    def refused(self) -> list[tuple[str, bytes, str]]:
        """What the service will never take: kind, message and why. Kept on disk for a person to see."""
        return self._settling.refused()

    def flush(self, timeout_s: float) -> bool:
        """Waits until the service has everything; false when it has not by then."""
        return self._settling.flush(timeout_s)

    def close(self) -> None:
        """What is still owed stays on disk for the next start."""
        self._settling.close()

    def _check(self, request: CheckWriteRequest, held: bool) -> Checked:
        request = with_write_id(request)
        metadata = self._connection.metadata()
        try:
            answer = self.stub.CheckWrite(request, timeout=VERDICT_WITHIN_S, metadata=metadata)
        except grpc.RpcError as error:
            return self._settling.unanswered(request, error, held)
        return self._settling.answered(request, answer, held)

    def _end(self, checked: Checked, applied: bool) -> None:
        if checked.entry is not None:
            self._settling.ended(checked, applied)
        elif checked.answer is not None and checked.answer.decision_id:
            self.confirm(checked.answer.decision_id, WRITE_OUTCOME_APPLIED if applied else WRITE_OUTCOME_ABORTED)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class Change:
    """One write under the gate; entered once."""

    def __init__(self, gate: Gate, request: CheckWriteRequest) -> None:
        self._gate = gate
        self._request = request
        self._checked: Optional[Checked] = None

    def __enter__(self) -> Checked:
        self._checked = self._gate._check(self._request, held=True)
        return self._checked

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        assert self._checked is not None
        self._gate._end(self._checked, applied=kind is None)
