"""Rank-one directions summed by matrix products: G = Aᵀ diag(Q) B, box by box."""

from __future__ import annotations

from baffle.directions import ModelSignature
from baffle.directions.digits import Chunk, Cut, cut
from baffle.updates.box_sums import BoxSum, box_sum
from baffle.updates.boxes import Group, boxes_in, groups_in
from baffle.updates.pages import Pages
from baffle.updates.products import Products
from baffle.updates.rows import Rows
from baffle.updates.state import Array

HELD_FLOATS = 2**22  # signs and sides of one chunk of directions: 16 MiB
HELD_TOTALS = 2**21  # entries whose wide totals are held at once: 16 MiB
LONGEST_CHUNK = 2**10


def sum_by_products(
    signature: ModelSignature, rows: Rows, pages: Pages, products: Products
) -> None:
    """Write scale · float32(sum_k Q_k z_k) of every trained tensor.

    Raises:
        BoundError: a sum could reach 2^63.
    """
    largest = max(box.floats for box in boxes_in(signature))
    plan = cut(rows.coefficients, max(1, min(LONGEST_CHUNK, HELD_FLOATS // largest)))
    longest = max(chunk.stop - chunk.start for chunk in plan.chunks)
    totals = HELD_TOTALS if plan.products > 1 else signature.dimension
    for group in groups_in(signature, HELD_FLOATS // longest, totals):
        _sum_group(group, rows, plan, pages, products)


def _sum_group(group: Group, rows: Rows, plan: Cut, pages: Pages, products: Products) -> None:
    sums = [box_sum(plan, box.of(pages.flat(box.name)), products) for box in group.boxes]
    for chunk in plan.chunks:
        signs, at = products.signs(rows.packed(chunk.start, chunk.stop, group.table)), 0
        for box, total in zip(group.boxes, sums, strict=True):
            _add_chunk(total, chunk, box.factors(signs, at), products)
            at += box.bits
    for box, total in zip(group.boxes, sums, strict=True):
        total.finish(pages.scales[box.name])


def _add_chunk(
    total: BoxSum, chunk: Chunk, factors: tuple[Array | None, Array], products: Products
) -> None:
    left, right = factors
    for digit in chunk.digits:
        column = products.column(digit.values)
        total.add(column if left is None else left * column, right, digit.shift)
