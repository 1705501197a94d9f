"""Plain inference of the unmodified module: what everything else is divided by."""

from __future__ import annotations

import torch

from baffle.bench.sides.work import Case, Setting, Side, Work, powers

FEWEST = 8  # rows of a forward pass


class Inference(Side):
    """Forward passes of `chunk` rows under torch.inference_mode.

    Every pass takes the same rows, already contiguous, so that reading inputs costs as little as it
    can.
    """

    unit = 1

    def __init__(self, case: Case) -> None:
        self.case = case

    def chunks(self) -> tuple[int, ...]:
        """Return numbers of rows a pass; the batch's own among them."""
        case = self.case
        found = {*powers(min(FEWEST, case.rows), case.rows), case.examples}
        return tuple(sorted(found))

    def work(self, setting: Setting, most: int) -> Work:
        """Return passes over about `most` rows; the last one is smaller if it must be."""
        rows = min(max(most, setting.chunk), self.case.rows)
        whole, rest = divmod(rows, setting.chunk)
        rest = rest if rows == self.case.rows else 0
        inputs, _ = self.case.tiled(setting.chunk)
        passes = [inputs] * whole + ([inputs[:rest]] if rest else [])
        module = self.case.module

        def run() -> None:
            with torch.inference_mode():
                for rows in passes:
                    module(rows)

        return Work(whole * setting.chunk + rest, run)
