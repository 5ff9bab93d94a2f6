"""The venue's trades as execution reports: alone, and through the real py-clob-client-v2 into the real service."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from py_clob_client_v2 import ApiCreds, ClobClient  # type: ignore[import-untyped]

from conftest import Records
from polytraders.governance.client import Recorder, reports_of_message, reports_of_trade
from polytraders.governance.v1.user_activity_ledger_pb2 import ExecutionReport
from service import Service

OURS = "9180014b-33c8-9240-a14b-bdca11c0a465"
THEIRS = "b0c1ff55-0000-4000-8000-000000000001"
ASSET = "52114319501245915516055106046884209969926127482827954674443846427813813222426"

TRADE: dict[str, object] = {
    "id": "28c4d2eb-bbea-40e7-a9f0-b2fdb56b2c2e",
    "taker_order_id": "0x06bc63e346ed4ceddce9efd6b3af37c8f8f440c92fe7da6b2d0f9e4ccbc50c42",
    "market": "0xbd31dc8a20211944f6b70f31557f1001557b59905b7738480ca09bd4532f84af",
    "asset_id": ASSET,
    "side": "BUY",
    "size": "10.190000000000000001",
    "fee_rate_bps": "0",
    "price": "0.570",
    "status": "TRADE_STATUS_MATCHED",
    "match_time": "1672290687",
    "last_update": "1672290687",
    "outcome": "YES",
    "bucket_index": 0,
    "owner": OURS,
    "maker_address": "0x78D9C1dc4D58C2d9CbE4e0bc9C8c1A0BCbAb0FF1",
    "maker_orders": [
        {
            "order_id": f"0xff35{n}", "owner": THEIRS, "maker_address": f"0x{n}" + 39 * "a",
            "side": "BUY", "outcome": "NO", "matched_amount": f"{n}.50", "price": "0.430", "fee_rate_bps": "10",
            "asset_id": ASSET[::-1],
        }
        for n in (1, 2)
    ],
    "transaction_hash": "0xff354cd7ca7539dfa9c28d90943ab5779a4eac9b9b37a777d7b32bdfb11790b7",
    "trader_side": "TAKER",
}  # fmt: skip


def as_maker() -> dict[str, object]:
    """The same trade as the owner of both maker orders sees it."""
    trade = copy.deepcopy(TRADE)
    trade["trader_side"] = "MAKER"
    trade["owner"] = THEIRS
    for order in trade["maker_orders"]:  # type: ignore[attr-defined]
        order["owner"] = OURS
    return trade


def of_channel(status: str, last_update: str) -> dict[str, object]:
    """The same trade as the user channel tells it: milliseconds, no prefix, a few fields more."""
    return {
        **TRADE, "event_type": "trade", "type": "TRADE", "status": status, "matchtime": "1672290687000",
        "match_time": None, "last_update": last_update, "timestamp": last_update, "trade_owner": OURS,
    }  # fmt: skip


def test_what_we_took_is_one_fill_of_the_taker_order_digit_for_digit() -> None:
    [report] = reports_of_trade(TRADE, api_key=OURS, trace_ids={str(TRADE["taker_order_id"]): "trc"})
    assert report.trade_id == TRADE["id"] and report.order_id == TRADE["taker_order_id"]
    assert (report.trace_id, report.trader_side, report.side, report.status) == ("trc", "TAKER", "BUY", "MATCHED")
    assert (report.size, report.price, report.asset_id) == ("10.190000000000000001", "0.570", ASSET)
    assert report.wallet == TRADE["maker_address"], "in the form it came"
    assert report.matched_at.seconds == 1672290687 and report.matched_at.nanos == 0
    assert json.loads(report.raw_json) == TRADE


def test_one_trade_is_a_fill_of_each_of_our_maker_orders() -> None:
    reports = reports_of_trade(as_maker(), api_key=OURS)
    assert [(it.order_id, it.size, it.price, it.fee_rate_bps) for it in reports] == [
        ("0xff351", "1.50", "0.430", "10"),
        ("0xff352", "2.50", "0.430", "10"),
    ]
    assert {(it.trader_side, it.side, it.outcome, it.asset_id) for it in reports} == {
        ("MAKER", "BUY", "NO", ASSET[::-1])
    }
    assert [it.wallet for it in reports] == ["0x1" + 39 * "a", "0x2" + 39 * "a"]


def test_a_trade_in_which_nothing_is_ours_is_no_fill() -> None:
    assert reports_of_trade(TRADE, api_key="somebody") == []
    assert reports_of_message({"event_type": "order", "id": "0x1", "type": "PLACEMENT"}, api_key=OURS) == []


@pytest.mark.parametrize("status", ["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"])
def test_statuses_come_with_and_without_their_prefix(status: str) -> None:
    for form in (status, f"TRADE_STATUS_{status}", status.lower()):
        [report] = reports_of_trade({**TRADE, "status": form}, api_key=OURS)
        assert report.status == status


@pytest.mark.parametrize(
    ("told", "seconds", "nanos"),
    [
        ("1672290687", 1672290687, 0),
        (1672290687, 1672290687, 0),
        ("1672290687123", 1672290687, 123_000_000),
        (1672290687123, 1672290687, 123_000_000),
    ],
)
def test_times_come_in_seconds_and_in_milliseconds(told: object, seconds: int, nanos: int) -> None:
    [report] = reports_of_trade({**TRADE, "last_update": told}, api_key=OURS)
    assert (report.updated_at.seconds, report.updated_at.nanos) == (seconds, nanos)


def test_a_number_where_a_string_belongs_is_written_without_an_exponent() -> None:
    [report] = reports_of_trade({**TRADE, "price": 1e-7, "size": 5}, api_key=OURS)
    assert (report.price, report.size) == ("0.0000001", "5")


@pytest.mark.parametrize("missing", ["id", "status", "taker_order_id"])
def test_a_trade_that_cannot_be_named_raises(missing: str) -> None:
    with pytest.raises(ValueError, match="order of ours" if missing == "taker_order_id" else missing):
        reports_of_trade({**TRADE, missing: ""}, api_key=OURS)
    with pytest.raises(ValueError, match="last_update"):
        reports_of_trade({**TRADE, "last_update": "yesterday"}, api_key=OURS)


@pytest.fixture
def venue() -> Iterator[str]:
    """Answers /data/trades as the venue does, in two pages."""

    class Venue(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first = "next_cursor=MA" in self.path
            page = {"data": [TRADE if first else as_maker()], "next_cursor": "MQ==" if first else "LTE="}
            body = json.dumps(page).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Venue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.filterwarnings("default")  # What py-clob-client-v2 and its own libraries warn of is theirs.
def test_what_py_clob_client_reads_and_the_user_channel_tells_is_recorded_fill_by_fill(
    service: Service, bot: str, spool: Path, records: Records, venue: str
) -> None:
    creds = ApiCreds(api_key=OURS, api_secret="c2VjcmV0", api_passphrase="p")
    client = ClobClient(host=venue, chain_id=137, key="0x" + 64 * "1", creds=creds)
    trades = client.get_trades()
    assert len(trades) == 2
    with Recorder(service.address, bot, spool_dir=spool) as recorder:
        for trade in trades:
            recorder.record_fills(reports_of_trade(trade, api_key=OURS))
        for status, time in (
            ("MINED", "1672290700000"),
            ("CONFIRMED", "1672290800000"),
            ("CONFIRMED", "1672290800000"),
        ):
            recorder.record_fills(reports_of_message(of_channel(status, time), api_key=OURS))
        assert recorder.flush(60) and recorder.refused() == []
    history: dict[str, list[str]] = {}
    for entry in reversed(records.fills(str(TRADE["id"]))):
        history.setdefault(entry.report.order_id, []).append(entry.report.status)
    assert history == {
        TRADE["taker_order_id"]: ["MATCHED", "MINED", "CONFIRMED"],
        "0xff351": ["MATCHED"],
        "0xff352": ["MATCHED"],
    }
    assert isinstance(entry.report, ExecutionReport)
