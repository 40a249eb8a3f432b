"""A step with which the stream neither swells nor forgets."""

import numpy as np

from course_utils.checks.lesson_10 import LESSON
from course_utils.checks.lesson_10.rms import rms
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Mistake, Property, probe_beside

LONGEST, KEPT, FELT = 2.0, 0.38, 0.4


def _steady_case(title, depth, seq, d, held_back=False):
    def draw(rng):
        h = rng.normal(size=(seq, d))
        h = h / rms(h)
        f, g = rng.normal(size=(2, depth, seq, d))
        # no branch hands on any of the input, so that the cosine is a matter of the steps alone
        outputs = [part - h * (part * h).mean(-1, keepdims=True) for part in (f, g)]
        f, g = (part / np.sqrt((part**2).mean(-1, keepdims=True)) for part in outputs)
        return {"h": h, "f": f, "g": g}

    return Case(title, draw, held_back)


def _states_fault(arguments, value):
    want, depth = arguments["h"].shape, len(arguments["f"])
    shapes = {
        "states": (depth, *want),
        "again": want,
        "others": want,
        "replaced": (3, *want),
    }
    if fault := expect.measured(value, want, shapes):
        return fault
    bad = np.flatnonzero(~np.isfinite(value["states"]).all((1, 2)))
    return f"expected finite numbers, got others after step {bad[0] + 1}" if len(bad) else ""


def _same_again_fault(arguments, value):
    got = np.abs(value["again"] - value["states"][0]).max()
    if got <= 1e-9:
        return ""
    return (
        f"expected the same output for the same h and f, got another one, by up to {got:.3g}. The "
        "step may know h, f and depth, nothing else"
    )


def _each_token_fault(arguments, value):
    moved = np.abs(value["others"] - value["states"][0])[0].max()
    if moved <= 1e-9:
        return ""
    return (
        "expected row 0 to stay as it is when the other rows of h and f change, it changed by up "
        f"to {moved:.3g}. Over which axis do you take a mean or a length?"
    )


def _rms_fault(arguments, value):
    sizes = np.sqrt((value["states"] ** 2).mean(-1))
    bad = np.argwhere(~((sizes >= 1 / LONGEST) & (sizes <= LONGEST)))
    if not len(bad):
        return ""
    (step, token), depth = bad[0], len(sizes)
    return (
        f"expected between 1/{LONGEST:g} and {LONGEST:g}, the input has 1; after step {step + 1} "
        f"of {depth} row {token} has {sizes[step, token]:.3g}, after step {depth} "
        f"{sizes[-1, token]:.3g}"
    )


def _cosine_fault(arguments, value):
    h, last = arguments["h"], value["states"][-1]
    cosines = (h * last).sum(1) / np.sqrt((h**2).sum(1) * (last**2).sum(1))
    got, depth = cosines.min(), len(value["states"])
    if got >= KEPT:
        return ""
    why = ": next to nothing of it is left" if got < KEPT / 2 else ""
    return (
        f"expected a cosine of at least {KEPT:g} with the input, after all {depth} steps row "
        f"{cosines.argmin()} has {got:.3g}{why}"
    )


def _felt_fault(arguments, value):
    last, depth = value["states"][-1], len(value["states"])
    least = FELT / np.sqrt(depth)
    moved = np.linalg.norm(value["replaced"] - last, axis=-1) / np.linalg.norm(last, axis=-1)
    shares = moved.min(1)
    bad = np.flatnonzero(~(shares >= least))
    if not len(bad):
        return ""
    which = ("first", "middle", "last")[bad[0]]
    why = "" if shares[bad[0]] > 0 else ": it does not count at all"
    return (
        f"expected the last state to move by at least {FELT:g}/√depth = {least:.3g} times its "
        f"length when the {which} of {depth} branches puts out something else, it moves by "
        f"{shares[bad[0]]:.3g} times its length{why}"
    )


def _steady(step):
    """Expect the states that this step makes."""

    def value(h, f, g):
        states = []
        for output in f:
            h = step(h, output, len(f))
            states.append(h)
        return {"states": np.stack(states)}

    return value


def _unit_rms(h):
    return h / rms(h)


def _centred(h):
    return _unit_rms(h - h.mean(1, keepdims=True))


_AS_2017 = (
    "that is post-norm: each step halves the square of what is left of the input. Let h count "
    "more than f in the sum"
)


_DEEPNORM = (
    "that is DeepNorm's α. It is enough there since β makes the branches quieter as well; here "
    "they keep the rms 1, so h has to count more"
)


EXERCISE = Exercise(
    name="steady_stream",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=3,
    kind="module",
    probe=probe_beside(__name__),
    timeout=20.0,
    tolerance=1e-4,  # for the known mistakes alone: with an eps or without
    cases=(
        _steady_case("8 branches", 8, 3, 96),
        _steady_case("256 branches", 256, 3, 64),
        _steady_case("64 branches", 64, 4, 96, held_back=True),
        _steady_case("20 branches", 20, 2, 128, held_back=True),
    ),
    properties=(
        Property("finite numbers of the shape of h", _states_fault),
        Property("equal inputs give equal outputs", _same_again_fault),
        Property("each token by itself", _each_token_fault),
        Property("the rms of every token stays within a factor of 2", _rms_fault),
        Property("the last state still resembles the input", _cosine_fault),
        Property("every branch counts", _felt_fault),
    ),
    mistakes=(
        Mistake("that is h itself: the branches do not count", _steady(lambda h, f, depth: h)),
        Mistake("the shortcut is missing: that is f", _steady(lambda h, f, depth: f)),
        Mistake(
            "that is the sum of pre-norm and Peri-LN: squares of the rms add up, 1 + depth in the "
            "end. Something has to become quieter with depth",
            _steady(lambda h, f, depth: h + f),
        ),
        Mistake(
            "the norm of f changes nothing, f has the rms 1 already: squares of the rms add up, "
            "1 + depth in the end",
            _steady(lambda h, f, depth: h + _centred(f)),
        ),
        Mistake(_AS_2017, _steady(lambda h, f, depth: _unit_rms(h + f))),
        Mistake(_AS_2017, _steady(lambda h, f, depth: _centred(h + f))),
        Mistake(
            "1/√2 holds the rms, and each step halves the square of what is left of the input, as "
            "post-norm does. Let h count more than f",
            _steady(lambda h, f, depth: (h + f) / np.sqrt(2)),
        ),
        Mistake(
            "half of h and half of f: after ten steps a thousandth of the input is left. Let h "
            "count more than f",
            _steady(lambda h, f, depth: (h + f) / 2),
        ),
        *(
            Mistake(
                _DEEPNORM,
                _steady(lambda h, f, depth, norm=norm, k=k: norm((k * depth) ** 0.25 * h + f)),
            )
            for norm in (_unit_rms, _centred)
            for k in (1, 2)
        ),
        Mistake(
            "with f/depth the rms hardly grows, but each branch is too quiet: at right angles "
            "squares add up, and depth of them may add up to about 1",
            _steady(lambda h, f, depth: h + f / depth),
        ),
        Mistake(
            "an average of h and f with the weights 1 − 1/depth and 1/depth: what is random "
            "cancels out in an average, so the stream gets shorter. Weights whose squares add up "
            "to 1 keep it",
            _steady(lambda h, f, depth: (1 - 1 / depth) * h + f / depth),
        ),
        Mistake(
            "the weights 1 − 1/√depth and 1/√depth add up to 1; their squares add up to less, and "
            "the stream gets shorter with every step",
            _steady(lambda h, f, depth: (1 - depth**-0.5) * h + depth**-0.5 * f),
        ),
    ),
    hints=(
        "f is at right angles to h, or nearly: squares of the rms add up. With h + b f the square "
        "is 1 + depth · b² in the end. Which b keeps it below 4?",
        "With a norm on the trunk, norm(α h + f), each step multiplies the cosine with the input "
        "by α/√(α² + 1). Which α keeps √(α²/(α² + 1)) to the power of depth above 0.38?",
        "Both come to the same: a branch may be about 1/√depth as loud as the stream. "
        "h + f / np.sqrt(depth), or α = np.sqrt(depth) with a norm.",
    ),
)
