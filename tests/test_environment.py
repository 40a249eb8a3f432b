import random

import numpy as np
import pytest
import torch

from course_utils import environment, setup


def test_setup_makes_random_numbers_repeatable_and_sets_one_thread():
    def draw():
        setup(seed=4)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    assert draw() == draw()
    assert torch.get_num_threads() == 1


def test_an_old_environment_is_named():
    with pytest.raises(RuntimeError, match=r"torch>=99 is needed, 2\."):
        environment.check_versions(["torch>=99"])
    with pytest.raises(RuntimeError, match="no-such-package>=1 is needed, nothing is installed"):
        environment.check_versions(["no-such-package>=1"])


def test_requirements_of_other_systems_and_extras_are_left_out():
    environment.check_versions(["torch>=99; sys_platform == 'none'", "torch>=99; extra == 'x'"])


def test_no_progress_bar_is_shown_while_outputs_are_stored(monkeypatch):
    assert environment.progress(range(3), "counting").disable
    monkeypatch.delenv("COURSE_STATIC")
    assert not environment.progress(range(3), "counting").disable
