"""The share of the sequences that are right to the last digit."""

import numpy as np

from course_utils.checks.lesson_12 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake

# how often each kind occurs tells the mistakes apart
_KINDS = (0, 5, 4, 3, 1, 0, 5, 4, 2, 3, 0, 5, 4, 6, 5)


def _written_case(title, batch, steps, pad, held_back=False):
    def draw(rng):
        tokens = np.setdiff1d(np.arange(13), [pad])
        target = np.full((batch, steps), pad)
        predicted = rng.choice(tokens, (batch, steps))
        for row in range(batch):
            kind = _KINDS[row % len(_KINDS)]
            length = steps if kind == 2 else int(rng.integers(3, steps))
            target[row, :length] = predicted[row, :length] = rng.permutation(tokens)[:length]
            other = rng.permutation(np.setdiff1d(tokens, target[row]))[0]
            if kind == 1:  # right, and padded as well
                predicted[row, length:] = pad
            elif kind == 2:  # wrong at the last step
                predicted[row, -1] = other
            elif kind == 3:  # ends one step early
                predicted[row, length - 1 :] = pad
            elif kind == 4:  # the right tokens in another order
                predicted[row, :length] = np.roll(predicted[row, :length], 1)
            elif kind == 5:  # wrong at the first step
                predicted[row, 0] = other
            elif kind == 6:  # wrong in the middle
                predicted[row, 1] = other
        return {"predicted": predicted, "target": target, "pad": pad}

    return Case(title, draw, held_back)


def _counts(predicted, target, pad):
    return target != pad


def _every(right, counts):
    return (right | ~counts).all(1)


def _exact(counts=_counts, row=_every, over=np.mean):
    """Compute the answer in which places, rows and batch are judged in this way."""

    def value(predicted, target, pad):
        return float(over(row(predicted == target, counts(predicted, target, pad))))

    return value


def _share_of_row(right, counts):
    return (right & counts).sum(1) / counts.sum(1)


def _start_of_row(right, counts):
    return (np.logical_and.accumulate(right | ~counts, 1) & counts).sum(1) / counts.sum(1)


def _same_tokens(predicted, target, pad):
    counts = target != pad
    pairs = zip(predicted, target, counts, strict=True)
    return float(np.mean([sorted(p[c]) == sorted(t[c]) for p, t, c in pairs]))


def _share_of_tokens(predicted, target, pad):
    return float((predicted == target)[target != pad].mean())


EXERCISE = Exercise(
    name="exact_matches",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=7,
    difficulty=1,
    kind="function",
    cases=(
        _written_case("fifteen sequences, padded with 0", 15, 6, 0),
        _written_case("nineteen sequences, padded with 12", 19, 8, 12),
        _written_case("one sequence", 1, 5, 3),
        _written_case("forty sequences", 40, 7, 1, held_back=True),
        _written_case("two sequences", 2, 9, 0, held_back=True),
    ),
    reference=_exact(),
    mistakes=(
        Mistake(
            "that is the share of the tokens that are right; a sequence counts only if all of its "
            "own are",
            _share_of_tokens,
        ),
        Mistake(
            "that is the share of all places that agree, padding included; ask for each sequence "
            "whether all of its own are right",
            _exact(row=lambda right, counts: right),
        ),
        Mistake(
            "you divide the right tokens by all places, padding included; ask for each sequence "
            "whether all of its own are right",
            _exact(row=lambda right, counts: right & counts),
        ),
        Mistake(
            "you average each sequence's share of right tokens; a sequence is right or it is not",
            _exact(row=_share_of_row),
        ),
        Mistake(
            "you count how far each sequence gets before its first mistake; with one mistake it "
            "counts for nothing",
            _exact(row=_start_of_row),
        ),
        Mistake(
            "you compare the padding too; what is predicted behind the end of the target does not "
            "count",
            _exact(row=lambda right, counts: right.all(1)),
        ),
        Mistake(
            "you leave out the places where the prediction is padding; it is the target that says "
            "which ones count. So a prediction that stops early passes",
            _exact(counts=lambda predicted, target, pad: predicted != pad),
        ),
        Mistake(
            "you leave out the places where either of the two is padding; a prediction that stops "
            "early is wrong, and only the target says which places count",
            _exact(counts=lambda predicted, target, pad: (predicted != pad) & (target != pad)),
        ),
        Mistake(
            "you take 0 for the padding; `pad` says which token it is",
            _exact(counts=lambda predicted, target, pad: target != 0),
        ),
        Mistake(
            "one right token is enough in your count; all of them have to be",
            _exact(row=lambda right, counts: (right & counts).any(1)),
        ),
        Mistake(
            "a place that does not count must pass, whatever stands there; you ask of every place "
            "that it is right and counts",
            _exact(row=lambda right, counts: (right & counts).all(1)),
        ),
        Mistake(
            "your `all` runs down the batch: it finds the steps at which every sequence is right",
            _exact(row=lambda right, counts: (right | ~counts).all(0)),
        ),
        Mistake(
            "you leave out the first step; the targets here begin with the first digit, not with "
            "a start",
            _exact(row=lambda right, counts: _every(right[:, 1:], counts[:, 1:])),
        ),
        Mistake(
            "you leave out the last step as well; it counts where it is not padding",
            _exact(row=lambda right, counts: _every(right[:, :-1], counts[:, :-1])),
        ),
        Mistake(
            "the right tokens in any order pass in your count; they have to stand in their places",
            _same_tokens,
        ),
        Mistake(
            "that is the number of right sequences; divide it by how many there are",
            _exact(over=np.sum),
        ),
        Mistake(
            "that is the share of the wrong sequences",
            lambda **given: 1 - _exact()(**given),
        ),
        Mistake(
            "those are percent; a share lies between 0 and 1",
            lambda **given: 100 * _exact()(**given),
        ),
    ),
    hints=(
        "First decide place by place: it is fine if the two tokens agree, or if the place does "
        "not count.",
        "The target says which places count: `target != pad`. Combine two boolean arrays with `|`.",
        "A sequence is right if all places of its row are fine: `.all(1)`. The mean of True and "
        "False is the share of True.",
    ),
)
