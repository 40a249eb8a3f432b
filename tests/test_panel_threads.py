"""Panels that are moved from several threads at once.

JupyterLab sends the messages of widgets to subshells of the kernel, so a drag runs on one thread
while a cell runs on another.
"""

import contextlib
import functools
import itertools
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from course_utils.plots import Drawing
from course_utils.widgets.block_stepper import block_stepper
from course_utils.widgets.depth_as_time import depth_as_time
from course_utils.widgets.descent import descent
from course_utils.widgets.gradient_norms import gradient_norms
from course_utils.widgets.layer_gradients import layer_gradients
from course_utils.widgets.move_the_norm import move_the_norm
from course_utils.widgets.panel import Panel, slider
from course_utils.widgets.rank_collapse import rank_collapse
from course_utils.widgets.shattered_gradients import shattered_gradients
from course_utils.widgets.start_from_identity import start_from_identity
from course_utils.widgets.unrolled import unrolled
from course_utils.widgets.variance_ledger import variance_ledger
from course_utils.widgets.which_skip import which_skip
from tests.new_nets import bench_of_new_nets

# for each panel, four values of each of its sliders
MOVES = {
    descent: {"learning_rate": [0.05, 0.5, 1.0, 1.7]},
    start_from_identity: {"b": [0.0, 0.1, 0.5, 1.0], "depth": [1, 4, 8, 12]},
    variance_ledger: {"b": [0.0, 0.1, 0.5, 1.0], "depth": [1, 10, 20, 50]},
    layer_gradients: {"a": [0.0, 0.1, 0.5, 1.0], "gamma": [0.2, 0.4, 0.5, 1.0]},
    shattered_gradients: {"b": [0.1, 0.2, 0.5, 1.0], "depth": [1, 5, 10, 20]},
    move_the_norm: {
        "alpha": [0.5, 1.0, 2.0, 4.0],
        "b": [0.1, 0.5, 1.0, 1.5],
        "depth": [2, 12, 48, 96],
    },
    rank_collapse: {"a": [0.0, 0.5, 0.9, 1.0], "b": [0.1, 0.2, 1.0, 1.5], "depth": [1, 4, 12, 24]},
    gradient_norms: {
        "depth": [5, 10, 20, 30],
        "size": [0.1, 0.5, 0.7, 1.5],
        "b": [0.0, 0.15, 0.5, 1.0],
    },
    bench_of_new_nets: {
        "first": [1, 5, 12, 24],
        "many": [0, 4, 12, 24],
        "swaps": [0, 1, 10, 40],
    },
    depth_as_time: {"depth": [1, 8, 64, 128]},
    unrolled: {"depth": [1, 12, 24, 54], "gain": [0.05, 0.4, 1.0, 1.5]},
    block_stepper: {"step": [0, 2, 3, 9]},
    which_skip: {"encoder_attention": [0.0, 0.2, 0.5, 1.0], "decoder_cross": [0.0, 0.3, 0.6, 1.0]},
}
every_panel = pytest.mark.parametrize("make", MOVES, ids=lambda make: make.__name__)


@pytest.fixture(autouse=True)
def _many_turns():
    """Let threads take turns as often as they can: a race then shows within a few rounds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def drag(panel, name, value):
    """Do what a drag in the browser sends, whoever draws the picture."""
    if hasattr(panel, "controls"):
        panel.controls[name].set_state({"value": value})
    else:
        panel._drawing.set_state({name: value})


def by_code(panel, name, value):
    """Do what a cell does."""
    panel.set(**{name: value})


def at_once(panel, moves, seconds=0):
    """Make each move on a thread of its own, all released together; raise what any raised."""
    start = threading.Barrier(len(moves))

    def one(move, name, *values):
        start.wait(10)
        end = time.monotonic() + seconds
        for value in itertools.cycle(values):
            move(panel, name, value)
            if time.monotonic() >= end:
                return

    with ThreadPoolExecutor(len(moves)) as pool:
        for future in [pool.submit(one, *move) for move in moves]:
            future.result(60)


def drags_and_a_cell(panel, values, turn):
    """List the moves of one round: a drag for each model, and a cell that moves a slider, too."""
    names = list(values)
    chosen = names[turn % len(names)]
    # a model gets its messages one by one; where the browser draws, all sliders are one model
    dragged = names if hasattr(panel, "controls") else [chosen]
    # no value comes twice in a row: a browser sends what has changed
    drags = [(drag, name, values[name][2 * turn % 4]) for name in dragged]
    return [*drags, (by_code, chosen, values[chosen][(2 * turn + 1) % 4])]


def shown(panel):
    """Picture and sentence, as a saved notebook has them."""
    bundle, _ = panel._repr_mimebundle_()
    return {"picture": bundle["image/png"], "sentence": bundle["text/plain"]}


def faults(panel, untouched):
    """List what a panel shows otherwise than one that was moved there in peace."""
    expected = shown(untouched.set(**panel.values))
    return [
        f"the {name} is not that of {panel.values}"
        for name, value in shown(panel).items()
        if value != expected[name]
    ]


@functools.cache
def in_peace(make):
    """A panel that one thread alone moves, from test to test."""
    return make()


@pytest.mark.slow
@every_panel
def test_drags_and_a_cell_leave_picture_and_sentence_of_what_the_controls_say(make):
    panel = make()
    for turn in range(12):
        at_once(panel, drags_and_a_cell(panel, MOVES[make], turn))
        assert faults(panel, in_peace(make)) == []


@pytest.mark.slow
@every_panel
def test_many_threads_that_set_a_panel_raise_nothing(make):
    panel = make()
    moves = MOVES[make].items()
    there = [(by_code, name, *values) for name, values in moves]
    back = [(by_code, name, *values[::-1]) for name, values in moves]
    at_once(panel, there + back, seconds=1.5)
    assert faults(panel, in_peace(make)) == []


class Slow:
    """A panel whose state 1 takes until it is told to go on."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()
        figure = Figure()
        (line,) = figure.subplots().plot([0, 1], [0, 0])
        drawing = Drawing(figure, (line,), lambda y: line.set_ydata([0, y]))
        self.panel = Panel(
            {"y": slider("y", 0, 0, 2, 1)}, self.compute, drawing, lambda v, a: f"{v} {a}", {}
        )

    def compute(self, y):
        if y == 1:
            self.begun.set()
            self.go_on.wait(10)
        return (y / 2,)

    def overtaken(self):
        """Move to 1 and, before that is done, to 2; return what is wrong in the end."""
        with ThreadPoolExecutor(2) as pool:
            slow = pool.submit(drag, self.panel, "y", 1)
            assert self.begun.wait(10)
            quick = pool.submit(drag, self.panel, "y", 2)
            with contextlib.suppress(TimeoutError):
                quick.result(0.2)  # without a lock it is done by now
            self.go_on.set()
            slow.result(10)
            quick.result(10)
        return faults(self.panel, Slow().panel)


def test_a_slow_move_does_not_have_the_last_word():
    assert Slow().overtaken() == []


def test_a_panel_without_its_lock_is_noticed():
    slow = Slow()
    slow.panel._lock = contextlib.nullcontext()
    assert slow.overtaken() == ["the picture is not that of {'y': 2}",
                                "the sentence is not that of {'y': 2}"]  # fmt: skip


@pytest.fixture
def reader():
    """What a reader's own pyplot holds: a figure with one axes, the settings."""
    figure = plt.figure()
    figure.add_subplot()
    settings = dict(mpl.rcParams)

    def faults():
        found = []
        if plt.get_fignums() != [figure.number] or plt.gcf() is not figure:
            found.append("another figure is pyplot's")
        if len(figure.axes) != 1 or figure.axes[0].has_data():
            found.append("the reader's figure has changed")
        changed = [key for key, value in mpl.rcParams.items() if value != settings[key]]
        return found + [f"the setting {key} has changed" for key in changed]

    yield faults
    plt.close("all")
    mpl.rcParams.update(settings)


@every_panel
def test_threads_leave_pyplot_alone(make, reader):
    panel = make()
    for turn in range(3):
        at_once(panel, drags_and_a_cell(panel, MOVES[make], turn))
    shown(panel)
    assert reader() == []


@pytest.mark.parametrize(
    ("touch", "fault"),
    [
        (plt.figure, "another figure is pyplot's"),
        (lambda: plt.plot([1, 2]), "the reader's figure has changed"),
        (lambda: plt.rc("lines", linewidth=7), "the setting lines.linewidth has changed"),
    ],
    ids=["figure", "plot", "setting"],
)
def test_a_panel_that_touches_pyplot_is_noticed(touch, fault, reader):
    panel = Slow().panel
    panel._compute = lambda y: (touch(), y)[1:]
    at_once(panel, [(drag, "y", 2)])
    assert reader() == [fault]
