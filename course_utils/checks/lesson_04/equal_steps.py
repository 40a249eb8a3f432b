"""The steps that another net may take for the same compute."""

import numpy as np

from course_utils.checks.lesson_04 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case

PIXELS, CLASSES = 64, 10


def _weights(depth, width):
    return PIXELS * width + depth * width**2 + CLASSES * width


def _steps_by(count):
    """Compute the answer of somebody who counts weights in another way."""
    return lambda depth, width, steps, new_depth, new_width: (
        steps * count(depth, width) // count(new_depth, new_width)
    )


def _exact(depth, width, steps, new_depth, new_width):
    return steps * _weights(depth, width) / _weights(new_depth, new_width)


EXERCISE = Exercise(
    name="equal_steps",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("deeper", depth=5, width=32, steps=300, new_depth=50, new_width=32),
        normal_case(
            "shallower and wider", depth=20, width=32, steps=400, new_depth=10, new_width=48
        ),
        normal_case(
            "deeper and wider",
            held_back=True,
            depth=3,
            width=16,
            steps=1000,
            new_depth=12,
            new_width=40,
        ),
    ),
    reference=_steps_by(_weights),
    mistakes=(
        Mistake(
            "that many steps would cost a little more than the first net did: round down",
            lambda **given: round(_exact(**given)),
        ),
        Mistake(
            "you round up, so the new net computes more than the first one did: round down",
            lambda **given: int(np.ceil(_exact(**given))),
        ),
        Mistake("only whole steps can be taken: round down", _exact),
        Mistake(
            "a layer has width² weights, and the widths of the two nets may differ; you count "
            "layers",
            _steps_by(lambda depth, width: depth),
        ),
        Mistake(
            "you compare the depths and the widths; a square layer has width² weights, and the "
            "first and the last layer count too",
            _steps_by(lambda depth, width: depth * width),
        ),
        Mistake(
            "the first and the last layer are missing: 64 · width and 10 · width weights",
            _steps_by(lambda depth, width: depth * width**2),
        ),
        Mistake(
            "the last layer is missing: 10 · width weights",
            _steps_by(lambda depth, width: _weights(depth, width) - CLASSES * width),
        ),
        Mistake(
            "the first layer is missing: 64 · width weights",
            _steps_by(lambda depth, width: _weights(depth, width) - PIXELS * width),
        ),
        Mistake(
            "you count the biases as well; the exercise leaves them out",
            _steps_by(
                lambda depth, width: _weights(depth, width) + depth * width + width + CLASSES
            ),
        ),
        Mistake(
            "the ratio is upside down: the net with more weights gets fewer steps",
            lambda depth, width, steps, new_depth, new_width: (
                steps * _weights(new_depth, new_width) // _weights(depth, width)
            ),
        ),
        Mistake(
            "those are equal steps; the nets do not cost the same per step",
            lambda depth, width, steps, new_depth, new_width: steps,
        ),
        Mistake(
            "you take one square layer too few: `depth` of them lie between the first and the last",
            _steps_by(lambda depth, width: _weights(depth - 1, width)),
        ),
    ),
    hints=(
        "Count the weights of one net first: the first layer, `depth` square layers, the last one.",
        "A step costs 6 · batch · weights. The 6 and the batch are the same for both nets.",
        "new steps · new weights ≤ steps · weights. The operator // divides and rounds down.",
    ),
)
