"""A bot, from its start to its fills: what it does is recorded, what it changes is asked about first.

    pip install ./clients/python
    export GOVERNANCE_GRPC_ADDR=127.0.0.1:50051 GOVERNANCE_TOKEN=$(npx governance token --role bot)
    python clients/python/examples/bot.py

Its trades are a few recorded ones, in the form in which the venue's user channel tells them.
"""

from __future__ import annotations

import os
import sys
import uuid
from decimal import Decimal
from typing import Any

from polytraders.governance.client import ConfigError, Gate, Recorder, Refused, reports_of_message

BOT = "strategy.example"
OPERATOR = "operator@example"
WALLET = "0x00000000000000000000000000000000000000E1"
API_KEY = "5f7c2d1e-8a64-4f0b-9f0e-3c1d2b4a6978"
DELIVERED_WITHIN_S = 30.0


def tell_operator(text: str) -> None:
    print(text, flush=True)


def tell_refused(refused: Refused) -> None:
    tell_operator(f"NOT RECORDED: {refused.message}")


def change_order_size(gate: Gate, parameters: dict[str, Decimal], size: Decimal) -> None:
    """Changes the live parameter if the gate lets it."""
    before = parameters["order_size"]
    try:
        with gate.change(
            bot_slug=BOT, param_name="order_size", editor_id=OPERATOR, old_value=before, new_value=size
        ) as change:
            parameters["order_size"] = size
    except ConfigError as refused:
        tell_operator(
            f"order_size stays {before}: {refused.user_message} ({refused.reason_code}, {refused.decision_id})"
        )
        return
    if change.answer is None:
        tell_operator(
            f"order_size {before} -> {size}, without a verdict ({change.cause}); reported when the gate is back"
        )
    else:
        tell_operator(f"order_size {before} -> {size}: {change.answer.user_message} ({change.answer.decision_id})")


def main(spool_dir: str) -> int:
    address, token = os.environ["GOVERNANCE_GRPC_ADDR"], os.environ["GOVERNANCE_TOKEN"]
    session_id, trace_id = f"example-{uuid.uuid4()}", f"trace-{uuid.uuid4()}"
    parameters = {"order_size": Decimal("250.00")}
    with (
        Gate(address, token, spool_dir=spool_dir) as gate,
        Recorder(address, token, spool_dir=spool_dir, on_refused=tell_refused) as recorder,
    ):
        recorder.record_action(
            wallet=WALLET, session_id=session_id, action_type="STRATEGY_START", trace_id=trace_id, params={"bot": BOT}
        )
        tell_operator(f"{BOT} started in session {session_id}")

        change_order_size(gate, parameters, Decimal("300.50"))

        # A bot knows an order's trace from when it posted it; the venue does not.
        posted = {order_id: trace_id for order_id in ("0xa1", "0xb1", "0xb2")}
        for message in trades(session_id):
            fills = reports_of_message(message, api_key=API_KEY, trace_ids=posted)
            recorder.record_fills(fills)
            for fill in fills:
                tell_operator(f"{fill.status} {fill.side} {fill.size} at {fill.price}, order {fill.order_id}")

        if not (recorder.flush(DELIVERED_WITHIN_S) and gate.flush(DELIVERED_WITHIN_S)):
            tell_operator(
                f"{recorder.waiting()} events and {gate.owed()} writes wait on disk; the next start delivers them"
            )
            return 1
        tell_operator("all of it is on record")
    return 0


def trades(run: str) -> list[dict[str, Any]]:
    """Two trades and a later status of the first. Their ids are new in each run, as the venue's would be."""
    taken = {
        "event_type": "trade", "type": "TRADE", "id": f"{run}-1", "status": "MATCHED", "trader_side": "TAKER",
        "taker_order_id": "0xa1", "owner": API_KEY, "trade_owner": API_KEY, "market": "0xc0ffee", "side": "BUY",
        "asset_id": "71321045679252212594626385532706912750332728571942532289631379312455583992563",
        "size": "1137.19", "price": "0.914483", "fee_rate_bps": "0", "outcome": "No", "maker_orders": [],
        "match_time": "1770544865", "last_update": "1770544865", "timestamp": "1770544865123",
    }  # fmt: skip
    made = {
        **taken, "id": f"{run}-2", "trader_side": "MAKER", "taker_order_id": "0xffff", "owner": "somebody else",
        "maker_orders": [
            {"order_id": order_id, "owner": API_KEY, "maker_address": WALLET, "matched_amount": amount, "price": "0.69",
             "fee_rate_bps": "0", "asset_id": taken["asset_id"], "outcome": "No", "side": "SELL"}
            for order_id, amount in (("0xb1", "1666.11"), ("0xb2", "0.000001"))
        ],
    }  # fmt: skip
    confirmed = {**taken, "status": "CONFIRMED", "last_update": "1770544900", "transaction_hash": "0xa72b35738cad"}
    return [taken, made, confirmed]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "governance-spool"))
