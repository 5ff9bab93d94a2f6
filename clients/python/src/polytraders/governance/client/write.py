"""A configuration write, as the gate is asked about it."""

from __future__ import annotations

import uuid
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from typing_extensions import Required, TypedDict

from polytraders.governance.v1.parameter_change_auditor_pb2 import CheckWriteRequest, RecordUngatedWriteRequest

from ._json import exact_json


class Write(TypedDict, total=False):
    """The fields of CheckWriteRequest. A value that is left out is absent; None is JSON's null."""

    bot_slug: Required[str]
    param_name: Required[str]
    editor_id: Required[str]
    # Anything that exact_json takes; Decimal keeps its digits.
    old_value: object
    new_value: object
    ticket_ref: str
    environment: str
    # Made when left out: a UUID.
    write_id: str
    trace_id: str
    changed_at: datetime
    dry_run: bool
    break_glass_reason: str


def write_request(write: Write) -> CheckWriteRequest:
    """The generated message, with the values as exact text."""
    request = CheckWriteRequest(
        bot_slug=write["bot_slug"],
        param_name=write["param_name"],
        editor_id=write["editor_id"],
        ticket_ref=write.get("ticket_ref"),
        environment=write.get("environment"),
        write_id=write.get("write_id", ""),
        trace_id=write.get("trace_id", ""),
        dry_run=write.get("dry_run", False),
        break_glass_reason=write.get("break_glass_reason", ""),
    )
    if "old_value" in write:
        request.old_value_json = exact_json(write["old_value"])
    if "new_value" in write:
        request.new_value_json = exact_json(write["new_value"])
    if "changed_at" in write:
        request.changed_at.CopyFrom(timestamp(write["changed_at"]))
    return request


def with_write_id(request: CheckWriteRequest) -> CheckWriteRequest:
    """The request itself, or a copy that has a write_id: what is delivered later is known by it."""
    if request.write_id:
        return request
    named = CheckWriteRequest()
    named.CopyFrom(request)
    named.write_id = str(uuid.uuid4())
    return named


_asked_only = {"dry_run", "break_glass_reason"}


def ungated(request: CheckWriteRequest, cause: str) -> RecordUngatedWriteRequest:
    """The same write as made without a verdict, now if it does not say when."""
    made = RecordUngatedWriteRequest(cause=cause)
    for field, value in request.ListFields():
        if field.name in _asked_only:
            continue
        if field.message_type is not None:
            getattr(made, field.name).CopyFrom(value)
        else:
            setattr(made, field.name, value)
    if not made.HasField("changed_at"):
        made.changed_at.GetCurrentTime()
    return made


def timestamp(time: datetime) -> Timestamp:
    """Raises ValueError for a time without a zone: it would mean another moment on another machine."""
    if time.tzinfo is None:
        raise ValueError("a time must have a zone, e.g. datetime.now(timezone.utc)")
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
