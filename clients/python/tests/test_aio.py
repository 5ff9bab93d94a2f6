"""The same with asyncio, against the real service."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from conftest import Records
from polytraders.governance.client import ConfigError, aio
from polytraders.governance.v1.user_activity_ledger_pb2 import ExecutionReport, ExportUserActionsRequest
from service import Relay, Service


def test_a_change_is_asked_about_and_confirmed(service: Service, bot: str, spool: Path, records: Records) -> None:
    async def bot_runs() -> None:
        async with aio.Gate(service.address, bot, spool_dir=spool) as gate:
            async with gate.change(bot_slug="aio.change", param_name="x", editor_id="a", new_value=1) as change:
                assert change.answer is not None
            with pytest.raises(KeyError):
                async with gate.change(bot_slug="aio.change", param_name="y", editor_id="a", new_value=1):
                    raise KeyError
            with pytest.raises(ConfigError, match="AUDIT_TICKET_REQUIRED"):
                await gate.check_write(bot_slug="risk.aio", param_name="max_position_pusd", editor_id="a", new_value=1)

    asyncio.run(bot_runs())
    assert len(records.changes("aio.change")) == 2
    assert records.changes("aio.change", unconfirmed=True) == []


def test_a_task_that_is_cancelled_in_its_write_still_says_that_it_was_aborted(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    async def writes(gate: aio.Gate, begun: asyncio.Event) -> None:
        async with gate.change(bot_slug="aio.cancelled", param_name="x", editor_id="a", new_value=1):
            begun.set()
            await asyncio.sleep(60)

    async def bot_runs() -> None:
        async with aio.Gate(service.address, bot, spool_dir=spool) as gate:
            begun = asyncio.Event()
            task = asyncio.create_task(writes(gate, begun))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(bot_runs())
    assert len(records.changes("aio.cancelled")) == 1
    assert records.changes("aio.cancelled", unconfirmed=True) == []


def test_a_hundred_writes_proceed_together_while_the_service_is_frozen(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    async def bot_runs() -> None:
        async with aio.Gate(relay.address, bot, spool_dir=spool) as gate:
            await gate.check_write(bot_slug="aio.frozen", param_name="first", editor_id="a", new_value=0)
            relay.freeze()
            started = time.monotonic()
            asked = [
                gate.check_write(bot_slug="aio.frozen", param_name=f"p{n}", editor_id="a", new_value=n)
                for n in range(100)
            ]
            checked = await asyncio.gather(*asked)
            assert time.monotonic() - started < 5
            assert {each.cause for each in checked} == {"DEADLINE_EXCEEDED"}
            assert gate.owed() == 100
            relay.thaw()
            assert await gate.flush(60)

    asyncio.run(bot_runs())
    assert len(records.changes("aio.frozen")) == 101


def test_actions_and_fills_are_recorded_and_exported(
    service: Service, bot: str, spool: Path, tmp_path: Path, records: Records
) -> None:
    async def bot_runs() -> int:
        async with aio.Recorder(service.address, bot, spool_dir=spool) as recorder:
            action = recorder.record_action(
                wallet="0x" + 40 * "2", session_id="aio", action_type="STRATEGY_START", trace_id="aio-trace"
            )
            fills = recorder.record_fills([ExecutionReport(trade_id="aio", order_id="0x1", trace_id="aio-trace")])
            await asyncio.gather(action, fills)
            assert await recorder.flush(60)
        request = ExportUserActionsRequest(session_id="aio")
        token = service.token("compliance")
        return (await aio.export_to_file(service.address, token, request, tmp_path / "aio.jsonl")).total_count

    assert asyncio.run(bot_runs()) == 1
    assert len(records.fills("aio")[0].linked_event_ids) == 1
