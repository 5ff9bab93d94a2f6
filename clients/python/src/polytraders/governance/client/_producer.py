"""One bidirectional stream of batches that survives cuts: a thread that sends what is in its queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Generic, Protocol, TypeVar

import grpc

from polytraders.governance.v1.error_reason_pb2 import ERROR_REASON_UNSPECIFIED, ErrorReason
from polytraders.governance.v1.user_activity_ledger_pb2 import StreamAck

from ._event_queue import EventQueue, Refusal
from .connection import Connection

log = logging.getLogger(__name__)

# As many as the service reads ahead: what is sent and not acknowledged, hence the memory this takes.
_batches_under_way = 8
_ack_within_s = 30.0
_first_pause_s = 0.2
_longest_pause_s = 5.0

Request = TypeVar("Request")


class Call(Protocol):
    """What is used of a call: its answers, and cutting it off."""

    def __iter__(self) -> Iterator[Any]: ...

    def cancel(self) -> bool: ...


@dataclass(frozen=True)
class StreamOf(Generic[Request]):
    """How one of the service's streams is opened and fed."""

    call: Callable[..., Call]
    open: Callable[[str], Request]
    batch: Callable[[int, bytes], Request]


@dataclass
class _Session:
    """One life of the stream. `sent` begins at the last offset whose ack was seen: the service may have more,
    but it says only in an ack what it refused; what it has is told by the event's id."""

    sent: int
    progress_s: float
    # Batches that are sent and not acknowledged.
    under_way: int = 0
    opened: bool = False
    over: bool = False


class Producer(Generic[Request]):
    """Sends as long as it is not closed. `on_refused` is called with each event that is refused."""

    def __init__(
        self,
        queue: EventQueue,
        of: StreamOf[Request],
        connection: Connection,
        on_refused: Callable[[bytes, Refusal], None],
    ) -> None:
        self._queue = queue
        self._of = of
        self._connection = connection
        self._on_refused = on_refused
        self._changed = threading.Condition()
        self._closing = False
        self._call: Call | None = None
        self._thread = threading.Thread(target=self._run, name=f"governance-{queue.stream_id}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._queue.waiting == 0, timeout_s)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if self._call is not None:
                self._call.cancel()
        self._thread.join()

    def _run(self) -> None:
        pause_s = _first_pause_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue.waiting > 0 or self._closing)
                if self._closing:
                    return
            before = self._queue.acknowledged
            try:
                self._send()
            except grpc.RpcError as error:
                if not self._closing:
                    log.warning("the stream %s was cut (%s); it goes on", self._queue.stream_id, error.details())
            except Exception:
                log.exception("the stream %s failed; it goes on", self._queue.stream_id)
            pause_s = _first_pause_s if self._queue.acknowledged > before else min(pause_s * 2, _longest_pause_s)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, pause_s)

    def _send(self) -> None:
        session = _Session(sent=self._queue.acknowledged, progress_s=time.monotonic())
        # grpc makes its connection only while somebody waits for a call: one that fails at once never lets it finish.
        call = self._of.call(self._requests(session), metadata=self._connection.metadata(), wait_for_ready=True)
        with self._changed:
            self._call = call
            if self._closing:
                call.cancel()
        try:
            for answer in call:
                if answer.HasField("ack"):
                    self._settle(answer.ack)
                with self._changed:
                    session.opened = True
                    session.progress_s = time.monotonic()
                    if answer.HasField("ack"):
                        session.under_way -= 1
                    self._changed.notify_all()
        finally:
            with self._changed:
                session.over = True
                self._call = None
                self._changed.notify_all()
            call.cancel()

    def _settle(self, ack: StreamAck) -> None:
        refusals = [
            Refusal(result.offset, _name(result.reason), result.field, result.message)
            for result in ack.results
            if result.reason != ERROR_REASON_UNSPECIFIED
        ]
        for body, refusal in self._queue.settle(ack.last_offset, refusals):
            log.error("the ledger refused an event: %s", refusal.message)
            self._on_refused(body, refusal)

    def _requests(self, session: _Session) -> Iterator[Request]:
        """Runs in a thread of grpc's."""
        yield self._of.open(self._queue.stream_id)
        while self._may_send(session):
            first, batch = self._queue.after(session.sent)
            session.sent = first + batch.items - 1
            with self._changed:
                session.under_way += 1
            yield self._of.batch(first, batch.body)

    def _may_send(self, session: _Session) -> bool:
        """Waits until a batch may go; false when the stream is over."""
        with self._changed:
            while not (session.over or self._closing):
                if session.opened and session.under_way < _batches_under_way and self._queue.last > session.sent:
                    return True
                expects = not session.opened or session.under_way > 0
                if expects and time.monotonic() - session.progress_s > _ack_within_s:
                    if self._call is not None:
                        self._call.cancel()
                    return False
                if not expects:
                    session.progress_s = time.monotonic()
                self._changed.wait(1.0)
            return False


def _name(reason: int) -> str:
    """Without its prefix; the number of one that is younger than this client."""
    known = ErrorReason.DESCRIPTOR.values_by_number.get(reason)
    return str(reason) if known is None else known.name[len("ERROR_REASON_") :]
