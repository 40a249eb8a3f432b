import numpy as np
import pytest

from course_utils import plots


def test_descent_moves_path_and_size_together():
    drawing = plots.descent(np.array([1.0, -0.5]), 2.0, 0.75)
    path, line, note = drawing.artists
    drawing.update(np.array([1.0, -0.2, 0.04]), 0.6)
    assert path.get_xdata().tolist() == [1.0, -0.2, 0.04]
    assert path.get_ydata() == pytest.approx([1.0, 0.04, 0.0016])
    assert line.get_ydata() == pytest.approx([1.0, 0.2, 0.04])
    assert note.get_text() == "learning rate 0.60"


def test_scalar_gains_draw_plain_dashed():
    (ax,) = plots.scalar_gains(np.array([-1.0, 0.5]), np.ones(2), 2 * np.ones(2), 20).axes
    assert [line.get_linestyle() for line in ax.lines[:2]] == ["--", "-"]
    assert ax.get_ylabel() == "gradient after 20 blocks"
