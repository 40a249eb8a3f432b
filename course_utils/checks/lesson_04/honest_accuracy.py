"""A learning rate chosen on one set of digits, its accuracy reported on another."""

import numpy as np

from course_utils.checks.lesson_04 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _runs(title, depths, rates, seeds, held_back=False):
    def draw(rng):
        return {
            name: rng.uniform(0.1, 1, size=(depths, rates, seeds)) for name in ("train", "test")
        }

    return Case(title, draw, held_back)


def _at(values, index):
    """Take one learning rate at each depth."""
    return values[np.arange(len(values)), index]


EXERCISE = Exercise(
    name="honest_accuracy",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _runs("eight depths, three learning rates, five seeds", 8, 3, 5),
        _runs("ten of each", 10, 10, 10),
        _runs("twelve depths, five learning rates, three seeds", 12, 5, 3, held_back=True),
    ),
    reference=lambda train, test: _at(test.mean(2), train.mean(2).argmax(1)),
    mistakes=(
        Mistake(
            "you choose the rate by the test accuracy; then luck on the test digits enters the "
            "choice, and what you report is too good. Choose by `train`",
            lambda train, test: test.mean(2).max(1),
        ),
        Mistake(
            "the rate is right, and you report its training accuracy; report `test`",
            lambda train, test: train.mean(2).max(1),
        ),
        Mistake(
            "you choose one rate for all depths; each depth gets its own",
            lambda train, test: test.mean(2)[:, train.mean((0, 2)).argmax()],
        ),
        Mistake(
            "you choose the rate that holds the best single copy; one lucky seed decides then. "
            "Average over the seeds first",
            lambda train, test: _at(test.mean(2), train.max(2).argmax(1)),
        ),
        Mistake(
            "that is the test accuracy of the copy that trained best, one seed; average over the "
            "seeds",
            lambda train, test: _at(
                test.reshape(len(test), -1), train.reshape(len(train), -1).argmax(1)
            ),
        ),
        Mistake(
            "that is the best single copy on the test digits: it takes both the rate and the seed "
            "by luck",
            lambda train, test: test.max((1, 2)),
        ),
        Mistake(
            "you let every seed have a rate of its own; the seeds are repetitions of one choice",
            lambda train, test: np.take_along_axis(test, train.argmax(1)[:, None], 1)[:, 0].mean(1),
        ),
        Mistake(
            "you let every seed choose its rate by the test accuracy; choose one rate per depth, "
            "by `train`",
            lambda train, test: test.max(1).mean(1),
        ),
        Mistake(
            "you take the best seed at each rate and average over the rates; seeds are averaged, "
            "rates are chosen",
            lambda train, test: test.max(2).mean(1),
        ),
        Mistake(
            "you average over the learning rates as well; a bad rate says nothing about the depth",
            lambda train, test: test.mean((1, 2)),
        ),
        Mistake(
            "the seed is on the last axis, the learning rate on the middle one; you have them the "
            "other way round",
            lambda train, test: _at(test.mean(1), train.mean(1).argmax(1)),
        ),
        Mistake(
            "those are the chosen learning rates' indices; return the test accuracy there",
            lambda train, test: train.mean(2).argmax(1),
        ),
        Mistake(
            "those are all seeds at the chosen rate; return their mean",
            lambda train, test: _at(test, train.mean(2).argmax(1)),
        ),
        Mistake(
            "that is right for each depth, and then averaged over the depths; return one number "
            "per depth",
            lambda train, test: _at(test.mean(2), train.mean(2).argmax(1)).mean(),
        ),
    ),
    hints=(
        "Seeds first: what are the mean accuracies of each depth at each rate?",
        "train.mean(2).argmax(1) is the index of the rate to choose, one for each depth.",
        "Take that entry of test.mean(2) at each depth, in a loop or with "
        "test.mean(2)[np.arange(depths), index].",
    ),
)
