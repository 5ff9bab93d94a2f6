import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from polytraders.governance.v1 import export_pb2 as _export_pb2
from polytraders.governance.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ALLOW: _ClassVar[Verdict]
    VERDICT_REJECT: _ClassVar[Verdict]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_SHADOW_ONLY: _ClassVar[Mode]
    MODE_ENFORCE: _ClassVar[Mode]

class TicketStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TICKET_STATUS_UNSPECIFIED: _ClassVar[TicketStatus]
    TICKET_STATUS_NOT_REQUIRED: _ClassVar[TicketStatus]
    TICKET_STATUS_ABSENT: _ClassVar[TicketStatus]
    TICKET_STATUS_PRESENT: _ClassVar[TicketStatus]
    TICKET_STATUS_VALID: _ClassVar[TicketStatus]
    TICKET_STATUS_INVALID: _ClassVar[TicketStatus]
    TICKET_STATUS_UNVERIFIED: _ClassVar[TicketStatus]

class Durability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DURABILITY_UNSPECIFIED: _ClassVar[Durability]
    DURABILITY_DURABLE: _ClassVar[Durability]
    DURABILITY_BUFFERED: _ClassVar[Durability]
    DURABILITY_NOT_RECORDED: _ClassVar[Durability]

class FieldChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIELD_CHANGE_KIND_UNSPECIFIED: _ClassVar[FieldChangeKind]
    FIELD_CHANGE_KIND_ADDED: _ClassVar[FieldChangeKind]
    FIELD_CHANGE_KIND_REMOVED: _ClassVar[FieldChangeKind]
    FIELD_CHANGE_KIND_CHANGED: _ClassVar[FieldChangeKind]

class WriteOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WRITE_OUTCOME_UNSPECIFIED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_APPLIED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_ABORTED: _ClassVar[WriteOutcome]

class ConfigBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIG_BASIS_UNSPECIFIED: _ClassVar[ConfigBasis]
    CONFIG_BASIS_ACCEPTED: _ClassVar[ConfigBasis]
    CONFIG_BASIS_CHANGED: _ClassVar[ConfigBasis]
VERDICT_UNSPECIFIED: Verdict
VERDICT_ALLOW: Verdict
VERDICT_REJECT: Verdict
MODE_UNSPECIFIED: Mode
MODE_SHADOW_ONLY: Mode
MODE_ENFORCE: Mode
TICKET_STATUS_UNSPECIFIED: TicketStatus
TICKET_STATUS_NOT_REQUIRED: TicketStatus
TICKET_STATUS_ABSENT: TicketStatus
TICKET_STATUS_PRESENT: TicketStatus
TICKET_STATUS_VALID: TicketStatus
TICKET_STATUS_INVALID: TicketStatus
TICKET_STATUS_UNVERIFIED: TicketStatus
DURABILITY_UNSPECIFIED: Durability
DURABILITY_DURABLE: Durability
DURABILITY_BUFFERED: Durability
DURABILITY_NOT_RECORDED: Durability
FIELD_CHANGE_KIND_UNSPECIFIED: FieldChangeKind
FIELD_CHANGE_KIND_ADDED: FieldChangeKind
FIELD_CHANGE_KIND_REMOVED: FieldChangeKind
FIELD_CHANGE_KIND_CHANGED: FieldChangeKind
WRITE_OUTCOME_UNSPECIFIED: WriteOutcome
WRITE_OUTCOME_APPLIED: WriteOutcome
WRITE_OUTCOME_ABORTED: WriteOutcome
CONFIG_BASIS_UNSPECIFIED: ConfigBasis
CONFIG_BASIS_ACCEPTED: ConfigBasis
CONFIG_BASIS_CHANGED: ConfigBasis

class FieldChange(_message.Message):
    __slots__ = ("path", "kind", "old_json", "new_json")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OLD_JSON_FIELD_NUMBER: _ClassVar[int]
    NEW_JSON_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: FieldChangeKind
    old_json: str
    new_json: str
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[_Union[FieldChangeKind, str]] = ..., old_json: _Optional[str] = ..., new_json: _Optional[str] = ...) -> None: ...

class CheckWriteRequest(_message.Message):
    __slots__ = ("bot_slug", "param_name", "old_value", "new_value", "editor_id", "ticket_ref", "environment", "write_id", "trace_id", "changed_at", "dry_run", "old_value_json", "new_value_json", "break_glass_reason")
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    WRITE_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    BREAK_GLASS_REASON_FIELD_NUMBER: _ClassVar[int]
    bot_slug: str
    param_name: str
    old_value: _struct_pb2.Value
    new_value: _struct_pb2.Value
    editor_id: str
    ticket_ref: str
    environment: str
    write_id: str
    trace_id: str
    changed_at: _timestamp_pb2.Timestamp
    dry_run: bool
    old_value_json: str
    new_value_json: str
    break_glass_reason: str
    def __init__(self, bot_slug: _Optional[str] = ..., param_name: _Optional[str] = ..., old_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., new_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., editor_id: _Optional[str] = ..., ticket_ref: _Optional[str] = ..., environment: _Optional[str] = ..., write_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dry_run: bool = ..., old_value_json: _Optional[str] = ..., new_value_json: _Optional[str] = ..., break_glass_reason: _Optional[str] = ...) -> None: ...

class CheckWriteResponse(_message.Message):
    __slots__ = ("allowed", "verdict", "mode", "reason_code", "user_message", "param_tier", "ticket_status", "durability", "decision_id", "policy_version", "diff", "report", "replayed", "diff_omitted", "ticket_problem")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    USER_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PARAM_TIER_FIELD_NUMBER: _ClassVar[int]
    TICKET_STATUS_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    DIFF_OMITTED_FIELD_NUMBER: _ClassVar[int]
    TICKET_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    verdict: Verdict
    mode: Mode
    reason_code: str
    user_message: str
    param_tier: str
    ticket_status: TicketStatus
    durability: Durability
    decision_id: str
    policy_version: str
    diff: _containers.RepeatedCompositeFieldContainer[FieldChange]
    report: _report_pb2.OperationsReport
    replayed: bool
    diff_omitted: int
    ticket_problem: str
    def __init__(self, allowed: bool = ..., verdict: _Optional[_Union[Verdict, str]] = ..., mode: _Optional[_Union[Mode, str]] = ..., reason_code: _Optional[str] = ..., user_message: _Optional[str] = ..., param_tier: _Optional[str] = ..., ticket_status: _Optional[_Union[TicketStatus, str]] = ..., durability: _Optional[_Union[Durability, str]] = ..., decision_id: _Optional[str] = ..., policy_version: _Optional[str] = ..., diff: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., report: _Optional[_Union[_report_pb2.OperationsReport, _Mapping]] = ..., replayed: bool = ..., diff_omitted: _Optional[int] = ..., ticket_problem: _Optional[str] = ...) -> None: ...

class ConfirmWriteRequest(_message.Message):
    __slots__ = ("decision_id", "outcome")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    outcome: WriteOutcome
    def __init__(self, decision_id: _Optional[str] = ..., outcome: _Optional[_Union[WriteOutcome, str]] = ...) -> None: ...

class ConfirmWriteResponse(_message.Message):
    __slots__ = ("outcome", "durability")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    outcome: WriteOutcome
    durability: Durability
    def __init__(self, outcome: _Optional[_Union[WriteOutcome, str]] = ..., durability: _Optional[_Union[Durability, str]] = ...) -> None: ...

class RecordUngatedWriteRequest(_message.Message):
    __slots__ = ("bot_slug", "param_name", "old_value", "new_value", "editor_id", "ticket_ref", "environment", "write_id", "trace_id", "changed_at", "old_value_json", "new_value_json", "cause")
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    WRITE_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    bot_slug: str
    param_name: str
    old_value: _struct_pb2.Value
    new_value: _struct_pb2.Value
    editor_id: str
    ticket_ref: str
    environment: str
    write_id: str
    trace_id: str
    changed_at: _timestamp_pb2.Timestamp
    old_value_json: str
    new_value_json: str
    cause: str
    def __init__(self, bot_slug: _Optional[str] = ..., param_name: _Optional[str] = ..., old_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., new_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., editor_id: _Optional[str] = ..., ticket_ref: _Optional[str] = ..., environment: _Optional[str] = ..., write_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., old_value_json: _Optional[str] = ..., new_value_json: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class RecordUngatedWriteResponse(_message.Message):
    __slots__ = ("durability", "decision_id", "report", "replayed")
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    durability: Durability
    decision_id: str
    report: _report_pb2.OperationsReport
    replayed: bool
    def __init__(self, durability: _Optional[_Union[Durability, str]] = ..., decision_id: _Optional[str] = ..., report: _Optional[_Union[_report_pb2.OperationsReport, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class ReconcileConfigRequest(_message.Message):
    __slots__ = ("bot_slug", "live_values", "environment")
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    LIVE_VALUES_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    bot_slug: str
    live_values: _containers.RepeatedCompositeFieldContainer[LiveValue]
    environment: str
    def __init__(self, bot_slug: _Optional[str] = ..., live_values: _Optional[_Iterable[_Union[LiveValue, _Mapping]]] = ..., environment: _Optional[str] = ...) -> None: ...

class LiveValue(_message.Message):
    __slots__ = ("param_name", "value", "value_json")
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    param_name: str
    value: _struct_pb2.Value
    value_json: str
    def __init__(self, param_name: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., value_json: _Optional[str] = ...) -> None: ...

class ReconcileConfigResponse(_message.Message):
    __slots__ = ("drifts", "compared")
    DRIFTS_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    drifts: _containers.RepeatedCompositeFieldContainer[ConfigDrift]
    compared: int
    def __init__(self, drifts: _Optional[_Iterable[_Union[ConfigDrift, _Mapping]]] = ..., compared: _Optional[int] = ...) -> None: ...

class ConfigDrift(_message.Message):
    __slots__ = ("param_name", "recorded_json", "live_json")
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    RECORDED_JSON_FIELD_NUMBER: _ClassVar[int]
    LIVE_JSON_FIELD_NUMBER: _ClassVar[int]
    param_name: str
    recorded_json: str
    live_json: str
    def __init__(self, param_name: _Optional[str] = ..., recorded_json: _Optional[str] = ..., live_json: _Optional[str] = ...) -> None: ...

class ListParameterChangesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "bot_slug", "param_name", "editor_id", "param_tier", "verdict", "ticket_ref", "unconfirmed", "from_time", "to_time", "ungated")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    PARAM_TIER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    UNGATED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    bot_slug: str
    param_name: str
    editor_id: str
    param_tier: str
    verdict: Verdict
    ticket_ref: str
    unconfirmed: bool
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    ungated: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., bot_slug: _Optional[str] = ..., param_name: _Optional[str] = ..., editor_id: _Optional[str] = ..., param_tier: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., ticket_ref: _Optional[str] = ..., unconfirmed: bool = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ungated: bool = ...) -> None: ...

class ListParameterChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ParameterChange]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[ParameterChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ParameterChange(_message.Message):
    __slots__ = ("allowed", "reason_code", "ticket_status", "policy_version", "diff", "report", "write_id", "diff_omitted", "ungated_cause", "automated", "break_glass_reason")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    TICKET_STATUS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    WRITE_ID_FIELD_NUMBER: _ClassVar[int]
    DIFF_OMITTED_FIELD_NUMBER: _ClassVar[int]
    UNGATED_CAUSE_FIELD_NUMBER: _ClassVar[int]
    AUTOMATED_FIELD_NUMBER: _ClassVar[int]
    BREAK_GLASS_REASON_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason_code: str
    ticket_status: TicketStatus
    policy_version: str
    diff: _containers.RepeatedCompositeFieldContainer[FieldChange]
    report: _report_pb2.OperationsReport
    write_id: str
    diff_omitted: int
    ungated_cause: str
    automated: bool
    break_glass_reason: str
    def __init__(self, allowed: bool = ..., reason_code: _Optional[str] = ..., ticket_status: _Optional[_Union[TicketStatus, str]] = ..., policy_version: _Optional[str] = ..., diff: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., report: _Optional[_Union[_report_pb2.OperationsReport, _Mapping]] = ..., write_id: _Optional[str] = ..., diff_omitted: _Optional[int] = ..., ungated_cause: _Optional[str] = ..., automated: bool = ..., break_glass_reason: _Optional[str] = ...) -> None: ...

class ExportParameterChangesRequest(_message.Message):
    __slots__ = ("resume_token", "bot_slug", "param_name", "editor_id", "param_tier", "verdict", "ticket_ref", "from_time", "to_time")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    PARAM_TIER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    bot_slug: str
    param_name: str
    editor_id: str
    param_tier: str
    verdict: Verdict
    ticket_ref: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, resume_token: _Optional[str] = ..., bot_slug: _Optional[str] = ..., param_name: _Optional[str] = ..., editor_id: _Optional[str] = ..., param_tier: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., ticket_ref: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportParameterChangesResponse(_message.Message):
    __slots__ = ("jsonl", "resume_token", "trailer")
    JSONL_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    jsonl: bytes
    resume_token: str
    trailer: _export_pb2.ExportTrailer
    def __init__(self, jsonl: _Optional[bytes] = ..., resume_token: _Optional[str] = ..., trailer: _Optional[_Union[_export_pb2.ExportTrailer, _Mapping]] = ...) -> None: ...

class GetConfigAsOfRequest(_message.Message):
    __slots__ = ("bot_slug", "time", "basis")
    BOT_SLUG_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    bot_slug: str
    time: _timestamp_pb2.Timestamp
    basis: ConfigBasis
    def __init__(self, bot_slug: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., basis: _Optional[_Union[ConfigBasis, str]] = ...) -> None: ...

class GetConfigAsOfResponse(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[ConfigValue]
    def __init__(self, values: _Optional[_Iterable[_Union[ConfigValue, _Mapping]]] = ...) -> None: ...

class ConfigValue(_message.Message):
    __slots__ = ("param_name", "value_json", "decision_id", "unconfirmed", "accepted_at")
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    param_name: str
    value_json: str
    decision_id: str
    unconfirmed: bool
    accepted_at: _timestamp_pb2.Timestamp
    def __init__(self, param_name: _Optional[str] = ..., value_json: _Optional[str] = ..., decision_id: _Optional[str] = ..., unconfirmed: bool = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListBreakGlassRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "reviewed_too")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_TOO_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    reviewed_too: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., reviewed_too: bool = ...) -> None: ...

class ListBreakGlassResponse(_message.Message):
    __slots__ = ("uses", "next_page_token")
    USES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    uses: _containers.RepeatedCompositeFieldContainer[BreakGlassUse]
    next_page_token: str
    def __init__(self, uses: _Optional[_Iterable[_Union[BreakGlassUse, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class BreakGlassUse(_message.Message):
    __slots__ = ("change", "review")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    change: ParameterChange
    review: BreakGlassReview
    def __init__(self, change: _Optional[_Union[ParameterChange, _Mapping]] = ..., review: _Optional[_Union[BreakGlassReview, _Mapping]] = ...) -> None: ...

class BreakGlassReview(_message.Message):
    __slots__ = ("reviewed_by", "reviewed_at", "comment")
    REVIEWED_BY_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_AT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    reviewed_by: str
    reviewed_at: _timestamp_pb2.Timestamp
    comment: str
    def __init__(self, reviewed_by: _Optional[str] = ..., reviewed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., comment: _Optional[str] = ...) -> None: ...

class ReviewBreakGlassRequest(_message.Message):
    __slots__ = ("decision_id", "comment")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    comment: str
    def __init__(self, decision_id: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class ReviewBreakGlassResponse(_message.Message):
    __slots__ = ("review",)
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    review: BreakGlassReview
    def __init__(self, review: _Optional[_Union[BreakGlassReview, _Mapping]] = ...) -> None: ...
