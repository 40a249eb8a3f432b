import numpy as np

from course_utils import plots


def test_losses_show_mean_range_and_names():
    plots.use_style()  # a title stands on the left
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    losses = {"plain": values, "other": values / 10}
    (ax,) = plots.loss_against_depth([1, 3], losses, "A finding").axes
    assert ax.lines[0].get_ydata().tolist() == [2.0, 6.0]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1.0, 9.0)
    assert [text.get_text() for text in ax.texts] == ["plain", "other"]
    assert ax.lines[0].get_linestyle() == "--"
    assert ax.get_title(loc="left") == "A finding"
    assert ax.get_yscale() == "log"


def test_losses_against_the_angle_have_a_picture_per_depth():
    values = np.arange(1.0, 13).reshape(2, 2, 3)  # (depths, angles, seeds)
    one, eight = plots.loss_against_angle([0, 3], (1, 8), {"plain": values}, "A finding").axes
    assert one.lines[0].get_ydata().tolist() == [2.0, 5.0]
    assert eight.lines[0].get_ydata().tolist() == [8.0, 11.0]
    assert eight.get_title() == "8 blocks"


def test_accuracy_against_depth_names_every_net_in_its_group():
    groups = {
        "without": {"plain, He": np.array([[0.9, 1.0], [0.1, 0.3]])},
        "with": {"ReZero": np.ones((2, 2)), "residual, b = 1": np.full((2, 2), 0.5)},
    }
    left, right = plots.accuracy_against_depth([5, 50], groups, "Title").axes
    assert [text.get_text() for text in right.texts] == ["ReZero", "residual, b = 1"]
    assert np.allclose(left.lines[1].get_ydata(), [0.95, 0.2])
    assert left.lines[1].get_linestyle() == "--"


def test_steps_that_did_not_suffice_lie_on_a_line_of_their_own():
    steps = {
        "pre-norm": np.full((3, 2), 50.0),
        "post-norm": np.array([[80.0] * 2, [200] * 2, [400] * 2]),
    }
    figure = plots.steps_against_depth([6, 12, 24], {"trunk": steps, "branch": steps}, 400, "Never")
    for ax in figure.axes:
        never, *lines = sorted(ax.lines, key=lambda line: len(line.get_xdata()))
        assert set(never.get_ydata()) == {400}
        assert [list(line.get_ydata()) for line in lines] == [[50] * 3, [80, 200, 400]]
        assert [text.get_text() for text in ax.texts] == ["pre-norm", "post-norm"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "not in 400"


def test_learning_curves_are_drawn_against_steps_and_against_their_cost():
    curves = {"plain": np.linspace(0, 1, 40)[:, None], "ReZero": np.ones((40, 3))}
    left, right = plots.learning_curves(curves, {"plain": 10.0, "ReZero": 100.0}, "Title").axes
    for ax, factor in ((left, 1), (right, 10)):
        x, y = ax.lines[0].get_data()
        assert (x[0], x[-1]) == (20 * factor, 40 * factor)
        assert np.isclose(y[0], curves["plain"][:20].mean())
    assert [text.get_text() for text in right.texts] == ["plain"]  # the one that ends first


def test_the_training_curve_draws_seeds_now_and_the_mean_before():
    drawing = plots.training_curve(100, "Title")
    now = np.tile([0.2, 0.4, 0.6], (30, 1))
    drawing.update(now, np.tile([0.0, 0.3, 0.6], (25, 1)))
    before, *seeds = drawing.artists
    assert np.allclose(before.get_ydata(), 0.3)
    assert np.allclose([line.get_ydata()[-1] for line in seeds], [0.2, 0.4, 0.6])
    drawing.update(now[:5], now[:0])  # fewer than the 20 steps of a point
    assert all(len(line.get_xdata()) == 0 for line in drawing.artists)


def test_ranked_draws_the_seeds_of_each_net_in_a_row_of_its_own():
    values = {"a": np.array([0.1, 0.2]), "b": np.array([0.9, 1.0])}
    ax = plots.ranked(values, ("guessing", 0.5), "Title", "accuracy").axes[0]
    assert ax.lines[1].get_xdata().tolist() == [0.9, 1.0]
    assert set(ax.lines[1].get_ydata()) == {1}
    assert ax.lines[2].get_xdata() == [0.5, 0.5]


def test_the_depth_rule_marks_what_it_was_fitted_to():
    (ax,) = plots.depth_rule({"a": 5, "b": 9}, {"a": 5, "b": 10}, {"a"}, "T").axes
    assert [line.get_markerfacecolor() for line in ax.lines[1:]] == ["white", plots.IDENTITY]
