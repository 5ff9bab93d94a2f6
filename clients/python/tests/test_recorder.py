"""The recorder, against the real service."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import grpc
import pytest

from conftest import Records
from polytraders.governance.client import Recorder, SpoolFull, SpoolInUse, user_action
from polytraders.governance.v1.user_activity_ledger_pb2 import (
    ExecutionReport,
    StreamUserActionsRequest,
    StreamUserActionsResponse,
    UserAction,
)
from service import Relay, Service

DELIVERED_WITHIN_S = 60.0
WALLET = "0xDeadBeef00000000000000000000000000000001"


def test_actions_and_fills_are_recorded_exactly_and_linked(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    with Recorder(service.address, bot, spool_dir=spool) as recorder:
        event_id = recorder.record_action(
            wallet=WALLET, session_id="py-exact", action_type="STRATEGY_START", trace_id="py-trace",
            params={
                "size": Decimal("1.10"), "large": Decimal("1e400"), "id": 2**63,
                "text": 'ü"\n\u2028', "nested": [{}, None],
            },
        )  # fmt: skip
        fill = ExecutionReport(
            trade_id="py-exact", order_id="0xe", trace_id="py-trace", size="1137.190000000000000001", price="0.9"
        )
        recorder.record_fills([fill])
        assert recorder.flush(DELIVERED_WITHIN_S)
    [action] = records.actions("py-exact")
    assert action.event_id == event_id and action.wallet_address == WALLET
    assert (
        action.action_params_json
        == '{"size":1.10,"large":1E+400,"id":9223372036854775808,"text":"ü\\"\\n\u2028","nested":[{},null]}'
    )
    [entry] = records.fills("py-exact")
    assert entry.report.size == "1137.190000000000000001" and list(entry.linked_event_ids) == [event_id]


def test_a_stream_that_is_cut_again_and_again_loses_and_doubles_nothing(
    bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    recorded = [f"py-cut-{number}" for number in range(6000)]
    cuts = 0
    with Recorder(relay.address, bot, spool_dir=spool) as recorder:
        relay.freeze()
        for first in range(0, len(recorded), 300):
            recorder.record_actions(_actions("py-cut", recorded[first : first + 300]))
        relay.thaw()
        waiting = recorder.waiting()
        while waiting > 0:
            # In the middle: some are acknowledged since the last cut, some are sent, some are not.
            until = time.monotonic() + DELIVERED_WITHIN_S
            while recorder.waiting() >= waiting:
                assert time.monotonic() < until
                time.sleep(0.001)
            relay.drop()
            cuts += 1
            waiting = recorder.waiting()
        assert recorder.refused() == []
    assert cuts > 3
    assert sorted(report.event_id for report in records.actions("py-cut")) == sorted(recorded)


def test_what_was_taken_before_the_process_was_killed_is_recorded_by_the_next_start(
    service: Service, bot: str, spool: Path, records: Records, relay: Relay
) -> None:
    program = (
        "import sys; from polytraders.governance.client import Recorder\n"
        "address, token, spool = sys.argv[1:]\n"
        "recorder = Recorder(address, token, spool_dir=spool)\n"
        f"action = dict(wallet='{WALLET}', session_id='py-kill', action_type='HALT')\n"
        "while True: print(recorder.record_action(**action), flush=True)\n"
    )
    taken: list[str] = []
    # Once while the service takes events, once while it is away, in turns.
    for life in range(4):
        if life % 2 == 1:
            relay.cut()
        process = subprocess.Popen(
            [sys.executable, "-c", program, relay.address, bot, spool], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        taken += [process.stdout.readline().strip() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        # What it printed before it died was on disk before that.
        taken += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
        if life % 2 == 1:
            relay.mend()
    with Recorder(service.address, bot, spool_dir=spool) as recorder:
        assert recorder.flush(DELIVERED_WITHIN_S)
    on_record = [report.event_id for report in records.actions("py-kill")]
    assert len(on_record) == len(set(on_record))
    assert set(taken) <= set(on_record)
    # At most the one that each life had taken and not yet printed.
    assert len(on_record) <= len(taken) + 4


def test_an_event_that_is_refused_is_kept_apart_and_its_neighbours_are_recorded(
    service: Service, bot: str, spool: Path, records: Records
) -> None:
    told: list[str] = []
    actions = _actions("py-refused", ["py-refused-1", "py-refused-2", "py-refused-3"])
    actions[1].wallet = "nope"
    with Recorder(service.address, bot, spool_dir=spool, on_refused=lambda it: told.append(it.field)) as recorder:
        recorder.record_actions(actions)
        assert recorder.flush(DELIVERED_WITHIN_S)
    with Recorder(service.address, bot, spool_dir=spool) as recorder:
        [refused] = recorder.refused()
    assert told == [refused.field] == ["actions[1].wallet"]
    assert isinstance(refused.event, UserAction) and refused.event.event_id == "py-refused-2"
    assert refused.reason == "INVALID_FIELD" and "0x and 40 hexadecimal digits" in refused.message
    assert [report.event_id for report in records.actions("py-refused")] == ["py-refused-3", "py-refused-1"]


def test_an_event_that_is_refused_for_a_reason_younger_than_the_client_is_kept_apart_too(spool: Path) -> None:
    def answers(requests: Iterator[StreamUserActionsRequest], _: object) -> Iterator[StreamUserActionsResponse]:
        for request in requests:
            answer = StreamUserActionsResponse()
            if request.HasField("open"):
                answer.opened.last_offset = 0
            else:
                answer.ack.last_offset = 1
                # Field 4, the reason: 9999.
                answer.ack.results.add(offset=1).MergeFromString(b"\x20\x8f\x4e")
            yield answer

    handler = grpc.stream_stream_rpc_method_handler(
        answers, StreamUserActionsRequest.FromString, StreamUserActionsResponse.SerializeToString
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "polytraders.governance.v1.UserActivityLedgerService", {"StreamUserActions": handler}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Recorder(f"127.0.0.1:{port}", "token", spool_dir=spool) as recorder:
        recorder.record_actions(_actions("py-newer", ["py-newer"]))
        assert recorder.flush(DELIVERED_WITHIN_S)
        assert [refused.reason for refused in recorder.refused()] == ["9999"]
    server.stop(None)


def test_the_same_event_twice_is_recorded_once_also_from_another_spool(
    service: Service, bot: str, tmp_path: Path, records: Records
) -> None:
    first, second = _actions("py-twice", ["py-twice-1", "py-twice-2"])
    for spool in ("one", "two"):
        # A new spool counts its offsets from 1 again; they must not be taken for those of the old one.
        with Recorder(service.address, bot, spool_dir=tmp_path / spool) as recorder:
            recorder.record_actions([first, second, first, *_actions("py-twice", [f"py-twice-{spool}"])])
            assert recorder.flush(DELIVERED_WITHIN_S) and recorder.refused() == []
    assert len(records.actions("py-twice")) == 4


def test_a_backlog_of_fifty_megabytes_does_not_come_into_memory(
    bot: str, spool: Path, relay: Relay, service: Service
) -> None:
    program = (
        "import resource, sys, time; from polytraders.governance.client import Recorder, user_action\n"
        "address, token, spool = sys.argv[1:]\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "def batch(n): return [user_action(dict(wallet='0x' + 40 * '0', session_id='py-large', action_type='HALT',\n"
        "  params={'text': 10_000 * 'x', 'n': n})) for _ in range(500)]\n"
        "with Recorder(address, token, spool_dir=spool) as recorder:\n"
        "    recorder.record_actions(batch(0))\n"
        "    recorder.flush(30)\n"
        "    before = peak()\n"
        "    print('away', flush=True); sys.stdin.readline()\n"
        "    for n in range(10): recorder.record_actions(batch(n))\n"
        "    print('back', flush=True); sys.stdin.readline()\n"
        "    print(recorder.waiting(), recorder.flush(60), peak() - before)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, relay.address, bot, spool],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "away\n"
    relay.cut()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "back\n"
    relay.mend()
    said, _ = process.communicate("\n", timeout=90)
    waiting, flushed, grown_mb = said.split()
    assert int(waiting) > 4500 and flushed == "True"
    assert int(grown_mb) < 40


def test_a_full_spool_refuses_and_drops_nothing(bot: str, spool: Path, records: Records, relay: Relay) -> None:
    relay.cut()
    events = [f"py-full-{number}" for number in range(50)]
    with Recorder(relay.address, bot, spool_dir=spool, max_spool_bytes=len(events) * 50) as recorder:
        taken = []
        with pytest.raises(SpoolFull):
            for event in events:
                recorder.record_actions(_actions("py-full", [event]))
                taken.append(event)
        assert 0 < len(taken) < len(events)
        relay.mend()
        assert recorder.flush(DELIVERED_WITHIN_S)
        recorder.record_actions(_actions("py-full", ["py-full-last"]))
        assert recorder.flush(DELIVERED_WITHIN_S)
    assert [report.event_id for report in reversed(records.actions("py-full"))] == [*taken, "py-full-last"]


def test_two_recorders_do_not_share_a_spool(service: Service, bot: str, spool: Path) -> None:
    with Recorder(service.address, bot, spool_dir=spool):
        with pytest.raises(SpoolInUse):
            Recorder(service.address, bot, spool_dir=spool)


def test_an_event_that_no_batch_could_carry_is_refused_at_once(service: Service, bot: str, spool: Path) -> None:
    with Recorder(service.address, bot, spool_dir=spool) as recorder:
        with pytest.raises(ValueError, match="262144 bytes"):
            recorder.record_action(wallet=WALLET, session_id="s", action_type="HALT", params={"x": "x" * 300_000})
        assert recorder.waiting() == 0


def _actions(session_id: str, event_ids: list[str]) -> list[UserAction]:
    return [
        user_action({"wallet": WALLET, "session_id": session_id, "action_type": "HALT", "event_id": event_id})
        for event_id in event_ids
    ]
