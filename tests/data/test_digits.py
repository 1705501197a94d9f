from __future__ import annotations

import hashlib

import numpy as np

from baffle.data import load


def test_golden() -> None:
    data = load("digits")
    assert data.train_y[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    train = [143, 146, 142, 147, 145, 146, 145, 144, 140, 144]
    assert np.bincount(data.train_y).tolist() == train
    assert np.bincount(data.test_y).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    digest = hashlib.sha256(data.train_x.tobytes()).hexdigest()
    assert digest == "ea11aa32432684bead025c6d3bd7c228dcef76c2d8e33930cd2115979c3c4e1e"


def test_images_are_the_same_pixels() -> None:
    flat, image = load("digits"), load("digits", image=True)
    assert image.in_shape == (1, 8, 8)
    np.testing.assert_array_equal(image.train_x.reshape(-1, 64), flat.train_x)


def test_no_test_row_is_a_train_row() -> None:
    data = load("digits")
    seen = {row.tobytes() for row in data.train_x}
    assert not any(row.tobytes() in seen for row in data.test_x)
    assert 0 <= data.train_x.min() <= data.train_x.max() == 1
