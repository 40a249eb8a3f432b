import numpy as np

from course_utils import plots


def test_path_lengths_show_means_and_every_seed():
    shares = np.random.default_rng(0).normal(size=(3, 25))
    figure = plots.path_lengths({"residual": shares, "plain": -shares}, "Which", longest=10)
    for ax, expected in zip(figure.axes, (shares, -shares), strict=True):
        assert np.allclose([bar.get_height() for bar in ax.patches], expected.mean(0)[:11])
        dots = [line for line in ax.lines if line.get_marker() == "."]
        assert np.allclose([line.get_ydata() for line in dots], expected[:, :11])


def test_effective_depth_draws_shares_by_length_and_accuracy_by_blocks():
    shares = np.array([[0.2, 0.4], [0.8, 0.6]])
    left, right = plots.effective_depth(shares, [0, 5, 9], {"random": np.eye(3)}, "Title").axes
    assert np.allclose(left.lines[-1].get_ydata(), [0.3, 0.7])
    assert np.allclose(right.lines[0].get_ydata(), 1 / 3)


def test_unrolled_draws_number_gain_and_share_by_length():
    shares = np.array([0.25, 0.5, 0.25])
    drawing = plots.unrolled(2, 0.1, shares, np.tile(shares, (2, 1)).T, longest=4)
    count, square, bars, marks, middle, name, low, half, top = drawing.artists
    assert count.get_xydata().tolist() == [[0, 1], [1, 2], [2, 1]]
    assert np.allclose(square.get_ydata(), [1, 1e-2, 1e-4])
    # the axis ends at 0.5 here
    assert (0.5 * bars.get_data().values[::2]).tolist() == [0.25, 0.5, 0.25, 0, 0]
    assert [label.get_text() for label in (low, half, top)] == ["0.00", "0.25", "0.50"]
    assert marks.get_xdata().tolist() == [0, 0, 1, 1, 2, 2]
    assert np.allclose(0.5 * marks.get_ydata()[::2], shares)
    assert (middle.get_xdata()[0], name.get_text()) == (1, "mean 1.0")
    limits = drawing.figure.axes[2].get_ylim()
    drawing.update(4, 1.0, np.eye(5)[4])
    assert drawing.figure.axes[2].get_ylim() == limits
    assert count.get_ydata().tolist() == [1, 4, 6, 4, 1]
    assert (top.get_text(), bars.get_data().values[8]) == ("1.00", 1)
    assert len(marks.get_xdata()) == 0
