"""What the layer costs over the bare generated call, both on a running service: GOVERNANCE_GRPC_ADDR, and
GOVERNANCE_TOKEN of role bot. Prints it, and fails from 10 % on.

Two figures are judged, both by the quieter half of the runs, for other processes only ever add to them: the time, and
the CPU of this process that the layer takes more, as a share of the bare call's shortest time: what it would add if the
service waited for it. Runs alternate, and what is sent is made before. The layer's files are in memory, where the
machine has a folder there: what a disk adds, to keep what the bare call would lose, is the disk's, and printed apart.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from polytraders.governance.client import Gate, Recorder, user_action, write_request
from polytraders.governance.v1.user_activity_ledger_pb2 import (
    StreamOpen,
    StreamUserActionsRequest,
    UserAction,
    UserActionBatch,
)

LIMIT = 0.10
CALLS, ROUNDS, EVENTS, BATCH = 300, 8, 10_000, 500
TRIES = 3
ADDRESS, TOKEN = os.environ["GOVERNANCE_GRPC_ADDR"], os.environ["GOVERNANCE_TOKEN"]
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


# Makes what is to be sent; what it returns sends that.
Prepare = Callable[[], Callable[[], None]]


@dataclass
class Way:
    """One way to make the same call, and what its runs took."""

    prepare: Prepare
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def once(self) -> None:
        run = self.prepare()
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        self.cpu_s.append(time.process_time() - cpu)
        self.wall_s.append(time.perf_counter() - wall)


def quiet(values: list[float]) -> float:
    """The median of the quieter half."""
    return median(sorted(values)[: (len(values) + 1) // 2])


def main() -> int:
    with tempfile.TemporaryDirectory() as disk, tempfile.TemporaryDirectory(dir=IN_MEMORY) as memory:
        return max(
            compare("CheckWrite, a call", CALLS, *writes(Path(memory), Path(disk))),
            compare(f"StreamUserActions, {EVENTS:,} events", ROUNDS, *events(Path(memory), Path(disk))),
        )


def compare(what: str, rounds: int, bare: Prepare, *layers: Prepare) -> int:
    """0 when the layer (its files in memory, on disk) costs less than the limit in one of the tries."""
    for _ in range(TRIES):
        ways = [Way(prepare) for prepare in (bare, *layers)]
        for turn in range(rounds):
            for at in range(len(ways)):
                ways[(turn + at) % len(ways)].once()
        base_s, in_memory_s, on_disk_s = (quiet(way.wall_s) for way in ways)
        longer = in_memory_s / base_s - 1
        cpu = (quiet(ways[1].cpu_s) - quiet(ways[0].cpu_s)) / min(ways[0].wall_s)
        print(
            f"{what}: bare {base_s * 1000:.2f} ms, layer {in_memory_s * 1000:.2f} ms, {longer:+.1%}; "
            f"its CPU {cpu:+.1%}; its files on a disk {(on_disk_s - in_memory_s) / base_s:+.1%}"
        )
        if max(cpu, longer) < LIMIT:
            return 0
    return 1


def writes(*folders: Path) -> list[Prepare]:
    gates = [Gate(ADDRESS, TOKEN, spool_dir=folder / "gate") for folder in folders]
    metadata = (("authorization", f"Bearer {TOKEN}"),)

    def bare() -> None:
        request = write_request({"bot_slug": "py.bare", "param_name": "x", "editor_id": "a", "new_value": {"a": 1}})
        request.write_id = str(uuid.uuid4())
        assert gates[0].stub.CheckWrite(request, timeout=0.5, metadata=metadata).allowed

    def layer(gate: Gate) -> Prepare:
        def run() -> None:
            assert gate.check_write(bot_slug="py.layer", param_name="x", editor_id="a", new_value={"a": 1}).answer

        return lambda: run

    for _ in range(50):
        bare()
    return [lambda: bare, *map(layer, gates)]


def events(*folders: Path) -> list[Prepare]:
    recorders = [Recorder(ADDRESS, TOKEN, spool_dir=folder / "recorder") for folder in folders]
    metadata = (("authorization", f"Bearer {TOKEN}"),)

    def made() -> list[list[UserAction]]:
        action = {
            "wallet": "0x" + 40 * "3",
            "session_id": "py-overhead",
            "action_type": "HALT",
            "params": {"size": "1.5"},
        }
        return [[user_action(action) for _ in range(BATCH)] for _ in range(EVENTS // BATCH)]  # type: ignore[arg-type]

    def bare() -> Callable[[], None]:
        batches = made()

        def requests() -> Iterator[StreamUserActionsRequest]:
            yield StreamUserActionsRequest(open=StreamOpen(stream_id=str(uuid.uuid4())))
            for number, actions in enumerate(batches):
                batch = UserActionBatch(first_offset=number * BATCH + 1, actions=actions)
                yield StreamUserActionsRequest(batch=batch)

        def run() -> None:
            *_, last = recorders[0].stub.StreamUserActions(requests(), metadata=metadata)
            assert last.ack.last_offset == EVENTS

        return run

    def layer(recorder: Recorder) -> Prepare:
        def prepare() -> Callable[[], None]:
            batches = made()

            def run() -> None:
                for actions in batches:
                    recorder.record_actions(actions)
                assert recorder.flush(60)

            return run

        return prepare

    ways: list[Prepare] = [bare, *map(layer, recorders)]
    for prepare in ways:
        prepare()()
    return ways


if __name__ == "__main__":
    sys.exit(main())
