"""A residual block with batch norm that starts as the identity and can learn."""

import numpy as np

from course_utils.checks.lesson_05 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Property, normal_case, probe_beside
from course_utils.judging.values import kind_of, show


def _identity_case(title, batch, width, held_back=False):
    return normal_case(title, x=(batch, width), target=(batch, width), held_back=held_back)


_MODES = {
    "train": "in train mode",
    "eval": "in eval mode",
    "eval after train": "in eval mode, after one pass in train mode,",
}


_REPORT = {"norms": int, "matrices": list, "live": list, "moved": float}


def _output_fault(arguments, value):
    want = arguments["x"].shape
    if not isinstance(value, dict):
        return f"expected a block's outputs, got {kind_of(value)}"
    for key, mode in _MODES.items():
        got = value.get(key)
        if not expect.is_array(got, want, "f"):
            return f"expected an output of shape {want} {mode} got {kind_of(got)}"
    odd = [key for key, kind in _REPORT.items() if not isinstance(value.get(key), kind)]
    return f"the block could not be measured: {', '.join(odd)}" if odd else ""


def _parts_fault(arguments, value):
    if value["norms"] and len(value["matrices"]) >= 2:
        return ""
    return (
        "expected a batch norm that forward uses and two weight matrices, got "
        f"{value['norms']} nn.BatchNorm1d and the matrices {show(value['matrices'])}"
    )


def _identity_fault(arguments, value):
    x = arguments["x"]
    for key, mode in _MODES.items():
        difference = np.abs(value[key] - x).max()
        if not difference <= 1e-9 * np.abs(x).max():
            kept = np.allclose(value[key], np.maximum(x, 0), rtol=0, atol=1e-9)
            nothing = not value[key].any()
            note = (
                " The negative entries of x come out as 0: what sits on the sum?" if kept else
                " It returns 0: where is the shortcut?" if nothing else ""
            )  # fmt: skip
            return (
                f"{mode} the new block should return x, an entry differs by {difference:.3g}.{note}"
            )
    return ""


def _learning_fault(arguments, value):
    dead = [name for name in value["matrices"] if name not in value["live"]]
    if dead:
        others = ", ".join(name for name in value["live"] if name not in dead) or "nothing"
        return (
            f"in each of the first 5 steps the gradient of {' and '.join(dead)} is 0, so training "
            f"can never change it; a gradient reaches {others}. One factor of 0 between the "
            "branch and the sum is enough, and it must be able to move"
        )
    if not value["moved"] > 1e-9:
        return (
            "after 5 steps of gradient descent the block still returns x, an entry differs by "
            f"{value['moved']:.3g}: what it learns has to reach the output"
        )
    return ""


EXERCISE = Exercise(
    name="IdentityStart",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    probe=probe_beside(__name__),
    cases=(
        _identity_case("sixteen examples of width 6", 16, 6),
        _identity_case("five examples of width 3", 5, 3),
        _identity_case("thirty examples of width 8", 30, 8, held_back=True),
    ),
    properties=(
        Property("an output of the shape of x", _output_fault),
        Property("a batch norm and two weight matrices", _parts_fault),
        Property("the identity at the start, in both modes", _identity_fault),
        Property("every weight matrix can learn", _learning_fault),
    ),
    hints=(
        "h + F(h) is the identity if F(h) = 0. A norm on the sum would change h itself.",
        "A batch norm multiplies by its γ, which is bn.weight. Which of the norms comes last?",
        "Only one factor may be 0: nn.init.zeros_ on the last norm's weight, with the matrices "
        "random. Its gradient is not 0, and after one step neither are the others'.",
    ),
)
