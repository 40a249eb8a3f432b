import matplotlib as mpl
import numpy as np
import pytest

from course_utils import plots


def test_the_style_is_the_courses_own():
    plots.use_style()
    assert mpl.rcParams["axes.spines.top"] is False


def test_descent_moves_path_and_size_together():
    drawing = plots.descent(np.array([1.0, -0.5]), 2.0, 0.75)
    path, line, note = drawing.artists
    drawing.update(np.array([1.0, -0.2, 0.04]), 0.6)
    assert path.get_xdata().tolist() == [1.0, -0.2, 0.04]
    assert path.get_ydata() == pytest.approx([1.0, 0.04, 0.0016])
    assert line.get_ydata() == pytest.approx([1.0, 0.2, 0.04])
    assert note.get_text() == "learning rate 0.60"


def test_the_pushed_grid_draws_plain_left_and_residual_right():
    before = np.zeros((2, 3, 2))
    drawing = plots.pushed_grid(before, before + 1, before + 2)
    left, right = drawing.figure.axes
    assert left.lines[-1].get_xdata().tolist() == [1, 1, 1]
    assert right.lines[-1].get_xdata().tolist() == [2, 2, 2]
    assert left.lines[-1].get_linestyle() == "--"
    assert right.lines[-1].get_color() == plots.IDENTITY


def test_losses_show_mean_range_and_names():
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


def test_gradient_norms_draw_the_median_from_input_to_output():
    norms = {"plain": np.array([[1e-30, 1e-30], [2.0, 4.0]]), "residual": np.ones((2, 2))}
    (ax,) = plots.gradient_norms(norms).axes
    _, plain, residual = ax.lines
    assert plain.get_ydata().tolist() == [1e-30, 3.0]
    assert residual.get_color() == plots.IDENTITY
    assert ax.texts[0].get_position()[1] == 3e-12  # the name stays in the frame


def test_scalar_gains_draw_plain_dashed():
    (ax,) = plots.scalar_gains(np.array([-1.0, 0.5]), np.ones(2), 2 * np.ones(2), 20).axes
    assert [line.get_linestyle() for line in ax.lines[:2]] == ["--", "-"]
    assert ax.get_ylabel() == "gradient after 20 blocks"


def test_draws_name_mean_and_median():
    values = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 9.0]])
    (ax,) = plots.draws(values, "T", "y").axes
    assert ax.lines[-2].get_ydata().tolist() == [1.0, 4.0]
    assert ax.lines[-1].get_ydata().tolist() == [1.0, 2.0]


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


def test_the_depth_rule_marks_what_it_was_fitted_to():
    (ax,) = plots.depth_rule({"a": 5, "b": 9}, {"a": 5, "b": 10}, {"a"}, "T").axes
    assert [line.get_markerfacecolor() for line in ax.lines[1:]] == ["white", plots.IDENTITY]


def test_accuracy_against_depth_names_every_net_in_its_group():
    groups = {
        "without": {"plain, He": np.array([[0.9, 1.0], [0.1, 0.3]])},
        "with": {"ReZero": np.ones((2, 2)), "residual, b = 1": np.full((2, 2), 0.5)},
    }
    left, right = plots.accuracy_against_depth([5, 50], groups, "Title").axes
    assert [text.get_text() for text in right.texts] == ["ReZero", "residual, b = 1"]
    assert np.allclose(left.lines[1].get_ydata(), [0.95, 0.2])
    assert left.lines[1].get_linestyle() == "--"


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


def test_decay_draws_the_median_and_the_formula():
    values = {"ReLU": np.array([[1.0, 1, 1], [0.1, 0.5, 0.9], [0.1, 0.2, 0.9]])}
    ax = plots.decay(values, np.array([1.0, 0.4, 0.3]), "Title", "square").axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.2], [0.4, 0.3]]


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


def test_ranked_draws_the_seeds_of_each_net_in_a_row_of_its_own():
    values = {"a": np.array([0.1, 0.2]), "b": np.array([0.9, 1.0])}
    ax = plots.ranked(values, ("guessing", 0.5), "Title", "accuracy").axes[0]
    assert ax.lines[1].get_xdata().tolist() == [0.9, 1.0]
    assert set(ax.lines[1].get_ydata()) == {1}
    assert ax.lines[2].get_xdata() == [0.5, 0.5]


def test_effective_depth_draws_shares_by_length_and_accuracy_by_blocks():
    shares = np.array([[0.2, 0.4], [0.8, 0.6]])
    left, right = plots.effective_depth(shares, [0, 5, 9], {"random": np.eye(3)}, "Title").axes
    assert np.allclose(left.lines[-1].get_ydata(), [0.3, 0.7])
    assert np.allclose(right.lines[0].get_ydata(), 1 / 3)


def test_rank_collapse_draws_the_geometric_mean_and_names_both_ends():
    spreads = {"plain": np.array([[1.0, 1.0], [1e-4, 1e-8]]), "residual": np.ones((2, 2))}
    drawing = plots.rank_collapse(spreads, "Title")
    plain, residual, *names = drawing.artists
    assert np.allclose(plain.get_ydata(), [1, 1e-6])
    assert [name.get_text() for name in names] == ["plain", "residual"]
    drawing.update({"plain": np.zeros((3, 2)), "residual": np.ones((3, 2))})
    assert np.allclose(plain.get_ydata(), plots.FLOAT64)
    assert np.allclose(residual.get_xdata(), [0, 1, 2])
    drawing.update({"plain": np.ones((2, 2)), "residual": np.ones((2, 2))})
    heights = [name.get_position()[1] for name in names]
    assert abs(heights[0] - heights[1]) >= 12, "names at one place stand one above the other"


def test_dilution_draws_measured_and_predicted_from_block_one():
    left, turned = {"now": np.array([[1.0], [0.5], [0.25]])}, {"now": np.array([[0.5], [0.4]])}
    drawing = plots.dilution(
        left, turned, {"now": (np.array([1, 0.6, 0.3]), np.array([0.5, 0.5]))}, "T"
    )
    lines = drawing.artists[:2]
    assert np.allclose(lines[0].get_xydata(), [[1, 0.5], [2, 0.25]])
    assert np.allclose(lines[1].get_xydata(), [[1, 0.5], [2, 0.4]])
    assert np.allclose(drawing.artists[2].get_ydata(), [0.6, 0.3])


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


def test_loss_slices_share_levels_and_colours_and_keep_the_axes_apart():
    flat, steep = np.full((5, 5), 0.2), np.full((5, 5), np.nan)
    steep[4, 2] = 0.2  # far along direction 1
    figure = plots.loss_slices({"plain": steep, "residual": flat}, "T", reach=0.5)
    left, right, bar = figure.axes
    first, second = left.collections[0], right.collections[0]
    assert first.levels.tolist() == second.levels.tolist()
    assert first.norm is not None
    assert (first.norm.vmin, first.norm.vmax) == (second.norm.vmin, second.norm.vmax)
    low = first.get_paths()[list(first.levels).index(0.1) + 1]  # the colour of 0.1 to 0.3
    assert low.vertices[:, 0].max() == 0.5
    assert abs(low.vertices[:, 1]).max() < 0.26
    assert bar.get_ylabel() == "training loss"


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


def test_flow_draws_paths_over_the_flow_and_the_error_by_depth():
    paths, exact = np.arange(12.0).reshape(3, 2, 2), np.zeros((5, 2, 2))
    errors = np.array([0.8, 0.4, 0.2])
    drawing = plots.flow(paths, exact, [1, 2, 4], errors, 0.3)
    stream, blocks, starts, curve, now = drawing.artists
    assert starts.get_xydata().tolist() == paths[0].tolist()
    drawn = blocks.get_xydata()
    assert np.array_equal(drawn[:3], paths[:, 0])
    assert np.isnan(drawn[3]).all()
    assert np.array_equal(drawn[4:7], paths[:, 1])
    assert len(stream.get_xdata()) == 2 * 6
    assert curve.get_ydata().tolist() == errors.tolist()
    assert now.get_xydata().tolist() == [[2, 0.3]]
    guide = drawing.figure.axes[1].lines[0]
    assert guide.get_ydata().tolist() == [0.8, 0.4, 0.2]
    assert guide.get_linestyle() == "--"
    assert blocks.get_linestyle() == "-"
    drawing.update(np.zeros((65, 2, 2)), exact, 2 * errors, 0.1)
    assert blocks.get_linestyle() == "None"  # dots alone
    assert now.get_xydata().tolist() == [[64, 0.1]]
    assert guide.get_ydata()[0] == 0.8


def test_the_block_stepper_lays_matrices_side_by_side_and_marks_the_place():
    sketches = {
        "pre": (lambda ax: ax.plot([0, 0], [0, -300], color="black"), [(0, 0, 18, 18)]),
        "post": (lambda ax: ax.plot([50, 50], [0, -300], color="black"), [(60, -34, 58, 28)] * 2),
    }
    drawing = plots.block_stepper(sketches, {"tensor": (2.0, 0.5), "weights": (1.0, 9.0)})
    mark, block, image, title, low, high, gradient, *_, last = drawing.artists
    array = np.arange(24.0).reshape(2, 3, 4)
    drawing.update("pre", 0, "tensor", "name", array, -array)
    before = block.get_array().copy()
    assert np.array_equal(image.get_array()[:, :4], array[0])
    assert image.get_array().mask[:, 4].all()
    assert np.array_equal(gradient.get_array()[:, 5:], -array[1])
    assert image.get_clim() == (-2, 2)
    assert gradient.get_clim() == (-0.5, 0.5)
    assert (title.get_text(), low.get_text(), high.get_text()) == ("name, 2 × 3 × 4", "−2", "2")
    assert last.get_text() == "0.5"
    drawing.update("post", 1, "weights", "q", np.ones((3, 2, 5, 4)), np.ones((3, 2, 5, 4)))
    assert image.get_array().shape == (17, 9)
    assert image.get_array().mask[5].all()
    assert not np.array_equal(block.get_array(), before)
    assert mark.get_ydata() == [-34, -34]
    assert np.mean(mark.get_xdata()) == 60
    assert gradient.get_clim() == (-9, 9)


def test_which_skip_draws_one_bar_that_moves_and_those_that_stay():
    drawing = plots.which_skip({"first kind": 3, "second kind": 0}, 9, total=10)
    image, now, count, *texts = drawing.artists
    weights = np.random.default_rng(0).random((8, 6))
    drawing.update(weights, ["seven", "hundred"], [*"700", "end"], 4)
    assert np.array_equal(image.get_array(), weights)
    assert [text.get_text() for text in texts if text.get_text()] == [
        "seven", "hundred", *"700", "end",
    ]  # fmt: skip
    bars = drawing.figure.axes[1].patches
    assert [patch.get_width() for patch in bars] == [9, 4, 3, 0]
    assert (now.get_width(), count.get_text()) == (4, "4")
    drawing.update(weights, ["one"], ["1", "end"], 0)
    assert [text.get_text() for text in texts if text.get_text()] == ["one", "1", "end"]
    assert count.get_position()[0] < 1


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


def test_path_lengths_show_means_and_every_seed():
    shares = np.random.default_rng(0).normal(size=(3, 25))
    figure = plots.path_lengths({"residual": shares, "plain": -shares}, "Which", longest=10)
    for ax, expected in zip(figure.axes, (shares, -shares), strict=True):
        assert np.allclose([bar.get_height() for bar in ax.patches], expected.mean(0)[:11])
        dots = [line for line in ax.lines if line.get_marker() == "."]
        assert np.allclose([line.get_ydata() for line in dots], expected[:, :11])
