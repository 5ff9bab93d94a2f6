from polytraders.governance.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogPosition(_message.Message):
    __slots__ = ("epoch", "position")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    position: int
    def __init__(self, epoch: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class StreamReportsRequest(_message.Message):
    __slots__ = ("topic", "after", "event_types", "bot")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    BOT_FIELD_NUMBER: _ClassVar[int]
    topic: str
    after: LogPosition
    event_types: _containers.RepeatedScalarFieldContainer[str]
    bot: str
    def __init__(self, topic: _Optional[str] = ..., after: _Optional[_Union[LogPosition, _Mapping]] = ..., event_types: _Optional[_Iterable[str]] = ..., bot: _Optional[str] = ...) -> None: ...

class StreamReportsResponse(_message.Message):
    __slots__ = ("at", "settlement", "operations")
    AT_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    at: LogPosition
    settlement: _report_pb2.SettlementReport
    operations: _report_pb2.OperationsReport
    def __init__(self, at: _Optional[_Union[LogPosition, _Mapping]] = ..., settlement: _Optional[_Union[_report_pb2.SettlementReport, _Mapping]] = ..., operations: _Optional[_Union[_report_pb2.OperationsReport, _Mapping]] = ...) -> None: ...
