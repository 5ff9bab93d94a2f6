"""The same three for asyncio. The disk and the background work stay in threads; calls of the gate do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Callable, Optional

import grpc
import grpc.aio
from typing_extensions import Unpack

from polytraders.governance.v1.export_pb2 import ExportTrailer
from polytraders.governance.v1.parameter_change_auditor_pb2 import (
    WRITE_OUTCOME_ABORTED,
    WRITE_OUTCOME_APPLIED,
    CheckWriteRequest,
    ConfirmWriteRequest,
    WriteOutcome,
)
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub
from polytraders.governance.v1.user_activity_ledger_pb2 import ExecutionReport

from . import export, recorder
from ._disk import Folder
from ._settle import Checked, Settling
from .connection import Connection, Token, bearer, channel_options, connect
from .gate import VERDICT_WITHIN_S
from .write import Write, with_write_id, write_request

if TYPE_CHECKING:
    # Only the types of the generated code know a stub of its own for asyncio.
    from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import (
        ParameterChangeAuditorServiceAsyncStub,
    )


class Gate:
    """As the gate of threads. Make and use it in one event loop."""

    def __init__(
        self,
        address: str,
        token: Token,
        *,
        spool_dir: Folder,
        credentials: Optional[grpc.ChannelCredentials] = None,
    ) -> None:
        self._token = token
        self._channel = (
            grpc.aio.insecure_channel(address, options=channel_options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=channel_options)
        )
        self._background = connect(address, credentials)
        self._settling = Settling(Connection(self._background, token), spool_dir)
        self.stub: ParameterChangeAuditorServiceAsyncStub = ParameterChangeAuditorServiceStub(self._channel)

    async def check_write(self, **write: Unpack[Write]) -> Checked:
        return await self.check(write_request(write))

    async def check(self, request: CheckWriteRequest) -> Checked:
        return await self._check(request, held=False)

    @asynccontextmanager
    async def change(self, **write: Unpack[Write]) -> AsyncIterator[Checked]:
        checked = await self._check(write_request(write), held=True)
        try:
            yield checked
        except BaseException:
            # Shielded: a task that is cancelled still says that its write was aborted.
            await asyncio.shield(self._end(checked, applied=False))
            raise
        await asyncio.shield(self._end(checked, applied=True))

    async def confirm(self, decision_id: str, outcome: WriteOutcome) -> None:
        request = ConfirmWriteRequest(decision_id=decision_id, outcome=outcome)
        try:
            await self.stub.ConfirmWrite(request, timeout=VERDICT_WITHIN_S, metadata=bearer(self._token))
        except grpc.RpcError:
            await asyncio.to_thread(self._settling.confirm_later, decision_id, outcome)

    def owed(self) -> int:
        return self._settling.owed()

    def refused(self) -> list[tuple[str, bytes, str]]:
        return self._settling.refused()

    async def flush(self, timeout_s: float) -> bool:
        return await asyncio.to_thread(self._settling.flush, timeout_s)

    async def close(self) -> None:
        await asyncio.to_thread(self._settling.close)
        self._background.close()
        await self._channel.close()

    async def _check(self, request: CheckWriteRequest, held: bool) -> Checked:
        request = with_write_id(request)
        try:
            answer = await self.stub.CheckWrite(request, timeout=VERDICT_WITHIN_S, metadata=bearer(self._token))
        except grpc.RpcError as error:
            return await asyncio.to_thread(self._settling.unanswered, request, error, held)
        if self._settling.owes(request, answer):
            return await asyncio.to_thread(self._settling.answered, request, answer, held)
        return self._settling.answered(request, answer, held)

    async def _end(self, checked: Checked, applied: bool) -> None:
        if checked.entry is not None:
            await asyncio.to_thread(self._settling.ended, checked, applied)
        elif checked.answer is not None and checked.answer.decision_id:
            await self.confirm(checked.answer.decision_id, WRITE_OUTCOME_APPLIED if applied else WRITE_OUTCOME_ABORTED)

    async def __aenter__(self) -> Gate:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.close()


class Recorder:
    """As the recorder of threads; what waits for the disk or the service does not block the loop."""

    def __init__(
        self,
        address: str,
        token: Token,
        *,
        spool_dir: Folder,
        on_refused: Optional[Callable[[recorder.Refused], None]] = None,
    ) -> None:
        self.threaded = recorder.Recorder(address, token, spool_dir=spool_dir, on_refused=on_refused)

    async def record_action(self, **action: Unpack[recorder.Action]) -> str:
        message = recorder.user_action(action)
        await asyncio.to_thread(self.threaded.record_actions, [message])
        return message.event_id

    async def record_fills(self, reports: Iterable[ExecutionReport]) -> None:
        await asyncio.to_thread(self.threaded.record_fills, list(reports))

    async def flush(self, timeout_s: float) -> bool:
        return await asyncio.to_thread(self.threaded.flush, timeout_s)

    async def close(self) -> None:
        await asyncio.to_thread(self.threaded.close)

    async def __aenter__(self) -> Recorder:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.close()


async def export_to_file(address: str, token: Token, request: export.Request, path: export.Path) -> ExportTrailer:
    return await asyncio.to_thread(export.export_to_file, address, token, request, path)
