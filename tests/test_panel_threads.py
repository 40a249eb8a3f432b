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

from course_utils import widgets
from course_utils.plots import Drawing
from course_utils.widgets.panel import Panel, slider

PANELS = widgets.panels()
every_panel = pytest.mark.parametrize("name", PANELS)


@pytest.fixture(autouse=True)
def _many_turns():
    """Let threads take turns as often as they can: a race then shows within a few rounds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def places(panel):
    """Four places of each slider, from end to end; of one with fewer, none."""
    if hasattr(panel, "controls"):
        sliders = {name: c for name, c in panel.controls.items() if hasattr(c, "max")}
        every = {
            name: [c.min + i * c.step for i in range(1 + round((c.max - c.min) / c.step))]
            for name, c in sliders.items()
        }
    else:
        every = panel.positions
    found = {
        name: [values[i * (len(values) - 1) // 3] for i in range(4)]
        for name, values in every.items()
        if len(values) >= 4
    }
    return found or pytest.fail("expected a slider with four places or more, got none")


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
def in_peace(name):
    """A panel that one thread alone moves, from test to test."""
    return PANELS[name]()


@pytest.mark.slow
@every_panel
def test_drags_and_a_cell_leave_picture_and_sentence_of_what_the_controls_say(name):
    panel = PANELS[name]()
    for turn in range(12):
        at_once(panel, drags_and_a_cell(panel, places(panel), turn))
        assert faults(panel, in_peace(name)) == []


@pytest.mark.slow
@every_panel
def test_many_threads_that_set_a_panel_raise_nothing(name):
    panel = PANELS[name]()
    moves = places(panel).items()
    there = [(by_code, control, *values) for control, values in moves]
    back = [(by_code, control, *values[::-1]) for control, values in moves]
    at_once(panel, there + back, seconds=1.5)
    assert faults(panel, in_peace(name)) == []


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


@pytest.mark.slow  # ten seconds for all panels
@every_panel
def test_threads_leave_pyplot_alone(name, reader):
    panel = PANELS[name]()
    for turn in range(3):
        at_once(panel, drags_and_a_cell(panel, places(panel), turn))
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
