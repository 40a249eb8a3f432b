import numpy as np

from course_utils import plots


def test_degradation_draws_loss_and_gradient_of_the_same_nets():
    losses = {"plain-20": np.full((40, 3), 2.0), "residual-20": np.full((40, 3), 0.5)}
    gradients = {"plain-20": np.array([[50.0, 60], [1, 1]]), "residual-20": np.ones((2, 2))}
    left, right = plots.degradation(losses, gradients, "Title").axes
    assert np.allclose(left.lines[0].get_ydata(), 2)
    assert right.lines[0].get_data()[0].tolist() == [1, 3]
    assert right.lines[0].get_data()[1].tolist() == [55, 1]


def test_layer_gradients_draw_the_formula_beside_what_was_measured():
    drawing = plots.layer_gradients(10, 2.0)
    drawing.update(np.array([8.0, 0.0, 1.0], np.float32))
    line, dots = drawing.artists
    assert line.get_ydata()[[0, 2]].tolist() == [8, 1]
    assert dots.get_ydata().tolist() == [16, 4, 1]


def test_the_lesion_bench_draws_deleted_blocks_hollow_and_two_accuracies():
    drawing = plots.lesion_bench(3, 1.0)
    steps, deleted = np.array([0.2, 0.4]), np.array([False, True])
    drawing.update("plain, x", steps, deleted, np.array([0.9, 0.3]), 0.3, 0.95)
    kept, gone, profile, untouched, now, *names = drawing.artists
    assert kept.get_data().values[::2].tolist() == [0.2, 0, 0]
    assert np.array_equal(gone.get_data().values[::2], [np.nan, 0.4, np.nan], equal_nan=True)
    assert profile.get_xydata().tolist() == [[1, 0.9], [2, 0.3]]
    assert (profile.get_linestyle(), profile.get_color()) == ("--", plots.PLAIN)
    assert (untouched.get_ydata()[0], now.get_ydata()[0]) == (0.95, 0.3)
    assert [name.get_text() for name in names] == ["untouched", "now"]
    drawing.update("residual", steps, ~deleted, np.ones(2), 0.95, 0.95)
    assert kept.get_data().values[::2].tolist() == [0, 0.4, 0]
    assert profile.get_color() == plots.IDENTITY
    high, low = (name.get_position()[1] for name in names)
    assert high - low >= 12
