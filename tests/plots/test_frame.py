import matplotlib as mpl
import numpy as np
import pytest

from course_utils import plots


def test_the_style_is_the_courses_own():
    plots.use_style()
    assert mpl.rcParams["axes.spines.top"] is False


def test_names_of_lines_that_end_close_together_move_apart():
    values = np.ones((2, 3))
    figure = plots.loss_against_depth([1, 2], {"a": values, "b": 1.2 * values, "c": 9 * values}, "")
    heights = [text.xyann[1] for text in figure.axes[0].texts]
    assert heights == [-6, 6, 0]


def test_show_emits_one_picture_with_its_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append((a, k)))
    sentence = "A parabola, and a path that runs down to its lowest point."
    plots.show(plots.descent(np.ones(3), 1.0, 0.1), sentence)
    ((bundle,), options) = shown[0]
    assert bundle["text/plain"] == sentence
    assert bundle["image/png"].startswith("iVBOR")
    assert options["metadata"]["image/png"]["alt"] == sentence
    with pytest.raises(ValueError, match="at least 40 characters, got 'short'"):
        plots.show(plots.descent(np.ones(3), 1.0, 0.1), "short")


def test_a_picture_has_the_same_bytes_twice():
    first, second = (plots.png(plots.descent(np.ones(3), 1.0, 0.1).figure) for _ in range(2))
    assert first == second
