"""Measurements of a run's model on its data, by forward passes: what the checks cannot read off.

place       where losses are evaluated: the run's probe, a float32 one, examples, directions
fidelity    how much of the derivatives that are sent is signal, radius by radius
drift       how far clients differ
firing      tensors, units and batch norms that do nothing, or the wrong thing
"""

from __future__ import annotations

from baffle.backends.torch import initial_weights, load_weights, model_signature
from baffle.config import EngineSettings
from baffle.drivers.diagnose.figures import Measured
from baffle.drivers.diagnose.measuring.drift import drift
from baffle.drivers.diagnose.measuring.fidelity import best_radius, fidelity
from baffle.drivers.diagnose.measuring.firing import batch_norms, silent_tensors, silent_units
from baffle.drivers.diagnose.measuring.place import Place
from baffle.drivers.diagnose.reading import Found
from baffle.drivers.local.task import Task
from baffle.models.advice import check_model

__all__ = ["measure"]


def measure(found: Found, task: Task, engine: EngineSettings) -> Measured:
    """Return what the run's model does on its data, at its first and its last weights.

    Costs some ten thousand forward passes of a batch; the model's weights are the same after.

    Args:
        found: the run folder, with a round at least.
        task: of the run.
        engine: how the run evaluates.

    Raises:
        SignatureMismatch: the task's model is not the run's.
    """
    found.genesis.signature.require(model_signature(task.model), "the model to measure with")
    before = initial_weights(task.model)
    try:
        return _measured(found, Place.of(found, task, engine))
    finally:
        load_weights(task.model, before)


def _measured(found: Found, place: Place) -> Measured:
    weights = found.weights
    start = weights.first or weights.last
    radius = best_radius(place, start, 0)
    silent = silent_tensors(place, weights.last, best_radius(place, weights.last, 0))
    first = fidelity(place, weights.first) if weights.first is not None else None
    now = fidelity(place, weights.last)
    load_weights(place.task.model, weights.last)
    examples = place.task.train.batch(place.pooled[:4])[0]
    errors = tuple(
        (f.where, f.what) for f in check_model(place.task.model, examples) if f.severity == "error"
    )
    return Measured(
        before=first,
        now=now,
        drift=drift(place, start, radius),
        silent=silent,
        entries=found.genesis.signature.dimension,
        units=silent_units(place),
        norms=batch_norms(place),
        errors=errors,
        averaged=place.loss(weights.mean) / (place.loss(weights.last) or 1.0),
    )
