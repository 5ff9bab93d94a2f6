import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SettlementReport(_message.Message):
    __slots__ = ("report_id", "bot_id", "event_type", "wallet_address", "session_id", "action_type", "action_params", "trace_id", "recorded_at", "report_kind", "topic", "retained_until", "action_params_json", "inexact", "event_id", "occurred_at", "session_seq", "recorded_by", "fill_ids", "epoch", "position", "fill_id", "details_json", "user_message")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WALLET_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_PARAMS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    REPORT_KIND_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    RETAINED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    ACTION_PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    INEXACT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_SEQ_FIELD_NUMBER: _ClassVar[int]
    RECORDED_BY_FIELD_NUMBER: _ClassVar[int]
    FILL_IDS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    DETAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    USER_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    bot_id: str
    event_type: str
    wallet_address: str
    session_id: str
    action_type: str
    action_params: _struct_pb2.Struct
    trace_id: str
    recorded_at: _timestamp_pb2.Timestamp
    report_kind: str
    topic: str
    retained_until: str
    action_params_json: str
    inexact: _containers.RepeatedScalarFieldContainer[str]
    event_id: str
    occurred_at: _timestamp_pb2.Timestamp
    session_seq: int
    recorded_by: str
    fill_ids: _containers.RepeatedScalarFieldContainer[str]
    epoch: int
    position: int
    fill_id: str
    details_json: str
    user_message: str
    def __init__(self, report_id: _Optional[str] = ..., bot_id: _Optional[str] = ..., event_type: _Optional[str] = ..., wallet_address: _Optional[str] = ..., session_id: _Optional[str] = ..., action_type: _Optional[str] = ..., action_params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., trace_id: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report_kind: _Optional[str] = ..., topic: _Optional[str] = ..., retained_until: _Optional[str] = ..., action_params_json: _Optional[str] = ..., inexact: _Optional[_Iterable[str]] = ..., event_id: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_seq: _Optional[int] = ..., recorded_by: _Optional[str] = ..., fill_ids: _Optional[_Iterable[str]] = ..., epoch: _Optional[int] = ..., position: _Optional[int] = ..., fill_id: _Optional[str] = ..., details_json: _Optional[str] = ..., user_message: _Optional[str] = ...) -> None: ...

class OperationsReport(_message.Message):
    __slots__ = ("report_id", "bot_id", "event_type", "audited_bot", "param_name", "old_value", "new_value", "editor_id", "ticket_ref", "param_tier", "changed_at", "report_kind", "topic", "old_value_json", "new_value_json", "inexact", "environment", "decision_id", "claimed_changed_at", "trace_id", "recorded_by", "verdict", "mode", "epoch", "position", "automated", "masked_paths", "stale_old_value", "stale_against", "details_json", "user_message")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AUDITED_BOT_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    PARAM_TIER_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    REPORT_KIND_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_JSON_FIELD_NUMBER: _ClassVar[int]
    INEXACT_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_BY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AUTOMATED_FIELD_NUMBER: _ClassVar[int]
    MASKED_PATHS_FIELD_NUMBER: _ClassVar[int]
    STALE_OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    STALE_AGAINST_FIELD_NUMBER: _ClassVar[int]
    DETAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    USER_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    bot_id: str
    event_type: str
    audited_bot: str
    param_name: str
    old_value: _struct_pb2.Value
    new_value: _struct_pb2.Value
    editor_id: str
    ticket_ref: str
    param_tier: str
    changed_at: _timestamp_pb2.Timestamp
    report_kind: str
    topic: str
    old_value_json: str
    new_value_json: str
    inexact: _containers.RepeatedScalarFieldContainer[str]
    environment: str
    decision_id: str
    claimed_changed_at: _timestamp_pb2.Timestamp
    trace_id: str
    recorded_by: str
    verdict: str
    mode: str
    epoch: int
    position: int
    automated: bool
    masked_paths: _containers.RepeatedScalarFieldContainer[str]
    stale_old_value: bool
    stale_against: str
    details_json: str
    user_message: str
    def __init__(self, report_id: _Optional[str] = ..., bot_id: _Optional[str] = ..., event_type: _Optional[str] = ..., audited_bot: _Optional[str] = ..., param_name: _Optional[str] = ..., old_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., new_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., editor_id: _Optional[str] = ..., ticket_ref: _Optional[str] = ..., param_tier: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report_kind: _Optional[str] = ..., topic: _Optional[str] = ..., old_value_json: _Optional[str] = ..., new_value_json: _Optional[str] = ..., inexact: _Optional[_Iterable[str]] = ..., environment: _Optional[str] = ..., decision_id: _Optional[str] = ..., claimed_changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trace_id: _Optional[str] = ..., recorded_by: _Optional[str] = ..., verdict: _Optional[str] = ..., mode: _Optional[str] = ..., epoch: _Optional[int] = ..., position: _Optional[int] = ..., automated: bool = ..., masked_paths: _Optional[_Iterable[str]] = ..., stale_old_value: bool = ..., stale_against: _Optional[str] = ..., details_json: _Optional[str] = ..., user_message: _Optional[str] = ...) -> None: ...
