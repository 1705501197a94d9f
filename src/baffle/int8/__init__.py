"""Models of eight bits on their own grid: the arithmetic, the layers, the way there from floats."""

from __future__ import annotations

from baffle.int8.arithmetic import LARGEST, STEP_EXPONENT
from baffle.int8.convert import to_int8
from baffle.int8.layers import Int8Conv2d, Int8Linear

__all__ = ["LARGEST", "STEP_EXPONENT", "Int8Conv2d", "Int8Linear", "to_int8"]
