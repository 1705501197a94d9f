"""What the page of MNIST takes for granted."""

from baffle.models import build, count
from experiments.mnist.tables import PRODUCTS

SHAPES = {"lenet": (1, 32, 32), "convnet": (1, 28, 28)}


def test_multiply_adds_are_the_models():
    for name, shape in SHAPES.items():
        assert count(build(name, shape, 10, seed=0), shape).multiply_adds == PRODUCTS[name]
