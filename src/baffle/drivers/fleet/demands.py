"""What a node's configuration says its operator wants of a run.

require-secure    true: refuse runs whose reports go in the clear
min-group         refuse secure sums that may be of fewer clients than these
min-collusion     refuse secure sums that withstand a smaller share of colluding clients
min-failure-bits  refuse secure sums that may fail with a larger chance than 2^-this
min-noise         refuse runs without privacy noise of this multiplier
max-delta         refuse a promise of privacy with a larger δ
identities        JSON file of client numbers to Ed25519 public keys, in hexadecimal digits
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baffle.errors import ConfigError
from baffle.fleet import Demands
from baffle.protocol.exchange.signed import KEY_BYTES

SECURE, MIN_GROUP, IDENTITIES = "require-secure", "min-group", "identities"


def demands_of(node_config: Mapping[str, Any]) -> Demands:
    """Return an operator's wishes.

    Args:
        node_config: of the node.

    Raises:
        ConfigError: a value of another kind, or a file that is none.

    Example:
        >>> demands_of({"min-group": 10}).min_group
        10
    """
    secure, least = node_config.get(SECURE, False), node_config.get(MIN_GROUP, 0)
    if type(secure) is not bool:
        raise ConfigError(f"the node's {SECURE}: expected true or false, got {secure!r}")
    if type(least) is not int or least < 0:
        raise ConfigError(f"the node's {MIN_GROUP}: expected a number from 0, got {least!r}")
    least_share = _number(node_config, "min-collusion", 0.0)
    bits, noise = (
        int(_number(node_config, "min-failure-bits", 0)),
        _number(node_config, "min-noise", 0.0),
    )
    delta = _number(node_config, "max-delta", 0.0) or None
    named = node_config.get(IDENTITIES)
    known = {} if named is None else _identities(Path(str(named)).expanduser())
    return Demands(secure, least, least_share, bits, noise, delta, known)


def _number(node_config: Mapping[str, Any], name: str, default: float) -> float:
    found = node_config.get(name, default)
    if type(found) not in (int, float) or not 0 <= found < math.inf:
        raise ConfigError(f"the node's {name}: expected a number from 0, got {found!r}")
    return float(found)


def _identities(path: Path) -> dict[int, bytes]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = {int(number): bytes.fromhex(key) for number, key in rows.items()}
        if len(found) < len(rows) or any(len(key) != KEY_BYTES for key in found.values()):
            raise ValueError(f"a number twice, or a key that has not {KEY_BYTES} bytes")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise ConfigError(
            f"the node's {IDENTITIES}, {path}: expected a table of client numbers to keys of "
            f"{2 * KEY_BYTES} hexadecimal digits, got {str(problem)[:200]}"
        ) from None
    return found
