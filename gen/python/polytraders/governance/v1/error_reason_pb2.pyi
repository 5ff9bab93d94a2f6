from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_TOKEN_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_NOT_ALLOWED: _ClassVar[ErrorReason]
    ERROR_REASON_WALLET_NOT_ALLOWED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_PUBLISHED: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_ID_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_WRITE_ID_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_BUDGET_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_SERVED: _ClassVar[ErrorReason]
    ERROR_REASON_GRPC_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_STREAM_SUPERSEDED: _ClassVar[ErrorReason]
    ERROR_REASON_EXPORT_CHANGED: _ClassVar[ErrorReason]
    ERROR_REASON_LOG_EPOCH_CHANGED: _ClassVar[ErrorReason]
    ERROR_REASON_LOG_BEHIND: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_LEGAL_HOLD: _ClassVar[ErrorReason]
    ERROR_REASON_RETENTION_BELOW_REGULATORY_MINIMUM: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_TOKEN_INVALID: ErrorReason
ERROR_REASON_TOKEN_EXPIRED: ErrorReason
ERROR_REASON_ROLE_NOT_ALLOWED: ErrorReason
ERROR_REASON_WALLET_NOT_ALLOWED: ErrorReason
ERROR_REASON_NOT_PUBLISHED: ErrorReason
ERROR_REASON_EVENT_ID_CONFLICT: ErrorReason
ERROR_REASON_WRITE_ID_CONFLICT: ErrorReason
ERROR_REASON_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_BUDGET_EXCEEDED: ErrorReason
ERROR_REASON_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_NOT_SERVED: ErrorReason
ERROR_REASON_GRPC_ONLY: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_STREAM_SUPERSEDED: ErrorReason
ERROR_REASON_EXPORT_CHANGED: ErrorReason
ERROR_REASON_LOG_EPOCH_CHANGED: ErrorReason
ERROR_REASON_LOG_BEHIND: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_LEGAL_HOLD: ErrorReason
ERROR_REASON_RETENTION_BELOW_REGULATORY_MINIMUM: ErrorReason
