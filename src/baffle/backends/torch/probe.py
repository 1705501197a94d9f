"""A torch module as a probe: weights and points to losses, by the fastest route that is right."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import Weights, model_signature, trained_parameters
from baffle.backends.torch.check import agree, far_points, tolerance
from baffle.backends.torch.chunking import default_chunk, dense_chunk, peak_bytes
from baffle.backends.torch.examples import Examples, batch_size
from baffle.backends.torch.loading import Loader
from baffle.backends.torch.losses import Loss, PointLosses
from baffle.backends.torch.materialise import perturbed_weights
from baffle.backends.torch.modes import evaluating, require_eval_statistics
from baffle.backends.torch.moved import moved, part_of
from baffle.backends.torch.one_by_one import losses_one_by_one
from baffle.backends.torch.rank_one import outputs_at
from baffle.backends.torch.threads import using_threads
from baffle.backends.torch.vmapped import losses_vmapped
from baffle.directions import Points

logger = logging.getLogger(__name__)
Batch = tuple[Any, Any]
