import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from polytraders.governance.v1 import error_reason_pb2 as _error_reason_pb2
from polytraders.governance.v1 import export_pb2 as _export_pb2
from polytraders.governance.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_OUTCOME_UNSPECIFIED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_RECORDED: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_DUPLICATE: _ClassVar[RecordOutcome]
    RECORD_OUTCOME_BUFFERED: _ClassVar[RecordOutcome]

class LinkState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINK_STATE_UNSPECIFIED: _ClassVar[LinkState]
    LINK_STATE_LINKED: _ClassVar[LinkState]
    LINK_STATE_PENDING: _ClassVar[LinkState]
RECORD_OUTCOME_UNSPECIFIED: RecordOutcome
RECORD_OUTCOME_RECORDED: RecordOutcome
RECORD_OUTCOME_DUPLICATE: RecordOutcome
RECORD_OUTCOME_BUFFERED: RecordOutcome
LINK_STATE_UNSPECIFIED: LinkState
LINK_STATE_LINKED: LinkState
LINK_STATE_PENDING: LinkState

class UserAction(_message.Message):
    __slots__ = ("event_id", "wallet", "session_id", "action_type", "params", "trace_id", "params_json", "occurred_at", "session_seq")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_SEQ_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    wallet: str
    session_id: str
    action_type: str
    params: _struct_pb2.Struct
    trace_id: str
    params_json: str
    occurred_at: _timestamp_pb2.Timestamp
    session_seq: int
    def __init__(self, event_id: _Optional[str] = ..., wallet: _Optional[str] = ..., session_id: _Optional[str] = ..., action_type: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., trace_id: _Optional[str] = ..., params_json: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_seq: _Optional[int] = ...) -> None: ...

class RecordUserActionRequest(_message.Message):
    __slots__ = ("event_id", "wallet", "session_id", "action_type", "params", "trace_id", "params_json", "occurred_at", "session_seq")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_SEQ_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    wallet: str
    session_id: str
    action_type: str
    params: _struct_pb2.Struct
    trace_id: str
    params_json: str
    occurred_at: _timestamp_pb2.Timestamp
    session_seq: int
    def __init__(self, event_id: _Optional[str] = ..., wallet: _Optional[str] = ..., session_id: _Optional[str] = ..., action_type: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., trace_id: _Optional[str] = ..., params_json: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_seq: _Optional[int] = ...) -> None: ...

class RecordUserActionResponse(_message.Message):
    __slots__ = ("outcome", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: RecordOutcome
    report: _report_pb2.SettlementReport
    def __init__(self, outcome: _Optional[_Union[RecordOutcome, str]] = ..., report: _Optional[_Union[_report_pb2.SettlementReport, _Mapping]] = ...) -> None: ...

class StreamUserActionsRequest(_message.Message):
    __slots__ = ("open", "batch")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    open: StreamOpen
    batch: UserActionBatch
    def __init__(self, open: _Optional[_Union[StreamOpen, _Mapping]] = ..., batch: _Optional[_Union[UserActionBatch, _Mapping]] = ...) -> None: ...

class StreamOpen(_message.Message):
    __slots__ = ("stream_id",)
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    def __init__(self, stream_id: _Optional[str] = ...) -> None: ...

class UserActionBatch(_message.Message):
    __slots__ = ("first_offset", "actions")
    FIRST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    first_offset: int
    actions: _containers.RepeatedCompositeFieldContainer[UserAction]
    def __init__(self, first_offset: _Optional[int] = ..., actions: _Optional[_Iterable[_Union[UserAction, _Mapping]]] = ...) -> None: ...

class StreamUserActionsResponse(_message.Message):
    __slots__ = ("opened", "ack")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    ack: StreamAck
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., ack: _Optional[_Union[StreamAck, _Mapping]] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ("last_offset",)
    LAST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    last_offset: int
    def __init__(self, last_offset: _Optional[int] = ...) -> None: ...

class StreamAck(_message.Message):
    __slots__ = ("last_offset", "results", "offset_disagreement")
    LAST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    last_offset: int
    results: _containers.RepeatedCompositeFieldContainer[StreamEventResult]
    offset_disagreement: OffsetDisagreement
    def __init__(self, last_offset: _Optional[int] = ..., results: _Optional[_Iterable[_Union[StreamEventResult, _Mapping]]] = ..., offset_disagreement: _Optional[_Union[OffsetDisagreement, _Mapping]] = ...) -> None: ...

class StreamEventResult(_message.Message):
    __slots__ = ("offset", "event_id", "outcome", "reason", "field", "message")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    offset: int
    event_id: str
    outcome: RecordOutcome
    reason: _error_reason_pb2.ErrorReason
    field: str
    message: str
    def __init__(self, offset: _Optional[int] = ..., event_id: _Optional[str] = ..., outcome: _Optional[_Union[RecordOutcome, str]] = ..., reason: _Optional[_Union[_error_reason_pb2.ErrorReason, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class OffsetDisagreement(_message.Message):
    __slots__ = ("expected_offset", "received_offset")
    EXPECTED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_OFFSET_FIELD_NUMBER: _ClassVar[int]
    expected_offset: int
    received_offset: int
    def __init__(self, expected_offset: _Optional[int] = ..., received_offset: _Optional[int] = ...) -> None: ...

class ExecutionReport(_message.Message):
    __slots__ = ("fill_id", "trade_id", "order_id", "trace_id", "wallet", "status", "market", "asset_id", "side", "size", "price", "fee_rate_bps", "outcome", "trader_side", "transaction_hash", "matched_at", "updated_at", "raw_json")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_BPS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TRADER_SIDE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    MATCHED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    RAW_JSON_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    trade_id: str
    order_id: str
    trace_id: str
    wallet: str
    status: str
    market: str
    asset_id: str
    side: str
    size: str
    price: str
    fee_rate_bps: str
    outcome: str
    trader_side: str
    transaction_hash: str
    matched_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    raw_json: str
    def __init__(self, fill_id: _Optional[str] = ..., trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., wallet: _Optional[str] = ..., status: _Optional[str] = ..., market: _Optional[str] = ..., asset_id: _Optional[str] = ..., side: _Optional[str] = ..., size: _Optional[str] = ..., price: _Optional[str] = ..., fee_rate_bps: _Optional[str] = ..., outcome: _Optional[str] = ..., trader_side: _Optional[str] = ..., transaction_hash: _Optional[str] = ..., matched_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., raw_json: _Optional[str] = ...) -> None: ...

class RecordExecutionReportRequest(_message.Message):
    __slots__ = ("fill_id", "trade_id", "order_id", "trace_id", "wallet", "status", "market", "asset_id", "side", "size", "price", "fee_rate_bps", "outcome", "trader_side", "transaction_hash", "matched_at", "updated_at", "raw_json")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_BPS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TRADER_SIDE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    MATCHED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    RAW_JSON_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    trade_id: str
    order_id: str
    trace_id: str
    wallet: str
    status: str
    market: str
    asset_id: str
    side: str
    size: str
    price: str
    fee_rate_bps: str
    outcome: str
    trader_side: str
    transaction_hash: str
    matched_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    raw_json: str
    def __init__(self, fill_id: _Optional[str] = ..., trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., wallet: _Optional[str] = ..., status: _Optional[str] = ..., market: _Optional[str] = ..., asset_id: _Optional[str] = ..., side: _Optional[str] = ..., size: _Optional[str] = ..., price: _Optional[str] = ..., fee_rate_bps: _Optional[str] = ..., outcome: _Optional[str] = ..., trader_side: _Optional[str] = ..., transaction_hash: _Optional[str] = ..., matched_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., raw_json: _Optional[str] = ...) -> None: ...

class RecordExecutionReportResponse(_message.Message):
    __slots__ = ("outcome", "link_state", "linked_event_ids", "fill_id")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LINK_STATE_FIELD_NUMBER: _ClassVar[int]
    LINKED_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    outcome: RecordOutcome
    link_state: LinkState
    linked_event_ids: _containers.RepeatedScalarFieldContainer[str]
    fill_id: str
    def __init__(self, outcome: _Optional[_Union[RecordOutcome, str]] = ..., link_state: _Optional[_Union[LinkState, str]] = ..., linked_event_ids: _Optional[_Iterable[str]] = ..., fill_id: _Optional[str] = ...) -> None: ...

class StreamExecutionReportsRequest(_message.Message):
    __slots__ = ("open", "batch")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    open: StreamOpen
    batch: ExecutionReportBatch
    def __init__(self, open: _Optional[_Union[StreamOpen, _Mapping]] = ..., batch: _Optional[_Union[ExecutionReportBatch, _Mapping]] = ...) -> None: ...

class ExecutionReportBatch(_message.Message):
    __slots__ = ("first_offset", "reports")
    FIRST_OFFSET_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    first_offset: int
    reports: _containers.RepeatedCompositeFieldContainer[ExecutionReport]
    def __init__(self, first_offset: _Optional[int] = ..., reports: _Optional[_Iterable[_Union[ExecutionReport, _Mapping]]] = ...) -> None: ...

class StreamExecutionReportsResponse(_message.Message):
    __slots__ = ("opened", "ack")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    ack: StreamAck
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., ack: _Optional[_Union[StreamAck, _Mapping]] = ...) -> None: ...

class CloseAccountRequest(_message.Message):
    __slots__ = ("event_id", "wallet", "session_id")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    wallet: str
    session_id: str
    def __init__(self, event_id: _Optional[str] = ..., wallet: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class CloseAccountResponse(_message.Message):
    __slots__ = ("outcome", "report", "scrubbed", "scrubbed_records", "user_message", "scrubbed_identity", "receipt_id", "scrub_pending")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SCRUBBED_FIELD_NUMBER: _ClassVar[int]
    SCRUBBED_RECORDS_FIELD_NUMBER: _ClassVar[int]
    USER_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SCRUBBED_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_ID_FIELD_NUMBER: _ClassVar[int]
    SCRUB_PENDING_FIELD_NUMBER: _ClassVar[int]
    outcome: RecordOutcome
    report: _report_pb2.SettlementReport
    scrubbed: bool
    scrubbed_records: int
    user_message: str
    scrubbed_identity: str
    receipt_id: str
    scrub_pending: str
    def __init__(self, outcome: _Optional[_Union[RecordOutcome, str]] = ..., report: _Optional[_Union[_report_pb2.SettlementReport, _Mapping]] = ..., scrubbed: bool = ..., scrubbed_records: _Optional[int] = ..., user_message: _Optional[str] = ..., scrubbed_identity: _Optional[str] = ..., receipt_id: _Optional[str] = ..., scrub_pending: _Optional[str] = ...) -> None: ...

class ListUserActionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "wallet", "session_id", "trace_id", "action_type", "from_time", "to_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    wallet: str
    session_id: str
    trace_id: str
    action_type: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., wallet: _Optional[str] = ..., session_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., action_type: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListUserActionsResponse(_message.Message):
    __slots__ = ("actions", "next_page_token")
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[UserActionEntry]
    next_page_token: str
    def __init__(self, actions: _Optional[_Iterable[_Union[UserActionEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UserActionEntry(_message.Message):
    __slots__ = ("recorded_at", "action_type", "summary", "report")
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    recorded_at: _timestamp_pb2.Timestamp
    action_type: str
    summary: str
    report: _report_pb2.SettlementReport
    def __init__(self, recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., action_type: _Optional[str] = ..., summary: _Optional[str] = ..., report: _Optional[_Union[_report_pb2.SettlementReport, _Mapping]] = ...) -> None: ...

class ExportUserActionsRequest(_message.Message):
    __slots__ = ("resume_token", "wallet", "session_id", "trace_id", "action_type", "from_time", "to_time")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    wallet: str
    session_id: str
    trace_id: str
    action_type: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, resume_token: _Optional[str] = ..., wallet: _Optional[str] = ..., session_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., action_type: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportUserActionsResponse(_message.Message):
    __slots__ = ("jsonl", "resume_token", "trailer")
    JSONL_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    jsonl: bytes
    resume_token: str
    trailer: _export_pb2.ExportTrailer
    def __init__(self, jsonl: _Optional[bytes] = ..., resume_token: _Optional[str] = ..., trailer: _Optional[_Union[_export_pb2.ExportTrailer, _Mapping]] = ...) -> None: ...

class ListFillsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "fill_id", "trade_id", "order_id", "trace_id", "wallet", "from_time", "to_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    fill_id: str
    trade_id: str
    order_id: str
    trace_id: str
    wallet: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., fill_id: _Optional[str] = ..., trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., wallet: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListFillsResponse(_message.Message):
    __slots__ = ("fills", "next_page_token")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[FillEntry]
    next_page_token: str
    def __init__(self, fills: _Optional[_Iterable[_Union[FillEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FillEntry(_message.Message):
    __slots__ = ("fill_id", "recorded_at", "report", "linked_event_ids", "recorded_by", "retained_until", "epoch", "position")
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    LINKED_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    RECORDED_BY_FIELD_NUMBER: _ClassVar[int]
    RETAINED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    fill_id: str
    recorded_at: _timestamp_pb2.Timestamp
    report: ExecutionReport
    linked_event_ids: _containers.RepeatedScalarFieldContainer[str]
    recorded_by: str
    retained_until: str
    epoch: int
    position: int
    def __init__(self, fill_id: _Optional[str] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report: _Optional[_Union[ExecutionReport, _Mapping]] = ..., linked_event_ids: _Optional[_Iterable[str]] = ..., recorded_by: _Optional[str] = ..., retained_until: _Optional[str] = ..., epoch: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class ExportFillsRequest(_message.Message):
    __slots__ = ("resume_token", "fill_id", "trade_id", "order_id", "trace_id", "wallet", "from_time", "to_time")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILL_ID_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    WALLET_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    fill_id: str
    trade_id: str
    order_id: str
    trace_id: str
    wallet: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, resume_token: _Optional[str] = ..., fill_id: _Optional[str] = ..., trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., wallet: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExportFillsResponse(_message.Message):
    __slots__ = ("jsonl", "resume_token", "trailer")
    JSONL_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    jsonl: bytes
    resume_token: str
    trailer: _export_pb2.ExportTrailer
    def __init__(self, jsonl: _Optional[bytes] = ..., resume_token: _Optional[str] = ..., trailer: _Optional[_Union[_export_pb2.ExportTrailer, _Mapping]] = ...) -> None: ...

class ListSessionActivityRequest(_message.Message):
    __slots__ = ("session_id", "page_size", "page_token")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    page_size: int
    page_token: str
    def __init__(self, session_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSessionActivityResponse(_message.Message):
    __slots__ = ("entries", "next_page_token", "missing_session_seq")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MISSING_SESSION_SEQ_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[SessionEntry]
    next_page_token: str
    missing_session_seq: _containers.RepeatedCompositeFieldContainer[NumberRange]
    def __init__(self, entries: _Optional[_Iterable[_Union[SessionEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., missing_session_seq: _Optional[_Iterable[_Union[NumberRange, _Mapping]]] = ...) -> None: ...

class SessionEntry(_message.Message):
    __slots__ = ("action", "fill")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    action: UserActionEntry
    fill: FillEntry
    def __init__(self, action: _Optional[_Union[UserActionEntry, _Mapping]] = ..., fill: _Optional[_Union[FillEntry, _Mapping]] = ...) -> None: ...

class NumberRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class ListSessionGapsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "session_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    session_id: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class ListSessionGapsResponse(_message.Message):
    __slots__ = ("gaps", "next_page_token")
    GAPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    gaps: _containers.RepeatedCompositeFieldContainer[SessionGap]
    next_page_token: str
    def __init__(self, gaps: _Optional[_Iterable[_Union[SessionGap, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SessionGap(_message.Message):
    __slots__ = ("session_id", "missing", "detected_at", "reason_code")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    DETECTED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    missing: _containers.RepeatedCompositeFieldContainer[NumberRange]
    detected_at: _timestamp_pb2.Timestamp
    reason_code: str
    def __init__(self, session_id: _Optional[str] = ..., missing: _Optional[_Iterable[_Union[NumberRange, _Mapping]]] = ..., detected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason_code: _Optional[str] = ...) -> None: ...

class ListEventConflictsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "event_id", "from_time", "to_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    event_id: str
    from_time: _timestamp_pb2.Timestamp
    to_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., event_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., to_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListEventConflictsResponse(_message.Message):
    __slots__ = ("conflicts", "next_page_token")
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    conflicts: _containers.RepeatedCompositeFieldContainer[EventConflict]
    next_page_token: str
    def __init__(self, conflicts: _Optional[_Iterable[_Union[EventConflict, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class EventConflict(_message.Message):
    __slots__ = ("event_id", "recorded_report_id", "refused_at", "refused", "refused_from")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSED_AT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FROM_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    recorded_report_id: str
    refused_at: _timestamp_pb2.Timestamp
    refused: UserAction
    refused_from: str
    def __init__(self, event_id: _Optional[str] = ..., recorded_report_id: _Optional[str] = ..., refused_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refused: _Optional[_Union[UserAction, _Mapping]] = ..., refused_from: _Optional[str] = ...) -> None: ...
