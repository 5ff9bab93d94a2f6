from google.protobuf import struct_pb2 as _struct_pb2
from polytraders.governance.v1 import parameter_change_auditor_pb2 as _parameter_change_auditor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConfigSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIG_SOURCE_UNSPECIFIED: _ClassVar[ConfigSource]
    CONFIG_SOURCE_DEFAULT: _ClassVar[ConfigSource]
    CONFIG_SOURCE_FILE: _ClassVar[ConfigSource]
    CONFIG_SOURCE_STORED: _ClassVar[ConfigSource]
CONFIG_SOURCE_UNSPECIFIED: ConfigSource
CONFIG_SOURCE_DEFAULT: ConfigSource
CONFIG_SOURCE_FILE: ConfigSource
CONFIG_SOURCE_STORED: ConfigSource

class GetBotConfigRequest(_message.Message):
    __slots__ = ("bot_id",)
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    bot_id: str
    def __init__(self, bot_id: _Optional[str] = ...) -> None: ...

class BotParameter(_message.Message):
    __slots__ = ("param_name", "value", "source", "default_value", "user_message", "warning")
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    USER_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    param_name: str
    value: _struct_pb2.Value
    source: ConfigSource
    default_value: _struct_pb2.Value
    user_message: str
    warning: str
    def __init__(self, param_name: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., source: _Optional[_Union[ConfigSource, str]] = ..., default_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., user_message: _Optional[str] = ..., warning: _Optional[str] = ...) -> None: ...

class GetBotConfigResponse(_message.Message):
    __slots__ = ("bot_id", "version", "parameters")
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    bot_id: str
    version: str
    parameters: _containers.RepeatedCompositeFieldContainer[BotParameter]
    def __init__(self, bot_id: _Optional[str] = ..., version: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[BotParameter, _Mapping]]] = ...) -> None: ...

class UpdateBotConfigRequest(_message.Message):
    __slots__ = ("bot_id", "param_name", "value", "editor_id", "ticket_ref")
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    PARAM_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EDITOR_ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_REF_FIELD_NUMBER: _ClassVar[int]
    bot_id: str
    param_name: str
    value: _struct_pb2.Value
    editor_id: str
    ticket_ref: str
    def __init__(self, bot_id: _Optional[str] = ..., param_name: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., editor_id: _Optional[str] = ..., ticket_ref: _Optional[str] = ...) -> None: ...

class UpdateBotConfigResponse(_message.Message):
    __slots__ = ("verdict", "parameter")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_FIELD_NUMBER: _ClassVar[int]
    verdict: _parameter_change_auditor_pb2.CheckWriteResponse
    parameter: BotParameter
    def __init__(self, verdict: _Optional[_Union[_parameter_change_auditor_pb2.CheckWriteResponse, _Mapping]] = ..., parameter: _Optional[_Union[BotParameter, _Mapping]] = ...) -> None: ...
