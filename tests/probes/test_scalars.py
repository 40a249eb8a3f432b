import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from course_utils import probes


@given(st.floats(0, 2.5), st.floats(0.1, 2), st.integers(0, 12))
def test_descent_is_the_loop_it_stands_for(learning_rate, curvature, steps):
    w, path = 1.0, [1.0]
    for _ in range(steps):
        w = w - learning_rate * curvature * w
        path.append(w)
    assert np.allclose(probes.descent(learning_rate, curvature, steps=steps), path)
