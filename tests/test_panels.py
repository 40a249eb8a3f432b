"""Panels are found, and one that nobody has listed is tested like the others."""

import os
import re
import subprocess
import sys

import pytest

from course_utils import widgets
from course_utils.widgets.panel import Panel
from course_utils.widgets.training_panel import TrainingPanel
from tests import house

SCRATCH = '''
"""A panel that no list names."""

from matplotlib.figure import Figure

from course_utils.plots import Drawing
from course_utils.widgets.panel import Panel, slider


def scratch() -> Panel:
    """Draw a line."""
    figure = Figure()
    (line,) = figure.subplots().plot([0, 1], [0, 1])
    return Panel(
        {"y": slider("height", 0.5, 0.0, 1.0, 0.05)},
        lambda y: (y,),
        Drawing(figure, (line,), lambda y: line.set_ydata([0, y])),
        lambda values, arrays: f"The line rises to {values['y']:.2f}.",
        {"low": {"y": 0.0}, "high": {"y": 1.0}},
    )
'''
JUMPS = "line.axes.set_ylim(0, 1 + y) and line.set_ydata([0, y])"
# what the suite would do, were a scratch panel in widgets/
SUITE = """\
import sys, pytest
from course_utils import widgets
widgets.__path__.append(sys.argv[1])
# how long a move takes is left out: it says more of the machine than of the panel
sys.exit(pytest.main(["-q", "-k", "scratch and not costs", *sys.argv[2:]]))
"""


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Add a file to widgets/, as it were."""

    def write(source, name="scratch"):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return tmp_path

    monkeypatch.setattr(widgets, "__path__", [*widgets.__path__, str(tmp_path)])
    yield write
    for name in [name for name in sys.modules if name.startswith("course_utils.widgets.scratch")]:
        del sys.modules[name]
    vars(widgets).pop("scratch", None)


def test_finding_costs_nothing_before_it_is_asked_for():
    heavy = "{'ipywidgets', 'matplotlib', 'torch', 'numpy'} & set(sys.modules)"
    code = f"import sys, course_utils.widgets; print(sorted({heavy}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_every_file_is_a_panel_or_a_part():
    files = {path.stem for path in (house.PACKAGE / "widgets").glob("*.py")} - {"__init__"}
    assert set(widgets.panels()) | widgets.PARTS == files
    assert not set(widgets.panels()) & widgets.PARTS


def test_panels_are_told_apart_by_what_they_make():
    assert set(widgets.panels(TrainingPanel)) == {"recipe_picker", "train_live"}
    assert set(widgets.panels()) - set(widgets.panels(Panel)) == {"gradient_norms"}


def test_a_new_file_is_a_panel(scratch):
    scratch(SCRATCH)
    assert widgets.panels()["scratch"]().sentence == "The line rises to 0.50."
    assert "scratch" in widgets.panels(Panel)


def test_a_panel_that_needs_arguments_is_made_by_its_example(scratch):
    needs = SCRATCH.replace("def scratch()", "def scratch(x)")
    scratch(needs + "\n\ndef example() -> Panel:\n    return scratch(1)\n")
    assert widgets.panels()["scratch"]().sentence == "The line rises to 0.50."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            SCRATCH.replace("def scratch()", "def other()"),
            "expected scratch.* no such function",
        ),
        (SCRATCH.replace("() -> Panel", "()"), "such as `-> Panel`, got no annotation"),
    ],
    ids=["another name", "no annotation"],
)
def test_a_file_that_makes_no_panel_is_refused(scratch, source, message):
    scratch(source)
    with pytest.raises(LookupError, match=rf"widgets/scratch\.py: .*{message}"):
        widgets.panels()


@pytest.mark.slow
def test_the_suite_reaches_new_panels_and_fails_for_a_flaw_in_one(tmp_path):
    for name, (sound, flaw) in {
        "scratch_sound": ("", ""),
        "scratch_nameless": ('"height"', '""'),
        "scratch_jumps": ("line.set_ydata([0, y])", JUMPS),
    }.items():
        source = SCRATCH.replace("scratch()", f"{name}()").replace(sound, flaw)
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    files = ["tests/test_widgets.py", "tests/test_panel_threads.py"]
    run = subprocess.run(
        [sys.executable, "-c", SUITE, str(tmp_path), "-p", "no:cacheprovider", *files],
        cwd=house.ROOT,
        env={**os.environ, "PYTHONPATH": str(house.ROOT)},
        capture_output=True,
        text=True,
    )
    assert set(re.findall(r"^FAILED \S+::(\S+)", run.stdout, re.M)) == {
        "test_controls_have_names[scratch_nameless]",
        "test_the_frame_stays_where_it_is[scratch_jumps]",
    }
    assert "2 failed, 19 passed" in run.stdout


def test_no_panel_hides_among_the_parts():
    for name in widgets.PARTS:
        source = (house.PACKAGE / "widgets" / f"{name}.py").read_text(encoding="utf-8")
        assert house.no_hidden_panel(name, source) == []


@pytest.mark.parametrize("kind", ["Panel", "TrainingPanel"])
def test_a_panel_among_the_parts_is_noticed(kind):
    source = SCRATCH.replace("return Panel(", f"return {kind}(")
    assert house.no_hidden_panel("scratch", source) == [
        f"widgets/scratch.py makes a {kind} and is in PARTS, so no test reaches it"
    ]


def test_panels_of_another_make_have_tests_of_their_own():
    others = set(widgets.panels()) - set(widgets.panels(Panel))
    files = {path.name for path in (house.ROOT / "tests").glob("test_*.py")}
    assert house.own_tests(others, files) == []
    (fault,) = house.own_tests([*others, "scratch"], files)
    assert fault.endswith("is tested nowhere: expected tests/test_scratch.py")
