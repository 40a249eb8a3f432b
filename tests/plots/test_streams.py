import numpy as np

from course_utils import plots


def test_gradient_norms_draw_the_median_from_input_to_output():
    norms = {"plain": np.array([[1e-30, 1e-30], [2.0, 4.0]]), "residual": np.ones((2, 2))}
    (ax,) = plots.gradient_norms(norms).axes
    _, plain, residual = ax.lines
    assert plain.get_ydata().tolist() == [1e-30, 3.0]
    assert residual.get_color() == plots.IDENTITY
    assert ax.texts[0].get_position()[1] == 3e-12  # the name stays in the frame


def test_draws_name_mean_and_median():
    values = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 9.0]])
    (ax,) = plots.draws(values, "T", "y").axes
    assert ax.lines[-2].get_ydata().tolist() == [1.0, 4.0]
    assert ax.lines[-1].get_ydata().tolist() == [1.0, 2.0]


def test_decay_draws_the_median_and_the_formula():
    values = {"ReLU": np.array([[1.0, 1, 1], [0.1, 0.5, 0.9], [0.1, 0.2, 0.9]])}
    ax = plots.decay(values, np.array([1.0, 0.4, 0.3]), "Title", "square").axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.2], [0.4, 0.3]]


def test_the_ledger_draws_terms_their_sum_and_the_whole_stack():
    shares = np.stack([np.full((4, 3), part) for part in (1.0, 0.5, 0.25)])
    drawing = plots.variance_ledger(shares, (1, 0.5, 0, 1.5))
    *bars, ticks, measured, formula = drawing.artists
    assert [bar.get_height() for bar in bars] == [1.0, 0.5, 0.25, 1.75]
    assert ticks.get_ydata().tolist() == [1, 0.5, 0, 1.5]
    assert np.allclose(measured.get_ydata(), 1.75 ** np.arange(5))
    assert np.allclose(formula.get_ydata(), 1.5 ** np.arange(5))
    drawing.update(shares[:, :2], (1, 0.5, 0, 1.5))
    assert len(measured.get_ydata()) == 3


def test_signal_draws_mean_squares_beside_the_formula_in_both_directions():
    values = {"plain": np.array([[1.0, 1.0], [1.0, 3.0]]), "residual": np.ones((2, 2))}
    forward, backward = plots.signal(values, values, {"plain": 5.0, "residual": 1.0}, "T").axes
    assert forward.lines[0].get_ydata().tolist() == [1.0, 5.0]
    assert forward.lines[1].get_ydata().tolist() == [1.0, 5.0]
    assert backward.lines[1].get_ydata().tolist() == [5.0, 1.0]


def test_cosines_draw_medians_and_names_stand_apart():
    values = {"plain": np.full((3, 5), 0.99), "residual": np.full((3, 5), 0.98)}
    (ax,) = plots.cosines(values, "T").axes
    assert [line.get_ydata()[-1] for line in ax.lines] == [0.99, 0.98]
    low, high = sorted(text.xyann[1] for text in ax.texts)
    assert high - low >= 12


def test_dilution_draws_measured_and_predicted_from_block_one():
    left, turned = {"now": np.array([[1.0], [0.5], [0.25]])}, {"now": np.array([[0.5], [0.4]])}
    drawing = plots.dilution(
        left, turned, {"now": (np.array([1, 0.6, 0.3]), np.array([0.5, 0.5]))}, "T"
    )
    lines = drawing.artists[:2]
    assert np.allclose(lines[0].get_xydata(), [[1, 0.5], [2, 0.25]])
    assert np.allclose(lines[1].get_xydata(), [[1, 0.5], [2, 0.4]])
    assert np.allclose(drawing.artists[2].get_ydata(), [0.6, 0.3])
