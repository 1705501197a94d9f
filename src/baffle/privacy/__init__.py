"""Differential privacy of what is sent: clip, integer noise in shares, and the accountant."""

from __future__ import annotations

from baffle.privacy.accountant import epsilon, noise_multiplier_for, rounds_within
from baffle.privacy.clip import clip_norm
from baffle.privacy.contribution import (
    Bounds,
    Contribution,
    client_vector,
    clip_count,
    contribution_bounds,
    example_vector,
    mean_loss,
    require_levels,
)
from baffle.privacy.keystream import derive_seed
from baffle.privacy.noise import discrete_gaussian, noise_limit
from baffle.privacy.sampling import poisson_sample, sample_cap, sampling_rate
from baffle.privacy.shares import guaranteed_members, share_sigma
from baffle.privacy.spec import UNITS, PrivacySpec, Sensitivity

__all__ = [
    "UNITS",
    "Bounds",
    "Contribution",
    "PrivacySpec",
    "Sensitivity",
    "client_vector",
    "clip_count",
    "clip_norm",
    "contribution_bounds",
    "derive_seed",
    "discrete_gaussian",
    "epsilon",
    "example_vector",
    "guaranteed_members",
    "mean_loss",
    "noise_limit",
    "noise_multiplier_for",
    "poisson_sample",
    "require_levels",
    "rounds_within",
    "sample_cap",
    "sampling_rate",
    "share_sigma",
]
