from polytraders.governance.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogPosition(_message.Message):
    __slots__ = ("epoch", "position", "part")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    position: int
    part: int
    def __init__(self, epoch: _Optional[int] = ..., position: _Optional[int] = ..., part: _Optional[int] = ...) -> None: ...

class StreamReportsRequest(_message.Message):
    __slots__ = ("topic", "after", "event_types", "bot", "wallet", "from_now", "progress_seconds")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    BOT_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    FROM_NOW_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_SECONDS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    after: LogPosition
    event_types: _containers.RepeatedScalarFieldContainer[str]
    bot: str
    wallet: str
    from_now: bool
    progress_seconds: int
    def __init__(self, topic: _Optional[str] = ..., after: _Optional[_Union[LogPosition, _Mapping]] = ..., event_types: _Optional[_Iterable[str]] = ..., bot: _Optional[str] = ..., wallet: _Optional[str] = ..., from_now: bool = ..., progress_seconds: _Optional[int] = ...) -> None: ...

class StreamReportsResponse(_message.Message):
    __slots__ = ("at", "settlement", "operations", "omitted")
    AT_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    at: LogPosition
    settlement: _report_pb2.SettlementReport
    operations: _report_pb2.OperationsReport
    omitted: OmittedRecords
    def __init__(self, at: _Optional[_Union[LogPosition, _Mapping]] = ..., settlement: _Optional[_Union[_report_pb2.SettlementReport, _Mapping]] = ..., operations: _Optional[_Union[_report_pb2.OperationsReport, _Mapping]] = ..., omitted: _Optional[_Union[OmittedRecords, _Mapping]] = ...) -> None: ...

class OmittedRecords(_message.Message):
    __slots__ = ("first_position", "last_position", "records", "reason")
    FIRST_POSITION_FIELD_NUMBER: _ClassVar[int]
    LAST_POSITION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    first_position: int
    last_position: int
    records: int
    reason: str
    def __init__(self, first_position: _Optional[int] = ..., last_position: _Optional[int] = ..., records: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
