"""PyTorch modules as probes: K perturbed losses in one batched forward pass."""

from baffle.backends.torch.adapter import initial_weights, load_weights, model_signature
from baffle.backends.torch.evaluate import evaluate
from baffle.backends.torch.examples import Examples
from baffle.backends.torch.probe import TorchProbe

__all__ = [
    "Examples",
    "TorchProbe",
    "evaluate",
    "initial_weights",
    "load_weights",
    "model_signature",
]
