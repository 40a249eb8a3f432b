"""Where an image shrinks: strides and sizes, stage by stage."""

import numpy as np

from course_utils.checks.lesson_05 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _stages_case(title, channels, size, held_back=False):
    return Case(title, lambda rng: {"channels": np.array(channels), "size": size}, held_back)


def _follow(strides, size, floor=False, before=False):
    """Write strides and sizes below each other."""
    strides, sizes = np.asarray(strides), []
    for stride in strides:
        sizes.append(size)
        size = size // stride if floor else -(-size // stride)
        if not before:
            sizes[-1] = size
    return np.array([strides, sizes])


def _starts(channels):
    """Tell where the number of channels changes."""
    return np.diff(channels, prepend=channels[0]) != 0


def _strides(channels):
    return np.where(_starts(channels), 2, 1)


def _stages(strides, **options):
    return lambda channels, size: _follow(strides(channels), size, **options)


def _first_block(channels):
    return np.arange(len(channels)) == 0


EXERCISE = Exercise(
    name="stage_strides",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=8,
    difficulty=1,
    kind="function",
    cases=(
        _stages_case("three stages of two blocks", [16, 16, 32, 32, 64, 64], 32),
        _stages_case("an odd size, and four times the channels", [8, 8, 8, 32, 32, 64], 15),
        _stages_case("stages of one and of three blocks", [12, 24, 24, 24, 48], 30, True),
    ),
    reference=lambda channels, size: _follow(_strides(channels), size),
    mistakes=(
        Mistake(
            "the strides are the wrong way round: the first stage keeps the size, and every later "
            "one halves it. A published annotated implementation had this bug",
            _stages(lambda channels: np.where(_first_block(channels), 2, 1)),
        ),
        Mistake(
            "the first block halves too: the first stage has the size of its input",
            _stages(lambda channels: np.where(_starts(channels) | _first_block(channels), 2, 1)),
        ),
        Mistake(
            "every block of the later stages halves: only the first one of a stage does",
            _stages(lambda channels: np.where(channels != channels[0], 2, 1)),
        ),
        Mistake(
            "every block halves: only the first one of a later stage does",
            _stages(lambda channels: np.full(len(channels), 2)),
        ),
        Mistake(
            "you halve in the last block of a stage: the block that changes the channels is the "
            "one that halves",
            _stages(lambda channels: np.append(_strides(channels)[1:], 1)),
        ),
        Mistake(
            "no block halves: a new stage has the stride 2 in its first block",
            _stages(lambda channels: np.ones(len(channels), int)),
        ),
        Mistake(
            "your stride is the ratio of the channels; it is 2 however many channels a stage has",
            _stages(lambda channels: channels // np.append(channels[:1], channels[:-1])),
        ),
        Mistake(
            "an odd size is rounded up: with stride 2, a row of 15 pixels has 8 that are used",
            _stages(_strides, floor=True),
        ),
        Mistake(
            "those are the sizes before each block; the sizes after it are asked for",
            _stages(_strides, before=True),
        ),
        Mistake(
            "the rows are swapped: the strides come first",
            lambda channels, size: _follow(_strides(channels), size)[::-1],
        ),
        Mistake(
            "those are the strides alone; the sizes are the second row",
            lambda channels, size: _strides(channels),
        ),
        Mistake(
            "those are the sizes alone; the strides are the first row",
            lambda channels, size: _follow(_strides(channels), size)[1],
        ),
        Mistake(
            "you return one column per block: transpose it, so that the strides are a row",
            lambda channels, size: _follow(_strides(channels), size).T,
        ),
    ),
    hints=(
        "Which blocks start a new stage? Compare each number of channels with the one before it.",
        "The first block has nothing before it, and its stride is 1.",
        "Go through the blocks with a loop: where the stride is 2, size = (size + 1) // 2.",
    ),
)
