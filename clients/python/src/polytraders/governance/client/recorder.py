"""The recorder: user actions and execution reports, durable here until they are durable there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType
from typing import Callable, Optional, Union

import grpc
from typing_extensions import Required, TypedDict, Unpack

from polytraders.governance.v1.user_activity_ledger_pb2 import (
    ExecutionReport,
    ExecutionReportBatch,
    StreamExecutionReportsRequest,
    StreamOpen,
    StreamUserActionsRequest,
    UserAction,
    UserActionBatch,
)
from polytraders.governance.v1.user_activity_ledger_service_pb2_grpc import UserActivityLedgerServiceStub

from ._disk import Folder
from ._event_queue import EventQueue, Refusal
from ._frames import frames
from ._json import exact_json
from ._producer import Producer, StreamOf
from .connection import Connection, Token
from .write import timestamp

_default_spool_bytes = 1024 * 1024 * 1024


class Action(TypedDict, total=False):
    """The fields of UserAction."""

    wallet: Required[str]
    session_id: Required[str]
    action_type: Required[str]
    # Made when left out: a UUID.
    event_id: str
    # Anything that exact_json takes; Decimal keeps its digits.
    params: Mapping[str, object]
    trace_id: str
    # Now when left out.
    occurred_at: datetime
    session_seq: int


@dataclass(frozen=True)
class Refused:
    """An event that the service will never take. It stays on disk."""

    event: Union[UserAction, ExecutionReport]
    reason: str
    field: str
    message: str


def user_action(action: Action) -> UserAction:
    """The generated message, with what was left out made: once, so that a repetition is the same event."""
    message = UserAction(
        event_id=action.get("event_id") or str(uuid.uuid4()),
        wallet=action["wallet"],
        session_id=action["session_id"],
        action_type=action["action_type"],
        trace_id=action.get("trace_id", ""),
        occurred_at=timestamp(action.get("occurred_at") or datetime.now(timezone.utc)),
        session_seq=action.get("session_seq", 0),
    )
    if "params" in action:
        message.params_json = exact_json(action["params"])
    return message


class Recorder:
    """Safe to use from many threads. One per process and spool_dir.

    What a method took is on disk when it returns, and goes to the service in the background, in order, each event
    once, also after the process died. `on_refused` is called from a thread of the recorder's own. The methods raise
    SpoolFull when `max_spool_bytes` wait in one of the two files; `stub` is the generated client.
    """

    def __init__(
        self,
        target: Union[str, grpc.Channel],
        token: Token,
        *,
        spool_dir: Folder,
        on_refused: Optional[Callable[[Refused], None]] = None,
        max_spool_bytes: int = _default_spool_bytes,
    ) -> None:
        self._connection = Connection(target, token)
        self.stub = UserActivityLedgerServiceStub(self._connection.channel)
        self._on_refused = on_refused
        self._actions = EventQueue(spool_dir, "actions", max_spool_bytes, _action_at)
        self._fills = EventQueue(spool_dir, "fills", max_spool_bytes, _report_at)
        self._action_stream = Producer(
            self._actions,
            StreamOf(self.stub.StreamUserActions, _open_actions, _action_batch),
            self._connection,
            lambda body, refusal: self._refuse(_refused(UserAction.FromString(body), refusal)),
        )
        self._fill_stream = Producer(
            self._fills,
            StreamOf(self.stub.StreamExecutionReports, _open_reports, _report_batch),
            self._connection,
            lambda body, refusal: self._refuse(_refused(ExecutionReport.FromString(body), refusal)),
        )

    def record_action(self, **action: Unpack[Action]) -> str:
        """Records what a user did; returns its event_id."""
        message = user_action(action)
        self.record_actions([message])
        return message.event_id

    def record_actions(self, actions: Iterable[UserAction]) -> None:
        """Records generated messages, all or none, with one fsync. Each needs its event_id."""
        self._actions.append(frames(list(actions), _encode_actions))
        self._action_stream.wake()

    def record_fills(self, reports: Iterable[ExecutionReport]) -> None:
        """Records fills and later statuses of them (see reports_of_trade), all or none, with one fsync."""
        self._fills.append(frames(list(reports), _encode_reports))
        self._fill_stream.wake()

    def waiting(self) -> int:
        """How many events the service does not have yet."""
        return self._actions.waiting + self._fills.waiting

    def refused(self) -> list[Refused]:
        """What the service will never take, of this start and earlier ones."""
        actions = [_refused(UserAction.FromString(body), refusal) for body, refusal in self._actions.refused()]
        fills = [_refused(ExecutionReport.FromString(body), refusal) for body, refusal in self._fills.refused()]
        return actions + fills

    def flush(self, timeout_s: float) -> bool:
        """Waits until the service has everything; false when it has not by then."""
        return self._action_stream.flush(timeout_s) and self._fill_stream.flush(timeout_s)

    def close(self) -> None:
        """What the service does not have yet stays on disk for the next start; flush first to wait for it."""
        self._action_stream.close()
        self._fill_stream.close()
        self._actions.close()
        self._fills.close()
        self._connection.close()

    def _refuse(self, refused: Refused) -> None:
        if self._on_refused is not None:
            self._on_refused(refused)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _refused(event: Union[UserAction, ExecutionReport], refusal: Refusal) -> Refused:
    return Refused(event, refusal.reason, refusal.field, refusal.message)


def _open_actions(stream_id: str) -> StreamUserActionsRequest:
    return StreamUserActionsRequest(open=StreamOpen(stream_id=stream_id))


def _encode_actions(actions: Sequence[UserAction]) -> bytes:
    return UserActionBatch(actions=actions).SerializeToString()


def _action_at(body: bytes, index: int) -> bytes:
    return UserActionBatch.FromString(body).actions[index].SerializeToString()


def _action_batch(first_offset: int, body: bytes) -> StreamUserActionsRequest:
    request = StreamUserActionsRequest()
    request.batch.MergeFromString(body)
    request.batch.first_offset = first_offset
    return request


def _open_reports(stream_id: str) -> StreamExecutionReportsRequest:
    return StreamExecutionReportsRequest(open=StreamOpen(stream_id=stream_id))


def _encode_reports(reports: Sequence[ExecutionReport]) -> bytes:
    return ExecutionReportBatch(reports=reports).SerializeToString()


def _report_at(body: bytes, index: int) -> bytes:
    return ExecutionReportBatch.FromString(body).reports[index].SerializeToString()


def _report_batch(first_offset: int, body: bytes) -> StreamExecutionReportsRequest:
    request = StreamExecutionReportsRequest()
    request.batch.MergeFromString(body)
    request.batch.first_offset = first_offset
    return request
