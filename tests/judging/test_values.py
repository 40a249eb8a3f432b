"""Only plain data comes through, whatever an answer returns."""

import numpy as np
import pytest
import torch

from course_utils.judging.values import Foreign, plain, show


def test_plain_data_is_copied_and_everything_else_is_foreign():
    array = np.ones(2)
    copied = plain(array)
    array[0] = 5
    assert copied[0] == 1
    assert plain((1, [2.5, "a"], {"k": None})) == [1, [2.5, "a"], {"k": None}]
    assert plain(np.array([object()])) == Foreign("array of object")
    assert plain(object()) == Foreign("object")
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert plain(nested) == Foreign("list")
    assert plain([[0.0] * 1000] * 1000) == Foreign("list")
    assert plain(np.broadcast_to(1.0, (10**6, 10**6))).type_name.startswith("very large array")


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")


def test_hostile_values_are_foreign():
    for value in (Hostile(), {Hostile(): 1}, [Hostile()]):
        assert "Foreign" in repr(plain(value))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(3).bfloat16(),
        lambda: torch.ones(3, requires_grad=True),
        lambda: torch.ones(3).conj(),
        lambda: torch.ones(3, device="meta"),
        lambda: torch.eye(3).to_sparse(),
    ],
)
def test_tensors_become_arrays_or_foreign(make):
    value = plain(make())
    assert isinstance(value, Foreign) or value.tolist() == [1, 1, 1]


def test_long_values_are_shown_by_their_shape():
    assert show(np.zeros((50, 2))) == "an array of shape (50, 2)"
    assert len(show("x" * 1000)) < 200
