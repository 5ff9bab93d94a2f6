from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ExportTrailer(_message.Message):
    __slots__ = ("count", "sha256", "total_count", "chain_sha256", "complete", "epoch", "through_position", "replicas_with_spooled_records")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHAIN_SHA256_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    THROUGH_POSITION_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_WITH_SPOOLED_RECORDS_FIELD_NUMBER: _ClassVar[int]
    count: int
    sha256: bytes
    total_count: int
    chain_sha256: bytes
    complete: bool
    epoch: int
    through_position: int
    replicas_with_spooled_records: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., sha256: _Optional[bytes] = ..., total_count: _Optional[int] = ..., chain_sha256: _Optional[bytes] = ..., complete: bool = ..., epoch: _Optional[int] = ..., through_position: _Optional[int] = ..., replicas_with_spooled_records: _Optional[_Iterable[str]] = ...) -> None: ...
