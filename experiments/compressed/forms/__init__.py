"""Compressed forms, one file each.

A form is a value FORM of its file: settings that a run in this form wants, and a function

    (module, calibration examples) -> (compressed module, check of a state)

that leaves the module as it was. Parameters that are trained stay so; what a compressed module's
trained tensors are called is its own business. A check gets what a state holds, slots of arrays by
name as `TrainState.numpy()` has them ("weights", "ema", ...), and raises AssertionError where the
form was lost. Add a form by its file and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping

from experiments.compressed.forms import (
    float_masked,
    float_rank_one,
    int8,
    int8_gains,
    int8_stochastic,
    sparse_50,
    sparse_80,
    structured_50,
    two_of_four,
)
from experiments.compressed.forms.form import Check, Form, Slots

__all__ = ["FORMS", "Check", "Form", "Slots"]

FORMS: Mapping[str, Form] = {
    "float": float_rank_one.FORM,
    "float, ±1 by entry": float_masked.FORM,
    "sparse 50 %": sparse_50.FORM,
    "sparse 80 %": sparse_80.FORM,
    "2:4": two_of_four.FORM,
    "structured 50 %": structured_50.FORM,
    "int8": int8.FORM,
    "int8, on its grid": int8_stochastic.FORM,
    "int8, gains": int8_gains.FORM,
}
