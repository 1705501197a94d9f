"""The server's side of a sum: a generator of asks. No I/O, no clock: a driver sends and waits.

    sum_ = secure_sum(terms, spec, adverts, plan)
    asks = next(sum_)
    while True:
        answers = …send asks.to, collect what comes…
        asks = sum_.send(answers)      # StopIteration.value is a SecureSum or Abandoned

Whoever does not answer, or answers wrongly, counts as gone. A mask ask may be answered with a
complaint about a neighbour. Who is accused by enough of them, or proved to have dealt wrong shares,
is named in the result. The generator never sends an ask that it should not: if too few are left at
a stage, it ends there and nothing has been revealed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from baffle.errors import BoundError
from baffle.secagg import wire
from baffle.secagg.group import Answers, Group, Stop
from baffle.secagg.keys import Advert
from baffle.secagg.lanes import Lanes
from baffle.secagg.outcome import MASK, SHARE, UNMASK, Abandoned, Asks, SecureSum
from baffle.secagg.spec import SecureSpec
from baffle.secagg.unmasking import Lists, opened_by, remove_masks, require_openable
from baffle.secagg.wire import Terms

Plan = Callable[[], tuple[bytes, Lanes]]


def secure_sum(
    terms: Terms, spec: SecureSpec, adverts: Sequence[Advert], plan: Plan
) -> Generator[Asks, Answers, SecureSum | Abandoned]:
    """Sum the vectors of a group without seeing any.

    Args:
        terms: which sum.
        spec: what it must withstand; clients compute their parameters from the same.
        adverts: of the members, by client number, as `decode_advert` and `verify` let them through.
        plan: gives (plan bytes, lanes) when everyone has shared; called once, or not at all.

    Yields:
        Asks; send back the answers by client number, without those that did not come.

    Returns:
        SecureSum, or Abandoned with the reason.

    Raises:
        ConfigError: a group that is too large, or adverts out of order.
        BoundError: lanes that are too wide for the group.
    """
    if len(adverts) < spec.min_group:
        sentence = f"expected a group of {spec.min_group} clients or more, got {len(adverts)}"
        return Abandoned("group", sentence, {}, {}, None, {})
    group = Group(terms, spec, adverts)
    try:
        return (yield from _stages(group, plan))
    except Stop as stop:
        reason, sentence = stop.args
        rest = group.dropped, group.refused, group.numbers, group.next, group.opened
        return Abandoned(reason, sentence, *rest, group.accused)


def _stages(group: Group, plan: Plan) -> Generator[Asks, Answers, SecureSum]:
    everyone = list(range(len(group.adverts)))
    answers = yield Asks(SHARE, group.share_asks())
    sharers = group.connected(group.take(SHARE, everyone, answers, group.read_share))
    group.lost(SHARE, everyone, sharers)
    group.require("shares", sharers, "shares")

    plan_bytes, lanes = plan()
    bitmap = wire.encode_bitmap(group.chosen(sharers))
    view = wire.view_of(group.context, bitmap, plan_bytes, lanes.describe())
    group.total = np.zeros(lanes.count, dtype=np.uint64)
    answers = yield Asks(MASK, group.mask_asks(sharers, bitmap), dict(group.next))
    survivors = group.take(
        MASK, sharers, answers, lambda place, data: group.read_mask(place, data, view, lanes)
    )
    group.judge()
    group.require("masks", survivors, "masked vectors")

    chosen = group.chosen(survivors)
    ask, opening = opened_by(view, chosen)
    lists = Lists(group.chosen(sharers), chosen, view, opening)
    require_openable(group, lists)
    group.opened = tuple(group.number(place) for place in survivors)
    asks = {group.number(place): ask for place in survivors}
    answers = yield Asks(UNMASK, asks, dict(group.next), dict(group.accused))
    remove_masks(group, answers, lists)
    return _close(group, lanes, survivors)


def _close(group: Group, lanes: Lanes, survivors: Sequence[int]) -> SecureSum:
    values = lanes.signed(group.total, len(group.adverts))
    try:
        lanes.check(values, len(survivors))
    except BoundError as problem:
        raise Stop("range", f"no clients within their bounds have this sum: {problem}") from None
    participants = tuple(group.number(place) for place in survivors)
    rest = group.dropped, group.refused, group.numbers, group.next, group.accused
    return SecureSum(values, participants, *rest)
