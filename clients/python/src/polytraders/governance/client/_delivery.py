"""Delivers the outbox in the background, again and again, until the service has it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

import grpc
from typing_extensions import TypedDict

from polytraders.governance.v1.parameter_change_auditor_pb2 import (
    WRITE_OUTCOME_ABORTED,
    WRITE_OUTCOME_APPLIED,
    CheckWriteRequest,
    ConfirmWriteRequest,
    RecordUngatedWriteRequest,
)
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub

from ._outbox import CONFIRM, NOT_MADE, UNGATED, Entry, Outbox
from .connection import Connection, Metadata

log = logging.getLogger(__name__)

_deadline_s = 2.0
_first_pause_s = 0.2
_longest_pause_s = 5.0
# A decision that the service holds in its own spool is not found until it is drained.
_not_found_for_s = 3600.0

_Code = grpc.StatusCode
_AWAY = {_Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED}
# The same message again cannot have another answer.
_FINAL = {_Code.INVALID_ARGUMENT, _Code.ALREADY_EXISTS, _Code.FAILED_PRECONDITION, _Code.OUT_OF_RANGE}


class _How(TypedDict):
    timeout: float
    metadata: Metadata
    wait_for_ready: bool


class Delivery:
    """A thread that runs while something is owed. write_ids make every repetition safe."""

    def __init__(self, outbox: Outbox, connection: Connection) -> None:
        self._outbox = outbox
        self._connection = connection
        self._stub = ParameterChangeAuditorServiceStub(connection.channel)
        # What the disk did not take; lost with the process.
        self.unkept: deque[Entry] = deque(maxlen=1000)
        self._changed = threading.Condition()
        self._news = outbox.owed() > 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="governance-delivery", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def owed(self) -> int:
        return self._outbox.owed() + len(self.unkept)

    def flush(self, timeout_s: float) -> bool:
        """Whether everything was delivered within the time."""
        self.wake()
        with self._changed:
            return self._changed.wait_for(lambda: self.owed() == 0, timeout_s)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause_s = _first_pause_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._news or self._closed)
                if self._closed:
                    return
                self._news = False
            try:
                done = self._pass()
            except _ServiceAway:
                done = False
            except Exception:
                log.exception("what is owed to the governance service could not be delivered; tried again")
                done = False
            with self._changed:
                self._changed.notify_all()
                if done:
                    pause_s = _first_pause_s
                    continue
                # Not woken by news: a service that is away is not asked more often for more that is owed.
                self._changed.wait_for(lambda: self._closed, pause_s)
                self._news = True
                pause_s = min(pause_s * 2, _longest_pause_s)

    def _pass(self) -> bool:
        """Tries each entry once, oldest first; true when nothing that was tried is left. Raises _ServiceAway."""
        done = True
        for _ in range(len(self.unkept)):
            if not self._try(self.unkept[0]):
                return False
            self.unkept.popleft()
        entry = self._outbox.next_after(0)
        while entry is not None and not self._closed:
            done = self._try(entry) and done
            entry = self._outbox.next_after(entry.id)
        return done

    def _try(self, entry: Entry) -> bool:
        try:
            self._deliver(entry)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            waited_s = time.time() - entry.kept_at
            if code in _AWAY:
                raise _ServiceAway from error
            if code in _FINAL or (code is _Code.NOT_FOUND and waited_s > _not_found_for_s):
                log.error("the governance service refuses what is owed (%s): %s", entry.kind, details)
                self._outbox.refuse(entry.id, f"{code.name}: {details}")
                return True
            log.warning("the governance service does not take what is owed yet (%s): %s", entry.kind, details)
            return False
        self._outbox.remove(entry.id)
        return True

    def _deliver(self, entry: Entry) -> None:
        if entry.kind == UNGATED:
            ungated = RecordUngatedWriteRequest.FromString(entry.body)
            recorded = self._stub.RecordUngatedWrite(ungated, **self._how())
            # A decision whose answer was lost stands in its place, and nobody has confirmed that.
            if recorded.replayed and entry.applied:
                self._confirm(ConfirmWriteRequest(decision_id=recorded.decision_id, outcome=WRITE_OUTCOME_APPLIED))
        elif entry.kind == NOT_MADE:
            # Asked again, as its decision's id was never heard: an allowed write that nobody made would count as made.
            answer = self._stub.CheckWrite(CheckWriteRequest.FromString(entry.body), **self._how())
            if answer.allowed:
                self._confirm(ConfirmWriteRequest(decision_id=answer.decision_id, outcome=WRITE_OUTCOME_ABORTED))
        else:
            assert entry.kind == CONFIRM
            self._confirm(ConfirmWriteRequest.FromString(entry.body))

    def _confirm(self, request: ConfirmWriteRequest) -> None:
        self._stub.ConfirmWrite(request, **self._how())

    def _how(self) -> _How:
        # grpc makes its connection only while somebody waits for a call: one that fails at once never lets it finish.
        return {"timeout": _deadline_s, "metadata": self._connection.metadata(), "wait_for_ready": True}


class _ServiceAway(Exception):
    pass
