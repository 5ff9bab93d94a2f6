"""Python values as exact JSON text: what has digits keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal


def exact_json(value: object) -> str:
    """JSON of None, bool, int, float, Decimal, str, lists, tuples and mappings with str keys.

    A Decimal keeps every digit. Raises ValueError or TypeError for what JSON does not have.
    """
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, (float, Decimal)):
        # Not isfinite for both: it makes a float of a Decimal, and 1E+400 infinite.
        if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
            raise ValueError(f"JSON has no number for {value}")
        return str(value) if isinstance(value, Decimal) else float.__repr__(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(key)}:{exact_json(member)}" for key, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(exact_json, value)) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}; send None, bool, int, float, Decimal, str, list or dict")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a member's name must be a str, not {type(key).__name__}")
    return json.dumps(key, ensure_ascii=False)
