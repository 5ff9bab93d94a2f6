"""What follows from an answer of the gate, or from none: the part that is the same with and without asyncio."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Optional

import grpc

from polytraders.governance.v1.parameter_change_auditor_pb2 import (
    DURABILITY_NOT_RECORDED,
    CheckWriteRequest,
    CheckWriteResponse,
    ConfirmWriteRequest,
    WriteOutcome,
)

from ._delivery import Delivery
from ._disk import Folder
from ._outbox import CONFIRM, DISK_ERRORS, NOT_MADE, UNGATED, Entry, Outbox
from .connection import Connection
from .errors import ConfigError
from .write import ungated

log = logging.getLogger(__name__)

# The only codes that open the gate. Any other error is a mistake of the caller.
NO_VERDICT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True)
class Checked:
    """The write may proceed. Without a verdict `answer` is None and `cause` the status code that was seen."""

    request: CheckWriteRequest
    answer: Optional[CheckWriteResponse]
    cause: Optional[str]
    # What is owed for it, when the write is held until its end; 0: it is not on disk.
    entry: Optional[int] = None

    @property
    def write_id(self) -> str:
        return self.request.write_id


class Settling:
    """Settles answers and keeps what is owed. Blocks for the disk, and only where something is owed."""

    def __init__(self, connection: Connection, folder: Folder) -> None:
        self._outbox = Outbox(folder)
        self._connection = connection
        self._delivery = Delivery(self._outbox, connection)

    @staticmethod
    def owes(request: CheckWriteRequest, answer: CheckWriteResponse) -> bool:
        """Whether the verdict still has to be put on record, so that `answered` goes to the disk."""
        return answer.durability == DURABILITY_NOT_RECORDED and not request.dry_run

    def answered(self, request: CheckWriteRequest, answer: CheckWriteResponse, held: bool) -> Checked:
        """Raises ConfigError when the write may not proceed."""
        owes = self.owes(request, answer)
        if not answer.allowed:
            if owes:
                self._owe(NOT_MADE, request.SerializeToString())
            raise ConfigError(answer, request.write_id)
        if not owes:
            return Checked(request, answer, None)
        return self._made(request, answer, "NOT_RECORDED", held)

    def unanswered(self, request: CheckWriteRequest, error: grpc.RpcError, held: bool) -> Checked:
        """Raises the error unless it is one that opens the gate."""
        code = error.code()
        if code not in NO_VERDICT:
            raise error
        log.warning("no verdict on %s.%s (%s): it proceeds", request.bot_slug, request.param_name, code.name)
        if request.dry_run:
            return Checked(request, None, code.name)
        return self._made(request, None, code.name, held)

    def ended(self, checked: Checked, applied: bool) -> None:
        """A held write has ended: it was made, or it was not."""
        if checked.entry is None:
            return
        kind = UNGATED if applied else NOT_MADE
        body = None if applied else checked.request.SerializeToString()
        try:
            self._outbox.release(checked.entry, kind, body, applied)
        except DISK_ERRORS:
            log.exception("the end of %s could not be kept on disk", checked.write_id)
        self._delivery.wake()

    def confirm_later(self, decision_id: str, outcome: WriteOutcome) -> None:
        self._owe(CONFIRM, ConfirmWriteRequest(decision_id=decision_id, outcome=outcome).SerializeToString())

    def owed(self) -> int:
        return self._delivery.owed()

    def refused(self) -> list[tuple[str, bytes, str]]:
        return self._outbox.refused()

    def flush(self, timeout_s: float) -> bool:
        return self._delivery.flush(timeout_s)

    def close(self) -> None:
        self._delivery.close()
        self._outbox.close()
        self._connection.close()

    def _made(
        self, request: CheckWriteRequest, answer: Optional[CheckWriteResponse], cause: str, held: bool
    ) -> Checked:
        entry = self._owe(UNGATED, ungated(request, cause).SerializeToString(), held)
        return Checked(request, answer, cause, entry if held and entry else None)

    def _owe(self, kind: str, body: bytes, held: bool = False) -> int:
        entry = 0
        try:
            entry = self._outbox.put(kind, body, held)
        except DISK_ERRORS:
            # The write proceeds all the same: it must not fail because our disk does.
            log.exception("what is owed to the governance service is in memory only (%s)", kind)
            self._delivery.unkept.append(Entry(0, kind, body, False, time.time()))
        if not (held and entry):
            self._delivery.wake()
        return entry
