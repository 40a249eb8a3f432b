import functools
import re

import numpy as np
import pytest
import torch

from course_utils import blocks, data, recipes, widgets
from course_utils.checks import EXERCISES
from course_utils.practice import progress
from course_utils.transformers import EncoderDecoder, cut_skips
from course_utils.widgets import scorecard as card
from course_utils.widgets.block_stepper import block_stepper
from course_utils.widgets.depth_as_time import DEPTHS, depth_as_time
from course_utils.widgets.descent import descent
from course_utils.widgets.layer_gradients import layer_gradients
from course_utils.widgets.lesion_bench import MAX_SWAPS, lesion_bench
from course_utils.widgets.move_the_norm import move_the_norm, predicted
from course_utils.widgets.panel import Panel
from course_utils.widgets.predict import predict
from course_utils.widgets.rank_collapse import rank_collapse
from course_utils.widgets.recipe_picker import recipe_picker
from course_utils.widgets.shattered_gradients import shattered_gradients
from course_utils.widgets.start_from_identity import MAX_DEPTH, start_from_identity
from course_utils.widgets.train_live import train_live
from course_utils.widgets.training_panel import TrainingPanel
from course_utils.widgets.unrolled import unrolled
from course_utils.widgets.which_skip import which_skip
from course_utils.wiring import Wiring
from tests import budget

PANELS = widgets.panels()
HERE = widgets.panels(Panel)  # drawn by the kernel, not by the browser


def drag(panel, name, value):
    """Do what a drag in the browser sends."""
    panel.controls[name].set_state({"value": value})


def test_dragging_the_learning_rate_changes_picture_and_sentence():
    panel = descent(0.5)
    before = panel._image.value
    drag(panel, "learning_rate", 2.2)
    assert panel._image.value != before
    assert "|w| grows" in panel.sentence
    assert "from side to side" in panel.sentence
    assert "= -1.20" in panel.sentence
    drag(panel, "learning_rate", 1.0)
    assert "w is 0 after one step" in panel.sentence
    drag(panel, "learning_rate", 2.0)
    assert "|w| stays at 1" in panel.sentence
    drag(panel, "learning_rate", 0.0)
    assert "w does not move" in panel.sentence


def test_at_gain_zero_the_residual_stack_is_the_identity_at_any_depth():
    panel = start_from_identity()
    for depth in (1, 5, MAX_DEPTH):
        panel.set(b=0.0, depth=depth)
        assert "moves a point by 0.00 on average: it is the identity" in panel.sentence
        assert "to a single point" in panel.sentence


def test_dragging_depth_moves_the_lines():
    panel = start_from_identity()
    before = panel._drawing.artists[-1].get_xdata().copy()
    drag(panel, "depth", 2)
    assert not np.array_equal(panel._drawing.artists[-1].get_xdata(), before)


@functools.cache  # two of them train, so each is built once
def built(name):
    return PANELS[name]()


@pytest.fixture
def panel(name):
    """A panel at its start; a test may move it, and here it is moved back."""
    panel = built(name)
    start, said = panel.values, panel.sentence
    yield panel
    assert panel.set(**start).sentence == said


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_the_frame_stays_where_it_is(panel):
    limits = [(ax.get_xlim(), ax.get_ylim()) for ax in panel.figure.axes]
    sizes = set()
    for control in panel.controls.values():
        menu = getattr(control, "options", None)
        for value in (menu[0], menu[-1]) if menu else (control.min, control.max):
            control.value = value
            sizes.add(panel._image.value[16:24])  # width and height in the PNG's header
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in panel.figure.axes] == limits
    assert len(sizes) == 1


@pytest.mark.parametrize("name", HERE)
def test_every_preset_button_moves_the_controls(panel):
    seen = set()
    for button in panel.children[0].children:
        button.click()
        seen.add((*panel.values.values(), panel.sentence))
    assert len(seen) == len(panel.children[0].children) >= 2


@pytest.mark.parametrize("name", HERE)
def test_controls_have_names(panel):
    assert all(control.description for control in panel.controls.values())


@pytest.mark.parametrize("name", PANELS)
def test_static_is_a_picture_and_its_sentence_and_live_adds_the_widget(panel, monkeypatch):
    monkeypatch.setenv("COURSE_STATIC", "1")
    static, _ = panel._repr_mimebundle_()
    assert set(static) == {"image/png", "text/plain"}
    assert static["text/plain"] == panel.sentence
    monkeypatch.delenv("COURSE_STATIC")
    live, _ = panel._repr_mimebundle_()
    assert set(live) == {*static, "application/vnd.jupyter.widget-view+json"}


def seconds_of_a_move(panel):
    """Computing, drawing and encoding, with every slider where that takes longest."""
    slowest = {name: c.max for name, c in panel.controls.items() if hasattr(c, "max")}
    return budget.quickest(lambda: panel.set(**slowest))


@pytest.mark.parametrize("name", HERE)
def test_a_move_costs_the_kernel_at_most_20_ms(panel):
    assert seconds_of_a_move(panel) < 0.020


def test_a_panel_that_computes_for_too_long_is_noticed():
    panel = descent()
    compute = panel._compute
    panel._compute = lambda **values: ([budget.job() for _ in range(60)], compute(**values))[1]
    assert seconds_of_a_move(panel) > 0.020


def test_a_button_trains_what_the_controls_say_and_keeps_the_net_before():
    panel = train_live(depth=2)
    first = panel.sentence
    assert "plain, He, 2 layers, learning rate 0.001: accuracy" in first
    drag(panel, "depth", 1)
    assert panel.sentence == (
        "plain, He, 1 layer, learning rate 0.001: not trained yet, press the button."
    )
    now, before = panel._drawing.artists[1].get_ydata(), panel._drawing.artists[0].get_ydata()
    assert len(now) == 0 < len(before)
    panel.button.click()
    assert "1 layer, learning rate 0.001: accuracy" in panel.sentence
    accuracy = first.split("accuracy ")[1][:4]
    assert panel.sentence.endswith(f"The net before it had {accuracy}.")
    drag(panel, "depth", 2)  # what was trained is still there
    assert panel.sentence.startswith(first.rstrip("."))


def test_while_a_panel_trains_its_picture_grows_and_another_press_does_nothing():
    panel = train_live(depth=1)
    seen, make_model = [], panel._make_model

    def make(values):
        seen.append((panel.button.disabled, panel.train() is panel))
        return make_model(values)

    panel._make_model = make
    pictures = set()
    panel._image.observe(lambda change: pictures.add(change["new"]), "value")
    panel.train()
    assert seen == [(True, True)] * 3  # once for each seed
    assert not panel.button.disabled
    assert len(pictures) > 5


def test_a_panel_says_why_training_stopped():
    panel = recipe_picker(b="1", depth=400)
    assert panel.sentence.startswith("h + F(h), 400 blocks, the last stream not finite: training")
    assert "not finite at step 0 in the forward pass of 1, block 1" in panel.sentence
    panel.set(b="1/L")
    assert "1.2 times as long as the first, learning rate 0.003: not trained" in panel.sentence


def test_a_panel_that_trains_needs_a_learning_rate():
    with pytest.raises(ValueError, match="a learning_rate is needed, the controls are"):
        TrainingPanel({}, None, None, {})


def test_without_shortcut_and_branch_no_gradient_comes_back():
    panel = layer_gradients(a=0.0, gamma=0.5)
    drag(panel, "gamma", 0.0)
    assert "with neither shortcut nor branch no gradient comes back" in panel.sentence
    drag(panel, "a", 1.0)
    assert np.allclose(panel._drawing.artists[0].get_ydata()[1:], 1, atol=0.3)


def test_a_panel_leaves_the_notebooks_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    start_from_identity().set(b=0.5)
    assert torch.equal(torch.randn(2), expected)


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match=r"\['learning_rate'\], got \['rate'\]"):
        descent().set(rate=1)


def test_a_prediction_is_compared_with_the_answer(capsys):
    guess = predict("Which?", ["one", "two"])
    guess.reveal("two")
    guess.choose("one")
    guess.reveal("two")
    assert capsys.readouterr().out == (
        "Measured: two. No guess yet.\nMeasured: two. You guessed: one.\n"
    )
    for wrong in (guess.choose, guess.reveal):
        with pytest.raises(ValueError, match="got 'three'"):
            wrong("three")


def test_a_prediction_shows_as_text_where_outputs_are_stored(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "course_utils.widgets.predict.display", lambda *a, **k: shown.append((a, k))
    )
    predict("Which?", ["one", "two"])._ipython_display_()
    assert shown[0][0][0]["text/plain"] == "Which?\n  - one\n  - two"
    monkeypatch.delenv("COURSE_STATIC")
    predict("Which?", ["one", "two"])._ipython_display_()
    assert type(shown[1][0][0]).__name__ == "VBox"


def test_the_score_card_adds_up_points():
    everything = {name: progress.Record(points=e.points) for name, e in EXERCISES.items()}
    for lesson, points, total, solved, required in card.rows(everything):
        assert points == total > 0, lesson
        assert solved == required == 2
    nothing = card.rows({})
    assert all(points == 0 and solved == 0 for _, points, _, solved, _ in nothing)
    assert "0 of " in card.text({})
    assert card.as_html(everything).count("<progress") == len(nothing)


def test_the_score_card_is_restored_from_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_STATIC")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    shown = []
    monkeypatch.setattr(card, "display", lambda *a, **k: shown.append(a[0]))
    card.scorecard()
    view, (upload, message) = shown[0].children[0], shown[0].children[1].children
    saved = progress.dump({"affine": progress.Record(points=1)})

    def send(content):
        chosen = {"name": "progress.json", "type": "", "size": 1, "last_modified": 0}
        upload.set_state({"value": [{**chosen, "content": memoryview(content.encode())}]})

    send("not a score card")
    assert "Not restored: it is not JSON" in message.value
    assert not (tmp_path / "progress.json").exists()
    send(saved)
    assert "Restored" in message.value
    assert "1 of 8" in view.value
    assert progress.load()["affine"].points == 1


def test_attention_without_a_shortcut_makes_all_tokens_the_same():
    panel = rank_collapse(a=0, depth=3)
    assert panel.sentence.startswith("F(h), attention only: after 3 layers the spread")
    drag(panel, "depth", 4)
    assert panel.sentence == "F(h), attention only: after 4 layers all tokens are the same."
    drag(panel, "a", 1.0)
    assert float(panel.sentence.split()[-1].rstrip(".")) > 0.5
    panel.set(norm="post", feed_forward="yes", depth=1)
    assert panel.sentence.startswith(
        "norm(h + F(h)), attention and feed-forward: after 1 layer the"
    )


def test_a_norm_on_the_trunk_loses_the_input_and_one_before_the_branch_wears_it_off():
    panel = move_the_norm("post", depth=24)
    share, last = map(float, re.findall(r"([\d.e-]+) %", panel.sentence))
    assert share < 1e-3
    assert 30 < last < 70
    drag(panel, "depth", 2)
    panel.set(norm="pre", depth=96)
    share, last = map(float, re.findall(r"([\d.e-]+) %", panel.sentence))
    assert 0.7 < share < 1.5
    assert 0.7 < last < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("a", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_the_formulas_of_dilution_are_what_is_measured(a, norm):
    panel = move_the_norm(norm, a, 0.5, depth=12)
    left, turned, formula = panel._compute(norm, a, 0.5, 12)
    assert np.allclose(np.log(left["now"].mean(1)), np.log(formula["now"][0]), atol=1.6)
    assert np.allclose(turned["now"].mean(1), formula["now"][1], atol=0.12)
    assert predicted(Wiring(a, 0.5, norm), 12)[0].shape == (13,)


def test_small_branches_keep_the_gradients_together_and_depth_tears_them_apart():
    panel = shattered_gradients(a=1.0, b=0.18, depth=30)
    slope, middle, *_, dots = panel._drawing.artists
    assert "like 0.9 plain ones" in panel.sentence
    assert abs(middle.get_ydata() - dots.get_ydata()).max() < 0.15
    kept = middle.get_ydata()[15]
    drag(panel, "a", 0.0)
    drag(panel, "b", 1.0)
    assert "a = 0.00, b = 1.00, 30 blocks: like 30.0 plain ones" in panel.sentence
    assert middle.get_ydata()[15] < kept - 0.4
    drag(panel, "depth", 1)
    assert "1 block: like 1.0 plain ones" in panel.sentence
    drag(panel, "b", 0.0)
    assert panel.sentence.endswith("1 block: the gradient is 0.")
    assert not slope.get_ydata().any()


def test_the_paths_that_count_are_short_while_branches_are_small():
    panel = unrolled()
    assert panel.sentence == (
        "24 blocks of gain 0.40: 16,777,216 paths, with 12.0 branches on average, or 3.3 if each "
        "counts by its squared length. Paths of 1 to 6 branches carry 93 % of the squared length."
    )
    drag(panel, "gain", 1.0)  # coins: half of all branches
    assert "with 12.0 branches on average, or 12.0 if each counts" in panel.sentence
    panel.set(depth=1, gain=0.05)
    assert panel.sentence.startswith("1 block of gain 0.05: 2 paths, with 0.5 branches")
    assert panel.sentence.endswith("Paths of 0 branches carry 99 % of the squared length.")
    panel.set(depth=1, gain=1.0)
    assert panel.sentence.endswith("Paths of 0 to 1 branches carry 100 % of the squared length.")


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "gain"), [(24, 0.4), (54, 0.5), (54, 0.05), (54, 1.5), (1, 1.5)])
def test_random_stacks_share_their_length_as_the_binomial_says(depth, gain):
    _, _, shares, measured = unrolled()._compute(depth, gain)
    assert measured.shape == (depth + 1, 3)
    assert np.allclose(measured.sum(0), 1)
    lengths = np.arange(depth + 1)
    assert np.allclose(lengths @ measured, lengths @ shares, rtol=0.25, atol=0.05)


def test_the_lesion_bench_deletes_and_swaps_what_it_says():
    panel = PANELS["lesion_bench"]()
    start = r"residual, 1/√L: blocks 5 to 8 deleted: accuracy 0.\d\d; untouched 0.\d\d."
    assert re.fullmatch(start, panel.sentence)
    drag(panel, "swaps", 1)
    assert "blocks 5 to 8 deleted and 1 swap of neighbours: acc" in panel.sentence
    for values, said in (
        ({"first": 20, "many": 24, "swaps": 2}, "blocks 20 to 24 deleted and 2 swaps of neigh"),
        ({"first": 24, "many": 2, "swaps": 0}, "block 24 deleted: accuracy"),
        ({"first": 2, "many": 24, "swaps": 40}, "blocks 2 to 24 deleted, none left to swap: acc"),
        ({"first": 1, "many": 24, "swaps": 0}, "all blocks deleted: accuracy"),
        ({"first": 9, "many": 0, "swaps": 0}, "no block deleted: accuracy"),
        ({"net": "pre-norm", "first": 20, "many": 9}, "pre-norm: no block deleted: accuracy"),
        ({"net": "pre-norm", "first": 5, "many": 9}, "pre-norm: blocks 5 to 6 deleted: accuracy"),
    ):
        assert said in panel.set(**values).sentence


def test_the_lesion_bench_measures_the_net_that_is_left():
    torch.manual_seed(0)
    net, digits = recipes.classifier("residual, 1/√L", 6), data.digits()
    panel = lesion_bench({"net": net}, digits.x_test, digits.y_test, first=1, many=0)
    x, y = torch.from_numpy(digits.x_test), torch.from_numpy(digits.y_test)

    def accuracy(order):
        middle = net[1].only(order) if order else torch.nn.Identity()
        return (net[2](middle(net[0](x))).argmax(1) == y).float().mean().item()

    *_, single, now, untouched = panel._compute("net", 1, 0, 0)
    assert now == untouched == pytest.approx(accuracy(list(range(6))))
    assert single[2] == pytest.approx(accuracy([0, 1, 3, 4, 5]))
    assert panel._compute("net", 3, 1, 0)[-2] == pytest.approx(single[2])
    assert panel._compute("net", 1, 6, 9)[-2] == pytest.approx(accuracy([]))
    # one swap changes the places of two neighbours
    swapped = [accuracy([*range(i), i + 1, i, *range(i + 2, 6)]) for i in range(5)]
    assert min(abs(panel._compute("net", 1, 0, 1)[-2] - each) for each in swapped) < 1e-6
    assert panel.controls["swaps"].max == MAX_SWAPS


def test_the_lesion_bench_wants_stacks_that_can_be_cut():
    x, y = np.ones((2, 64)), np.zeros(2)
    with pytest.raises(ValueError, match="at least one net is needed"):
        lesion_bench({}, x, y)
    other = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(3)))
    with pytest.raises(ValueError, match=r"'other' has \['Linear', 'Linear', 'Linear'\]"):
        lesion_bench({"other": other}, x, y)
    one_block = blocks.StochasticDepth(1, 64, Wiring(), gate=0.0)
    panel = lesion_bench({"one": torch.nn.Sequential(other[0], one_block, other[2])}, x, y)
    assert panel.sentence.startswith("one: all blocks deleted: accuracy")
    assert one_block.training, "the reader's net stays as it was"


def falls(errors):
    """The slope of the errors from depth 16 on, both axes logarithmic."""
    return np.polyfit(np.log(DEPTHS[4:]), np.log(errors[4:]), 1)[0]


def test_only_steps_of_1_over_L_bring_more_blocks_closer_to_the_flow():
    panel = depth_as_time()
    curves = {
        (step, weights): panel._compute(64, step, weights)[2]
        for step in ("1/L", "1/√L", "1")
        for weights in ("shared", "fresh")
    }
    assert falls(curves["1/L", "shared"]) == pytest.approx(-1, abs=0.03)
    assert falls(curves["1/L", "fresh"]) == pytest.approx(-0.5, abs=0.1)
    for step in ("1/√L", "1"):
        for weights in ("shared", "fresh"):
            assert curves[step, weights][4:].min() > 1
    for (step, weights), errors in curves.items():  # the dot lies on the curve
        assert panel._compute(64, step, weights)[3] == errors[6]


def test_depth_as_time_says_how_far_the_flow_is():
    panel = depth_as_time()
    assert panel.sentence == (
        "8 blocks with the step 1/L and shared weights: the 12 points end 0.065 from the flow on "
        "average, with 16 blocks 0.032."
    )
    panel.set(depth=64, weights="fresh")
    assert panel.sentence.startswith("64 blocks with the step 1/L and fresh weights: the 12 po")
    assert "from the flow of the mean branch on average, with 128 blocks" in panel.sentence
    assert len(panel._drawing.artists[1].get_xdata()) == 12 * (65 + 1)
    panel.set(depth=1, step="1", weights="shared")
    assert panel.sentence.startswith("1 block with the step 1 and shared weights: the 12 points")
    panel.set(depth=128, step="1/√L")
    assert panel.sentence.startswith("128 blocks with the step 1/√L and shared weights: the 12")
    assert panel._drawing.artists[-1].get_xdata() == [128]


def test_the_stepper_says_what_stands_at_each_step_and_what_comes_back():
    panel = block_stepper(step=9)
    assert panel.sentence.startswith("Step 9 of 9, h + F(h) (5, 8): F(h) is ")
    assert panel.sentence.endswith("the gradient's length here is 1.00 times that at the output.")
    drag(panel, "step", 3)
    assert "Step 3 of 9, attention weights (2, 5, 5): each row sums to 1.00; " in panel.sentence
    panel.set(mask="causal")
    assert "each row sums to 1.00, 20 of 50 are 0; " in panel.sentence
    drag(panel, "step", 2)
    assert "queries, keys, values (3, 2, 5, 4): one head's query is " in panel.sentence
    drag(panel, "step", 7)
    assert "inner layer after ReLU (5, 16): " in panel.sentence
    drag(panel, "step", 0)
    assert "stream h (5, 8): each token is " in panel.sentence
    panel.set(step=9, norm="post")
    assert "norm of the sum (5, 8): each token has mean 0.00 and is 2.83 long" in panel.sentence


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("mask", ["none", "causal"])
def test_the_stepper_keeps_its_colours_and_shows_every_number(norm, mask):
    panel, scales = block_stepper(norm=norm, mask=mask), {}
    for step in range(10):
        drag(panel, "step", step)
        image, gradient = panel._drawing.artists[2], panel._drawing.artists[6]
        kind = "weights" if "weights" in panel.sentence else "tensor"
        for part in (image, gradient):
            low, high = part.get_clim()
            assert -low == high >= abs(part.get_array()).max()
        scales.setdefault(kind, set()).add((image.get_clim(), gradient.get_clim()))
    assert {kind: len(found) for kind, found in scales.items()} == {"weights": 1, "tensor": 1}


@pytest.fixture
def sure_of_itself(monkeypatch):
    """A net, and a task whose right answers are what it writes."""
    torch.manual_seed(0)
    net = EncoderDecoder(len(data.WORDS), len(data.DIGITS), 8, 16, n_heads=4, depth=2)
    task = data.numbers()
    written = net.write(torch.from_numpy(task.words_test), data.START, data.END, 6).numpy()
    numbers = data.Numbers(task.words_train, task.digits_train, task.words_test, written)
    monkeypatch.setattr(data, "numbers", lambda: numbers)
    return net


def bar(panel):
    return panel._drawing.artists[1].get_width()


def test_a_net_without_some_skips_is_the_one_that_was_cut(sure_of_itself):
    net = sure_of_itself
    panel = which_skip(net, numbers=[40_318, 7])
    assert panel.sentence.startswith("Every skip at 1.00: 100 of 100 numbers right; intact 100. ")
    drag(panel, "decoder_cross", 0.0)
    assert panel.sentence.startswith(f"Decoder cross-attention at 0.00: {bar(panel)} of 100 ")
    assert bar(panel) < 100
    weakened = panel.set(encoder_feed=0.0)._drawing.artists[0].get_array()
    assert "Encoder feed-forward at 0.00, decoder cross-attention at 0.00: " in panel.sentence
    assert net.decoder[0].cross.wiring.a == 1, "the reader's own net stays as it was"
    cut_skips(net.decoder, "cross")
    cut_skips(net.encoder, "feed")
    panel = which_skip(net, numbers=[40_318])
    assert np.allclose(panel._drawing.artists[0].get_array(), weakened)
    drag(panel, "encoder_feed", 0.5)  # half of none is none
    assert np.allclose(panel._drawing.artists[0].get_array(), weakened)


def test_bars_show_the_net_with_one_kind_of_skip_removed(sure_of_itself):
    panel = which_skip(sure_of_itself)
    _, right = panel.figure.axes
    intact, _, *alone = [patch.get_width() for patch in right.patches]
    assert intact == 100
    for name, expected in zip(list(panel.controls)[:5], alone, strict=True):
        panel.set(**dict.fromkeys(list(panel.controls)[:5], 1.0) | {name: 0.0})
        assert bar(panel) == expected
    panel.set(**dict.fromkeys(list(panel.controls)[:5], 0.0))
    assert panel.sentence.startswith("Every skip at 0.00: ")


def test_the_menu_shows_another_number_word_by_word():
    panel = PANELS["which_skip"](numbers=[40_318, 7])
    image, _, _, *texts = panel._drawing.artists
    assert [text.get_text() for text in texts if text.get_text()] == [
        "forty", "thousand", "three", "hundred", "and", "eighteen", *"40318", "end",
    ]  # fmt: skip
    assert np.allclose(image.get_array().sum(0), 1)  # each digit spends 1 on the words
    panel.set(number=7)
    assert [text.get_text() for text in texts if text.get_text()] == ["seven", "7", "end"]
    assert np.allclose(image.get_array().sum(0), [1, 1, 0, 0, 0, 0])
    assert panel.sentence.endswith("The first digit of 7 looks most at seven.")
    with pytest.raises(ValueError, match="got 100000"):
        PANELS["which_skip"](numbers=[100_000])
