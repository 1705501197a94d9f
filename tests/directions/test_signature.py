"""Model signatures: canonical order, differences spelled out."""

import pytest

from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import ModelError, SignatureMismatch

W, B = TensorSpec("w", (3, 2)), TensorSpec("b", (3,))


def test_the_order_given_does_not_matter():
    assert ModelSignature((W, B)).digest == ModelSignature((B, W)).digest


def test_frozen_tensors_keep_their_number_but_are_not_trained():
    signature = ModelSignature((W, TensorSpec("a", (4,), trainable=False), B))
    assert [(i, t.name) for i, t in signature.trained] == [(1, "b"), (2, "w")]
    assert signature.dimension == 9


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (ModelSignature((W,)), r"expected b \[3\]"),
        (ModelSignature((W, B, TensorSpec("c", (1,)))), r"got c \[1\]"),
        (ModelSignature((TensorSpec("w", (2, 3)), B)), r"got w \[2, 3\]"),
        (ModelSignature((TensorSpec("w", (3, 2), "bfloat16"), B)), "bfloat16"),
        (ModelSignature((W, B), b"x"), "frozen ones differ"),
    ],
)
def test_a_difference_is_spelled_out(other, said):
    with pytest.raises(SignatureMismatch, match=said):
        ModelSignature((W, B)).require(other, "client 3")


def test_nothing_to_train_and_doubled_names_are_refused():
    with pytest.raises(ModelError, match="at least one trainable"):
        ModelSignature((TensorSpec("w", (3,), trainable=False),))
    with pytest.raises(ModelError, match="twice: w"):
        ModelSignature((W, W))
