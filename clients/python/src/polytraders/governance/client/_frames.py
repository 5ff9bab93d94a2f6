"""Events as they are kept and sent: encoded once, together, as the repeated field of the batch that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, TypeVar

# What one batch carries; the contract takes 1,000 events and 4 MiB.
batch_items = 500
batch_bytes = 1024 * 1024
# Above every bound of an event's fields together: what is larger the service could never take.
_part_max_bytes = 256 * 1024

Event = TypeVar("Event")


@dataclass(frozen=True)
class Frames:
    """Some events, in order. Bodies one behind the other are a body again."""

    items: int
    body: bytes


def frames(events: Sequence[Event], encode: Callable[[Sequence[Event]], bytes]) -> list[Frames]:
    """In parts that fit into a batch. `encode` is the batch's SerializeToString. Raises ValueError for an event that
    no batch could carry."""
    parts: list[Frames] = []
    for first in range(0, len(events), batch_items):
        parts += _split(events[first : first + batch_items], encode)
    return parts


def _split(events: Sequence[Event], encode: Callable[[Sequence[Event]], bytes]) -> list[Frames]:
    body = encode(events)
    if len(body) <= _part_max_bytes:
        return [Frames(len(events), body)]
    if len(events) == 1:
        raise ValueError(f"an event must have at most {_part_max_bytes} bytes")
    few = max(1, len(events) * _part_max_bytes // len(body) - 1)
    return [part for first in range(0, len(events), few) for part in _split(events[first : first + few], encode)]
