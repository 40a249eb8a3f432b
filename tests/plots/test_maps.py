import numpy as np

from course_utils import plots


def test_the_pushed_grid_draws_plain_left_and_residual_right():
    before = np.zeros((2, 3, 2))
    drawing = plots.pushed_grid(before, before + 1, before + 2)
    left, right = drawing.figure.axes
    assert left.lines[-1].get_xdata().tolist() == [1, 1, 1]
    assert right.lines[-1].get_xdata().tolist() == [2, 2, 2]
    assert left.lines[-1].get_linestyle() == "--"
    assert right.lines[-1].get_color() == plots.IDENTITY
