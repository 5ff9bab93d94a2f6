"""The venue's trades, as py-clob-client-v2 and the user channel give them, as execution reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Optional

from google.protobuf.timestamp_pb2 import Timestamp

from polytraders.governance.v1.user_activity_ledger_pb2 import ExecutionReport

from ._json import exact_json

_nothing: Mapping[str, str] = {}
_prefix = "TRADE_STATUS_"
_wallet = re.compile("0x[0-9a-fA-F]{40}")


def reports_of_trade(
    trade: Mapping[str, object],
    *,
    api_key: str,
    trace_ids: Mapping[str, str] = _nothing,
    keep_raw: bool = True,
) -> list[ExecutionReport]:
    """One report for each of our orders in the trade, as one trade can be fills of several.

    `api_key` is ours, which the venue calls the owner; `trace_ids` maps order ids to the traces they were posted under.
    Decimal strings stay as they are; the whole trade goes into raw_json. Raises ValueError for a trade without its id,
    status or order ids, and for a time that is no number.
    """
    reports = []
    if _taken_by(trade, api_key):
        report = _report(trade, trade)
        report.order_id = _text(trade, "taker_order_id")
        report.size = _text(trade, "size")
        report.trader_side = "TAKER"
        reports.append(report)
    for order in _maker_orders(trade):
        if order.get("owner") != api_key:
            continue
        report = _report(trade, order)
        report.order_id = _text(order, "order_id")
        report.size = _text(order, "matched_amount")
        report.trader_side = "MAKER"
        reports.append(report)
    raw = exact_json(trade) if keep_raw and reports else None
    for report in reports:
        if not report.order_id:
            raise ValueError(f"trade {report.trade_id}: an order of ours has no id")
        report.trace_id = trace_ids.get(report.order_id, "")
        if raw is not None:
            report.raw_json = raw
    return reports


def reports_of_message(
    message: Mapping[str, object],
    *,
    api_key: str,
    trace_ids: Mapping[str, str] = _nothing,
    keep_raw: bool = True,
) -> list[ExecutionReport]:
    """reports_of_trade for a message of the user channel; none for one that is not about a trade."""
    if message.get("event_type", "trade") != "trade":
        return []
    return reports_of_trade(message, api_key=api_key, trace_ids=trace_ids, keep_raw=keep_raw)


def _taken_by(trade: Mapping[str, object], api_key: str) -> bool:
    # trader_side is ours; the owner of a trade in which we are a maker is whoever took it, or we ourselves.
    return trade.get("trader_side", "TAKER") == "TAKER" and api_key in (trade.get("owner"), trade.get("trade_owner"))


def _report(trade: Mapping[str, object], order: Mapping[str, object]) -> ExecutionReport:
    """What both kinds of fill have: of the trade, and of the order that was filled."""
    wallet = _text(order, "maker_address")
    return ExecutionReport(
        trade_id=_required(trade, "id"),
        status=_status(_required(trade, "status")),
        market=_text(trade, "market"),
        asset_id=_text(order, "asset_id"),
        side=_text(order, "side").upper(),
        price=_text(order, "price"),
        fee_rate_bps=_text(order, "fee_rate_bps"),
        outcome=_text(order, "outcome"),
        wallet=wallet if _wallet.fullmatch(wallet) else "",
        transaction_hash=_text(trade, "transaction_hash"),
        matched_at=_time(trade, "match_time", "matchtime"),
        updated_at=_time(trade, "last_update"),
    )


def _maker_orders(trade: Mapping[str, object]) -> list[Mapping[str, object]]:
    orders = trade.get("maker_orders")
    return [order for order in orders if isinstance(order, Mapping)] if isinstance(orders, (list, tuple)) else []


def _status(status: str) -> str:
    status = status.upper()
    return status[len(_prefix) :] if status.startswith(_prefix) else status


def _required(trade: Mapping[str, object], name: str) -> str:
    text = _text(trade, name)
    if not text:
        raise ValueError(f"a trade must have its {name}")
    return text


def _text(of: Mapping[str, object], name: str) -> str:
    """A string stays as it is; a number is written in plain digits, without an exponent."""
    value = of.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (float, Decimal)):
        return format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
    raise ValueError(f"{name} must be a string or a number, not {type(value).__name__}")


def _time(of: Mapping[str, object], *names: str) -> Optional[Timestamp]:
    """Seconds, or milliseconds from 10^11 on: as seconds that would be the year 5138."""
    text = next((text for text in (_text(of, name) for name in names) if text), "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,15}", text):
        raise ValueError(f"{names[0]} must be a time in seconds or milliseconds, not {text!r}")
    number = int(text)
    stamp = Timestamp()
    if number >= 10**11:
        stamp.FromMilliseconds(number)
    else:
        stamp.FromSeconds(number)
    return stamp
