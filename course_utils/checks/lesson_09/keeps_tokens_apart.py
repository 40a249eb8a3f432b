"""A causal step that mixes the tokens and keeps them apart."""

import numpy as np

from course_utils.checks.lesson_09 import LESSON
from course_utils.checks.lesson_09.attention import attend
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Mistake, Property, probe_beside

KEPT, FELT, LONGEST = 0.5, 2e-4, 10.0


def _apart_case(title, seq, width, shared=0.0, held_back=False):
    def draw(rng):
        x, other = rng.normal(size=(2, seq, width)) + shared * rng.normal(size=width)
        return {"x": x, "other": other}

    return Case(title, draw, held_back)


def _mixed_shape_fault(arguments, value):
    want = arguments["x"].shape
    shapes = {
        "y": want,
        "again": want,
        "later": (want[0] - 1, *want),
        "first": want,
        "many": (20, *want),
    }
    return expect.measured(value, want, shapes) or expect.finite(value["y"])


def _again_fault(arguments, value):
    if np.array_equal(value["y"], value["again"]):
        return ""
    got = np.abs(value["y"] - value["again"]).max()
    return f"expected the same output for the same tokens, got another one, by up to {got:.3g}"


def _causal_fault(arguments, value):
    for t, altered in enumerate(value["later"], 1):
        moved = np.abs(altered - value["y"])[:t].max(1)
        bad = np.flatnonzero(~(moved <= 1e-9))
        if len(bad):
            return (
                f"expected row {bad[0]} to stay as it is when the tokens from {t} on change, it "
                f"changed by up to {moved[bad[0]]:.3g}"
            )
    return ""


def _flow_fault(arguments, value):
    change = np.linalg.norm(arguments["other"][0] - arguments["x"][0])
    moved = np.linalg.norm(value["first"] - value["y"], axis=1) / change
    bad = np.flatnonzero(~(moved >= FELT))
    if not len(bad):
        return ""
    return (
        f"expected every row to move at least {FELT:g} times as far as the first token, row "
        f"{bad[0]} moves {moved[bad[0]]:.3g} times as far"
    )


def _now_and_last(values, now, unit=""):
    last = f", after {len(values)} {values[-1]:.3g}{unit}" if now + 1 < len(values) else ""
    return f"{values[now]:.3g}{unit}{last}"


def _length_fault(arguments, value):
    ratios = np.linalg.norm(value["many"], axis=(1, 2)) / np.linalg.norm(arguments["x"])
    bad = np.flatnonzero(~((ratios >= 1 / LONGEST) & (ratios <= LONGEST)))
    if not len(bad):
        return ""
    return (
        f"expected a length between 1/{LONGEST:g} and {LONGEST:g} times that of the input; after "
        f"application {bad[0] + 1} it is {_now_and_last(ratios, bad[0], ' times')}"
    )


def _share(x):
    """Compute the residual: the share of the length in which the tokens differ."""
    apart = np.linalg.norm(x - x.mean(-2, keepdims=True), axis=(-2, -1))
    return apart / np.linalg.norm(x, axis=(-2, -1))


def _apart_fault(arguments, value):
    least, shares = KEPT * _share(arguments["x"]), _share(value["many"])
    bad = np.flatnonzero(~(shares >= least))
    if not len(bad):
        return ""
    return (
        f"expected a residual of at least {least:.3f}, half of the input's; after application "
        f"{bad[0] + 1} it is {_now_and_last(shares, bad[0])}"
    )


def _mix(value):
    return lambda x, other: {"y": value(x)}


def _running_mean(x):
    return x.cumsum(0) / np.arange(1, len(x) + 1)[:, None]


def _neighbour(x):
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _self_attention(x):
    return attend()(x, x, x, len(x))


EXERCISE = Exercise(
    name="keeps_tokens_apart",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=3,
    kind="module",
    probe=probe_beside(__name__),
    cases=(
        _apart_case("ten tokens of width 8", 10, 8),
        _apart_case("eight tokens that share a part", 8, 16, 0.7),
        _apart_case("three tokens", 3, 12),
        _apart_case("twelve tokens", 12, 6, held_back=True),
        _apart_case("six tokens that share a part", 6, 24, 1.0, held_back=True),
    ),
    properties=(
        Property("finite numbers of the shape of x", _mixed_shape_fault),
        Property("nothing is drawn at random", _again_fault),
        Property("no row depends on a later token", _causal_fault),
        Property("every row depends on the first token", _flow_fault),
        Property("the length stays within a factor of 10, 20 times in a row", _length_fault),
        Property("the tokens stay apart, 20 times in a row", _apart_fault),
    ),
    mistakes=(
        Mistake("that is x itself: nothing flows between the positions", _mix(lambda x: x)),
        Mistake(
            "that is the average alone, without a skip: it draws the tokens together each time",
            _mix(_running_mean),
        ),
        Mistake(
            "that is attention alone, without a skip; the lesson shows where it ends",
            _mix(_self_attention),
        ),
        Mistake(
            "the skip is there, and the average is as loud: what the tokens share nearly doubles "
            "each time, what tells them apart does not",
            _mix(lambda x: x + _running_mean(x)),
        ),
        Mistake(
            "half skip, half average: the length is cured, and what tells the tokens apart still "
            "halves each time. How loud does the average have to be?",
            _mix(lambda x: (x + _running_mean(x)) / 2),
        ),
        Mistake(
            "you average over all tokens, the later ones too",
            _mix(lambda x: x + x.mean(0)),
        ),
        Mistake(
            "subtracting the mean of all tokens keeps them apart, and it looks at later ones",
            _mix(lambda x: x - x.mean(0)),
        ),
        Mistake(
            "each row reads its neighbour only, so the first token needs many steps to get to the "
            "end; here one has to do",
            _mix(lambda x: x + _neighbour(x)),
        ),
    ),
    hints=(
        "x.cumsum(0) adds up the tokens so far; divided by 1, 2, 3, … it is a causal average. It "
        "lets information flow and pulls the tokens together. What holds against it?",
        "With x + b · average, what the tokens share grows by about 1 + b each time, and what "
        "tells them apart hardly does. What is 1.05 to the power of 20? Of 1.03?",
        "A b of 0.02 or 0.03 will do. For a louder b subtract what the shared part gains, as "
        "shaped attention does: x + b · (A x − C x), with C x the plain average so far and A x "
        "one that prefers what is near.",
    ),
)
