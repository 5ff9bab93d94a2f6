"""Exports into files: resumed where they were cut, checked against the service's trailer."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any, BinaryIO, Callable, Optional, Union

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from polytraders.governance.v1.access_log_pb2 import ExportAccessLogRequest
from polytraders.governance.v1.access_log_service_pb2_grpc import AccessLogServiceStub
from polytraders.governance.v1.export_pb2 import ExportTrailer
from polytraders.governance.v1.parameter_change_auditor_pb2 import ExportParameterChangesRequest
from polytraders.governance.v1.parameter_change_auditor_service_pb2_grpc import ParameterChangeAuditorServiceStub
from polytraders.governance.v1.user_activity_ledger_pb2 import ExportFillsRequest, ExportUserActionsRequest
from polytraders.governance.v1.user_activity_ledger_service_pb2_grpc import UserActivityLedgerServiceStub

from .connection import Connection, Token
from .errors import ExportCut, ExportDamaged

Request = Union[ExportUserActionsRequest, ExportFillsRequest, ExportParameterChangesRequest, ExportAccessLogRequest]
Path = Union[str, "os.PathLike[str]"]

# A crash costs at most these bytes; syncing each message would cost more.
_checkpoint_bytes = 8 * 1024 * 1024
_CUT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def export_to_file(target: Union[str, grpc.Channel], token: Token, request: Request, path: Path) -> ExportTrailer:
    """Writes what the request asks for into the file, and returns the trailer that it was checked against.

    Raises ExportCut when the stream was cut: `path.resume` then says where it stands, and the same call goes on.
    Raises ExportDamaged, and the service's own refusals as grpc.RpcError. A complete file is never written to:
    FileExistsError. Needs a token with the role compliance.
    """
    connection = Connection(target, token)
    try:
        with _File(os.fspath(path), request) as file:
            try:
                trailer = _receive(connection, request, file)
                _check_chain(trailer, file.path)
            except ExportDamaged:
                file.discard()
                raise
            file.complete()
            return trailer
    finally:
        connection.close()


class _File:
    """The file, and beside it its state, which names only bytes that are on disk. The state has the form of
    `governance export`, so that either goes on with what the other began."""

    def __init__(self, path: str, request: Request) -> None:
        self.path = path
        self._state = f"{path}.resume"
        self._what = _what(request)
        self.resume_token = ""
        self._bytes = 0
        self._unsynced = 0
        if os.path.exists(self._state):
            self._resume()
        elif os.path.exists(path):
            raise FileExistsError(f"{path} is a complete export, or none; choose another name")
        else:
            # Before the file is there: a file without a state is a complete one.
            self._write_state()
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        self._file.truncate(self._bytes)
        self._file.seek(self._bytes)

    def _resume(self) -> None:
        with open(self._state, encoding="utf-8") as state_file:
            state = json.load(state_file)
        if state["request"] != self._what:
            raise ValueError(f"{self.path} was begun with another request: {state['request']}")
        size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        if size < state["bytes"]:
            raise ValueError(f"{self.path} is shorter than {self._state} says; remove both to start anew")
        self.resume_token, self._bytes = state["resume_token"], state["bytes"]

    def write(self, jsonl: bytes, resume_token: str) -> None:
        self._file.write(jsonl)
        self._bytes += len(jsonl)
        self._unsynced += len(jsonl)
        self.resume_token = resume_token
        if self._unsynced >= _checkpoint_bytes:
            self.keep()

    def keep(self) -> None:
        """The next call can go on behind all that came."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._write_state()
        self._unsynced = 0

    def discard(self) -> None:
        """The next call begins at the start."""
        self.resume_token, self._bytes = "", 0
        self._write_state()

    def complete(self) -> None:
        os.remove(self._state)
        _sync_folder(self.path)

    def _write_state(self) -> None:
        state = {"request": self._what, "resume_token": self.resume_token, "bytes": self._bytes}
        with open(os.open(f"{self._state}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as new:
            new.write(json.dumps(state) + "\n")
            new.flush()
            os.fsync(new.fileno())
        os.replace(f"{self._state}.new", self._state)
        _sync_folder(self.path)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._file.close()


def _receive(connection: Connection, request: Request, file: _File) -> ExportTrailer:
    sha256, lines = hashlib.sha256(), 0
    trailer: Optional[ExportTrailer] = None
    try:
        stream = _stream(connection.channel, request)
        for part in stream(_with_token(request, file.resume_token), metadata=connection.metadata()):
            sha256.update(part.jsonl)
            lines += part.jsonl.count(b"\n")
            trailer = part.trailer if part.HasField("trailer") else None
            if part.jsonl:
                file.write(part.jsonl, part.resume_token)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.ABORTED:
            # What was promised is not there any more, or the log has a new epoch: no token goes on from here.
            file.discard()
            raise
        file.keep()
        if error.code() in _CUT:
            raise ExportCut(f"{error.details()}; {file.path} goes on with the same call") from error
        raise
    except BaseException:
        file.keep()
        raise
    file.keep()
    if trailer is None or not trailer.complete:
        raise ExportCut(f"the stream ended without its trailer; {file.path} goes on with the same call")
    if (trailer.count, trailer.sha256) != (lines, sha256.digest()):
        raise ExportDamaged(f"{lines} lines came whose count or SHA-256 is not the trailer's ({trailer.count})")
    return trailer


def _check_chain(trailer: ExportTrailer, path: str) -> None:
    chain, lines, whole = bytes(32), 0, True
    with open(path, "rb") as file:
        for line in file:
            whole = line.endswith(b"\n")
            chain, lines = hashlib.sha256(chain + line[:-1]).digest(), lines + 1
    if not whole or (trailer.total_count, trailer.chain_sha256) != (lines, chain):
        raise ExportDamaged(f"the {lines} lines of {path} do not make the trailer's chain of {trailer.total_count}")


def _stream(channel: grpc.Channel, request: Request) -> Callable[..., Iterable[Any]]:
    if isinstance(request, ExportUserActionsRequest):
        return UserActivityLedgerServiceStub(channel).ExportUserActions
    if isinstance(request, ExportFillsRequest):
        return UserActivityLedgerServiceStub(channel).ExportFills
    if isinstance(request, ExportParameterChangesRequest):
        return ParameterChangeAuditorServiceStub(channel).ExportParameterChanges
    return AccessLogServiceStub(channel).ExportAccessLog


# What `governance export` calls them in its state.
_names: dict[type[Message], str] = {
    ExportUserActionsRequest: "user_actions",
    ExportFillsRequest: "fills",
    ExportParameterChangesRequest: "parameter_changes",
    ExportAccessLogRequest: "access_log",
}


def _with_token(request: Request, resume_token: str) -> Request:
    asked = copy.deepcopy(request)
    asked.resume_token = resume_token
    return asked


def _what(request: Request) -> dict[str, object]:
    filters = MessageToDict(_with_token(request, ""), preserving_proto_field_name=True)
    return {_names[type(request)]: filters}


def _sync_folder(path: str) -> None:
    """Makes renamed and removed names durable."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
