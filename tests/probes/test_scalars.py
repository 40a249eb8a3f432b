import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from course_utils import probes


@given(st.floats(0, 2.5), st.floats(0.1, 2), st.integers(0, 12))
def test_descent_multiplies_by_the_same_factor_in_every_step(learning_rate, curvature, steps):
    powers = (1 - learning_rate * curvature) ** np.arange(steps + 1)
    assert np.allclose(probes.descent(learning_rate, curvature, steps=steps), powers)
