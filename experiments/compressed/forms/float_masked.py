"""The model as it is, along the directions of the sparse forms: ±1 by entry, and nothing is masked.

What is between this and the sparse forms is their zeros; what is between this and the default are
directions.
"""

from __future__ import annotations

from experiments.compressed.forms import float_rank_one
from experiments.compressed.forms.form import MASKED, Form

FORM = Form(float_rank_one.make, MASKED)
