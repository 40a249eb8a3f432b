import numpy as np

from course_utils import plots


def test_autocorrelation_draws_mean_range_formula_and_noise_against_the_lag():
    measured = {"plain": np.tile([0.2, 0.4], (9, 1)), "residual": np.full((9, 2), 0.9)}
    predicted = {"plain": np.arange(9.0), "residual": np.zeros(9)}
    (ax,) = plots.autocorrelation(measured, predicted, "T", {"white noise": np.zeros(9)}).axes
    _, noise, plain, residual, formula, _ = ax.lines
    assert plain.get_xdata().tolist() == [1, 2, 3, 4]
    assert np.allclose(plain.get_ydata(), 0.3)
    assert (plain.get_linestyle(), residual.get_linestyle()) == ("--", "-")
    assert formula.get_ydata().tolist() == [1, 2, 3, 4]
    assert noise.get_color() == plots.MUTED
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.2, 0.4)
    assert [text.get_text() for text in ax.texts] == ["white noise", "plain", "residual"]


def test_gradients_along_a_line_are_drawn_at_equal_size():
    x = np.linspace(-2, 2, 5)
    left, right = plots.gradients_along(x, {"plain": 1e-9 * x, "silent": 0 * x}, "T").axes
    assert np.allclose(left.lines[-1].get_ydata(), x / 2**0.5)
    assert right.lines[-1].get_ydata().tolist() == [0] * 5
    assert left.get_title() == "plain"


def test_shattered_gradients_move_slope_cosines_and_formula():
    x = np.linspace(-2, 2, 4)
    drawing = plots.shattered_gradients(x, x, np.ones((4, 2)), np.ones(4))
    measured = np.stack([np.arange(4), np.arange(4) + 2.0], 1)
    drawing.update(np.array([3.0, -3, 3, -3]), measured, np.full(4, 0.5))
    slope, middle, low, high, dots = drawing.artists
    assert slope.get_ydata().tolist() == [1, -1, 1, -1]
    assert middle.get_ydata().tolist() == [2, 3, 4]
    assert (low.get_ydata()[0], high.get_ydata()[0], dots.get_ydata()[0]) == (1, 3, 0.5)
    assert middle.get_xdata()[-1] == 4
