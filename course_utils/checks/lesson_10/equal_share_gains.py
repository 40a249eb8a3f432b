"""Gains with which all sublayers change the stream by the same share."""

import numpy as np

from course_utils.checks.lesson_10 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _gains(factor=lambda r: np.sqrt(1 + r**2), shift=0):
    """Compute gains that grow by this factor from one sublayer to the next."""
    return lambda depth, r: r * factor(r) ** (np.arange(depth) + shift)


def _by_sublayer(gain):
    """Compute gains from the number l = 1, 2, … of the sublayer."""
    return lambda depth, r: gain(np.arange(1, depth + 1), r, depth)


EXERCISE = Exercise(
    name="equal_share_gains",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("six sublayers, a share of 0.5", depth=6, r=0.5),
        normal_case("48 sublayers, a share of 0.2", depth=48, r=0.2),
        normal_case("four sublayers, a share of 0.9", depth=4, r=0.9),
        normal_case("thirty sublayers, a share of 0.3", held_back=True, depth=30, r=0.3),
        normal_case("one sublayer, a share of 0.7", held_back=True, depth=1, r=0.7),
    ),
    reference=_gains(),
    mistakes=(
        Mistake(
            "with equal gains the stream grows and the gain does not: the second share is below "
            "the first",
            _gains(factor=lambda r: 1.0),
        ),
        Mistake(
            "you add lengths. At right angles the squares add up: ‖h‖² + b², so the length grows "
            "by √(1 + r²)",
            _gains(factor=lambda r: 1 + r),
        ),
        Mistake(
            "1 + r² is what the squared length grows by; the length grows by its root",
            _gains(factor=lambda r: 1 + r**2),
        ),
        Mistake(
            "r √l holds back the growth that gains of 1 cause. These gains make the stream grow "
            "in another way",
            _by_sublayer(lambda place, r, depth: r * np.sqrt(place)),
        ),
        Mistake(
            "you take the stream that equal gains r would make, 1 + (l − 1) r². Your own gains "
            "grow, and the stream grows faster",
            _by_sublayer(lambda place, r, depth: r * np.sqrt(1 + (place - 1) * r**2)),
        ),
        Mistake(
            "r/√l makes the shares fall even faster: the longer the stream, the louder a sublayer "
            "has to be",
            _by_sublayer(lambda place, r, depth: r / np.sqrt(place)),
        ),
        Mistake(
            "those are the shares that gains of 1 have; asked for are gains with the share r",
            _by_sublayer(lambda place, r, depth: 1 / np.sqrt(place)),
        ),
        Mistake(
            "that is the gain for a stack whose length stays about the same, equal for all; the "
            "share still falls from block to block",
            _by_sublayer(lambda place, r, depth: r / np.sqrt(depth) + 0 * place),
        ),
        Mistake(
            "one sublayer off: b_1 meets the stream at its start, of length 1, so b_1 = r",
            _gains(shift=1),
        ),
        Mistake(
            "those are the lengths of the stream before the sublayers; the gain is r times that",
            lambda depth, r: _gains()(depth, r) / r,
        ),
        Mistake(
            "those are the lengths of the stream after the sublayers; the gain is r times the "
            "length before",
            lambda depth, r: _gains(shift=1)(depth, r) / r,
        ),
        Mistake(
            "those are squares, b²: take the root",
            lambda depth, r: _gains()(depth, r) ** 2,
        ),
        Mistake(
            "a sign is wrong, the stream gets longer: ‖h‖² + b²",
            _gains(factor=lambda r: np.sqrt(1 - r**2)),
        ),
        Mistake(
            "your factor is upside down: the stream grows, so the gains do too",
            _gains(factor=lambda r: 1 / np.sqrt(1 + r**2)),
        ),
        Mistake(
            "you take the share of the stream after the sum; it is that of the stream before",
            _gains(factor=lambda r: 1 / np.sqrt(1 - r**2), shift=1),
        ),
        Mistake(
            "the order is reversed: entry 0 belongs to the sublayer next to the input",
            lambda depth, r: _gains()(depth, r)[::-1],
        ),
    ),
    hints=(
        "Before sublayer l the stream has the length ‖h_l‖, so b_l = r ‖h_l‖. What is ‖h_1‖, and "
        "so b_1?",
        "At right angles the squares add up: ‖h_2‖² = ‖h_1‖² + b_1² = ‖h_1‖² (1 + r²).",
        "In a loop: put r * length into the list, then the length becomes "
        "length * np.sqrt(1 + r**2). It starts at 1.",
    ),
)
