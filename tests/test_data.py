import numpy as np
import pytest
import torch

from course_utils import data


def test_the_digits_are_all_there_and_scaled_by_the_training_set():
    d = data.digits()
    assert len(d.x_train) + len(d.x_test) == 1797
    assert abs(d.x_train.mean()) < 1e-6
    assert abs(d.x_train.std() - 1) < 1e-6
    assert np.bincount(d.y_train).min() >= 130
    assert np.array_equal(d.x_test, data.digits().x_test)


@pytest.mark.parametrize("angle", [0.0, 0.25, 1.5, np.pi])
def test_a_rotation_turns_every_vector_by_the_same_angle(angle):
    R = data.rotation(6, angle).astype(float)
    assert np.allclose(R @ R.T, np.eye(6), atol=1e-6)
    x = np.random.default_rng(0).normal(size=(5, 6))
    cosine = ((x @ R) * x).sum(1) / (x**2).sum(1)
    assert np.allclose(cosine, np.cos(angle), atol=1e-6)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="got 5"):
        data.rotation(5, 1.0)


def test_a_reversed_sequence_is_the_answer():
    draw = data.reversal_task(16, tokens=3, seq=5)
    x, y = draw(torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (16, 5)
    assert torch.equal(y.flip(1), x)
    assert x.unique().tolist() == [0, 1, 2]
