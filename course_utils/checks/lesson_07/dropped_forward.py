"""Stochastic depth that leaves nothing to do at test time."""

import numpy as np

from course_utils.checks.lesson_07 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _coins_case(title, coins, batch, width, depth, held_back=False):
    def draw(rng):
        return {
            "h": rng.normal(size=(batch, width)),
            "W": rng.normal(size=(depth, width, width)) / width**0.5,
            "p": rng.uniform(0.3, 0.9, size=depth),
            "coins": None if coins is None else np.array(coins),
        }

    return Case(title, draw, held_back)


def _relu_branch(h, W):
    return np.maximum(h @ W.T, 0)


def _forward(
    on=lambda h, F, p: h + F / p,
    test=lambda h, F, p: h + F,
    off=lambda h, F, p: h,
    branch=_relu_branch,
):
    """Compute the answer in which a block that runs, is left out or is tested does these."""

    def value(h, W, p, coins):
        for i, (layer, share) in enumerate(zip(W, p, strict=True)):
            do = test if coins is None else on if coins[i] else off
            h = do(h, branch(h, layer), share)
        return h

    return value


def _flipped(h, W, p, coins):
    return _forward()(h, W, p, None if coins is None else 1 - coins)


def _until_first_off(h, W, p, coins):
    kept = len(W) if coins is None else np.append(coins, 0).argmin()
    return _forward()(h, W[:kept], p[:kept], None if coins is None else coins[:kept])


def _side_by_side(h, W, p, coins):
    shares = np.ones(len(W)) if coins is None else coins / p
    return h + sum(c * _relu_branch(h, layer) for c, layer in zip(shares, W, strict=True))


EXERCISE = Exercise(
    name="dropped_forward",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _coins_case("training: two of four blocks run", [0, 1, 0, 1], 2, 3, 4),
        _coins_case("training: the last of three is left out", [1, 1, 0], 3, 2, 3),
        _coins_case("test time: no coins", None, 2, 3, 4),
        _coins_case("training: four of seven blocks run", [1, 0, 1, 1, 0, 0, 1], 2, 4, 7, True),
        _coins_case("test time: six blocks", None, 3, 2, 6, True),
    ),
    reference=_forward(),
    mistakes=(
        Mistake(
            "the division by p is missing: a block that runs adds F/p while training",
            _forward(on=lambda h, F, p: h + F),
        ),
        Mistake(
            "that is the lesson's way: F while training, p F at test time. Here the training "
            "carries the factor, and the test has none",
            _forward(on=lambda h, F, p: h + F, test=lambda h, F, p: h + p * F),
        ),
        Mistake(
            "you divide while training and multiply at test time; one of the two is enough, and "
            "here the test adds F as it is",
            _forward(test=lambda h, F, p: h + p * F),
        ),
        Mistake(
            "you divide by p at test time too; there every block runs, and adds F",
            _forward(test=lambda h, F, p: h + F / p),
        ),
        Mistake(
            "you multiply by p; a block that runs stands for those times when it does not, so it "
            "adds more, F/p",
            _forward(on=lambda h, F, p: h + p * F),
        ),
        Mistake(
            "you divide by √p, which keeps the mean square of what a block adds; its mean is asked "
            "for",
            _forward(on=lambda h, F, p: h + F / np.sqrt(p)),
        ),
        Mistake(
            "you divide by 1 − p, the probability of being left out; p is that of running",
            _forward(on=lambda h, F, p: h + F / (1 - p)),
        ),
        Mistake(
            "a block that is left out sets the stream to 0; only its branch is left out, h passes "
            "on the shortcut",
            _forward(off=lambda h, F, p: 0 * h),
        ),
        Mistake(
            "you divide the stream as well; only the branch is divided by p",
            _forward(on=lambda h, F, p: (h + F) / p),
        ),
        Mistake(
            "the coins are the wrong way round: 1 means that the block runs",
            _flipped,
        ),
        Mistake(
            "you do not look at the coins: a block with coin 0 adds nothing",
            _forward(off=lambda h, F, p: h + F / p),
        ),
        Mistake(
            "a block with coin 0 still adds F; it adds nothing",
            _forward(off=lambda h, F, p: h + F),
        ),
        Mistake(
            "you stop at the first block that is left out; the later ones still have their turn",
            _until_first_off,
        ),
        Mistake(
            "without coins no block runs in your net; at test time all of them do",
            _forward(test=lambda h, F, p: h),
        ),
        Mistake(
            "every branch reads the input of the stack; block l reads what block l − 1 left",
            _side_by_side,
        ),
        Mistake(
            "the branch is relu(h W_lᵀ): W_l is transposed",
            _forward(branch=lambda h, W: np.maximum(h @ W, 0)),
        ),
        Mistake("the ReLU of the branch is missing", _forward(branch=lambda h, W: h @ W.T)),
        Mistake(
            "the ReLU sits on the sum; it belongs to the branch, and the shortcut stays free",
            _forward(
                on=lambda h, z, p: np.maximum(h + z / p, 0),
                test=lambda h, z, p: np.maximum(h + z, 0),
                branch=lambda h, W: h @ W.T,
            ),
        ),
    ),
    hints=(
        "Three things can happen in a block: it runs while training, it is left out, or it is test "
        "time. What is added to h in each?",
        "The mean of what a block adds is p · (what it adds when it runs). This has to be F, which "
        "is what it adds at test time.",
        "In a loop over l: F = np.maximum(h @ W[l].T, 0). Then h becomes h + F if coins is None, "
        "h + F / p[l] if coins[l] is 1, and stays as it is otherwise.",
    ),
)
