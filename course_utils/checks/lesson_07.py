"""Exercises of lesson 07: many paths."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "07_many_paths"


def _paths_case(title, depth, width, a, size, held_back=False):
    def draw(rng):
        M = size / width**0.5 * rng.normal(size=(depth, width, width))
        return {"M": M, "a": a, "x": rng.normal(size=width)}

    return Case(title, draw, held_back)


def _start(M, x):
    """Hold the one path of length 0 before the first block."""
    rows = np.zeros((len(M) + 1, len(x)))
    rows[0] = x
    return rows


def _path_sums(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows = a * rows + np.concatenate([0 * x[None], rows[:-1] @ branch.T])
    return rows


def _front_to_back(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[0] = a * rows[0]
        for k in range(1, len(rows)):
            rows[k] = a * rows[k] + branch @ rows[k - 1]
    return rows


def _row_0_too_early(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[0] = a * rows[0]
        rows[1:] = a * rows[1:] + rows[:-1] @ branch.T
    return rows


def _row_0_kept(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[1:] = a * rows[1:] + rows[:-1] @ branch.T
    return rows


def _one_path_each(M, a, x):
    rows = [x]
    for branch in M:
        rows.append(branch @ rows[-1])
    return np.array([a ** (len(M) - k) * row for k, row in enumerate(rows)])


path_sums = Exercise(
    name="path_sums",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _paths_case("four blocks of width 3", 4, 3, 0.8, 1.0),
        _paths_case("a = 0: a plain net of three layers", 3, 2, 0.0, 1.0),
        _paths_case("thirty blocks: 2³⁰ paths", 30, 5, 0.9, 0.3),
        _paths_case("seven blocks, a shortcut that turns the sign", 7, 4, -0.6, 1.0, True),
    ),
    reference=_path_sums,
    mistakes=(
        Mistake(
            "the shortcut's gain is missing: each shortcut on a path multiplies by a",
            lambda M, a, x: _path_sums(M, 1.0, x),
        ),
        Mistake(
            "you begin with the last block; forwards, M[0] acts on x first",
            lambda M, a, x: _path_sums(M[::-1], a, x),
        ),
        Mistake(
            "you apply each M transposed, as a gradient does; forwards, a branch gives M_l h",
            lambda M, a, x: _path_sums(M.swapaxes(1, 2), a, x),
        ),
        Mistake(
            "that is the way of a gradient: from the last block to the first, each M transposed. "
            "Here x goes forwards",
            lambda M, a, x: _path_sums(M[::-1].swapaxes(1, 2), a, x),
        ),
        Mistake(
            "that is the lesson's sum for a gradient, backwards and with the shortcut gain 1; here "
            "x goes forwards, and each shortcut multiplies by a",
            lambda M, a, x: _path_sums(M[::-1].swapaxes(1, 2), 1.0, x),
        ),
        Mistake(
            "you overwrite row k − 1 before row k uses it, so a path takes one branch more than "
            "once; make new rows for each block, or go from the last row to the first",
            _front_to_back,
        ),
        Mistake(
            "you multiply row 0 by a before row 1 uses it; the branch reads what came before this "
            "block",
            _row_0_too_early,
        ),
        Mistake(
            "row 0 is x itself; the path of length 0 takes every shortcut, and each one multiplies "
            "by a",
            _row_0_kept,
        ),
        Mistake(
            "every block multiplies by a, also where the path takes its branch: a belongs to the "
            "shortcut alone",
            lambda M, a, x: _path_sums(a * M, a, x),
        ),
        Mistake(
            "a stands before the branches; it is the gain of the shortcuts",
            lambda M, a, x: _path_sums(a * M, 1.0, x),
        ),
        Mistake(
            "you send the whole block, a·I + M, on to the next length; a branch is M_l alone",
            lambda M, a, x: _path_sums(M + a * np.eye(len(x)), a, x),
        ),
        Mistake(
            "that is the sum over all lengths, the whole product applied to x; return its parts",
            lambda M, a, x: _path_sums(M, a, x).sum(0),
        ),
        Mistake(
            "you add up the lengths from 0 to k; row k is for paths of exactly that length",
            lambda M, a, x: _path_sums(M, a, x).cumsum(0),
        ),
        Mistake(
            "the order of the rows is reversed: row k belongs to the paths through k branches",
            lambda M, a, x: _path_sums(M, a, x)[::-1],
        ),
        Mistake(
            "the path of length 0 is missing: the shortcut all the way",
            lambda M, a, x: _path_sums(M, a, x)[1:],
        ),
        Mistake(
            "the last row is missing: the path through all branches has the length depth",
            lambda M, a, x: _path_sums(M, a, x)[:-1],
        ),
        Mistake(
            "that is one path of each length, the first k branches and then shortcuts. All choices "
            "of k branches count",
            _one_path_each,
        ),
        Mistake(
            "you return one column per length: transpose it",
            lambda M, a, x: _path_sums(M, a, x).T,
        ),
        Mistake(
            "those are the lengths of the sums; return the vectors",
            lambda M, a, x: np.linalg.norm(_path_sums(M, a, x), axis=1),
        ),
    ),
    hints=(
        "Before the first block there is one path, of length 0, and it carries x: row 0 is x, the "
        "others are 0.",
        "A block sends every path on twice: along the shortcut with the same length and the factor "
        "a, through the branch with one more and M_l applied. Both read the rows from before this "
        "block.",
        "If the sums are rows, sums[:-1] @ M_l.T applies M_l to all of them but the last. Add that "
        "to rows 1 and up of a * sums.",
    ),
)

gain_for_length = Exercise(
    name="gain_for_length",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("54 blocks, paths of 11 branches", L=54, k=11),
        normal_case("24 blocks, paths of 20 branches", L=24, k=20),
        normal_case("100 blocks, paths of 2.5 branches", L=100, k=2.5, held_back=True),
    ),
    reference=lambda L, k: np.sqrt(k / (L - k)),
    mistakes=(
        Mistake(
            "that is g²: the mean length contains the square of the gain, so take the root",
            lambda L, k: k / (L - k),
        ),
        Mistake(
            "that is the share of branches on a path, g²/(1 + g²); solve it for g",
            lambda L, k: k / L,
        ),
        Mistake(
            "that solves L g² = k; in every block the shortcut counts too, hence 1 + g² below",
            lambda L, k: np.sqrt(k / L),
        ),
        Mistake(
            "the ratio is upside down: the longer the paths, the louder the branches",
            lambda L, k: np.sqrt((L - k) / k),
        ),
        Mistake(
            "the ratio is upside down, and that is a square: take the root as well",
            lambda L, k: (L - k) / k,
        ),
        Mistake(
            "a sign is wrong: L g² = k + k g², so g² (L − k) = k",
            lambda L, k: np.sqrt(k / (L + k)),
        ),
        Mistake(
            "you put k in the place of the gain; that is the mean length for the gain k",
            lambda L, k: L * k**2 / (1 + k**2),
        ),
        Mistake(
            "you take the root twice: k/(L − k) is g², and its root is g",
            lambda L, k: (k / (L - k)) ** 0.25,
        ),
    ),
    hints=(
        "Multiply L g²/(1 + g²) = k by 1 + g².",
        "L g² = k + k g². Collect what contains g².",
        "g² (L − k) = k. Divide, and take the root.",
    ),
)

what_lesions_show = choice(
    "what_lesions_show",
    LESSON,
    right="b",
    wrong={
        "a": "B has a shortcut and falls to 0.31; D has none and keeps 0.93",
        "c": "no vote was measured: in all four nets each block works on what the one before it "
        "returned, and was trained together with it. That an accuracy survives does not make its "
        "blocks independent",
        "d": "one block at a time was deleted. If each of them adds a little, any one can go and "
        "all of them cannot; the table does not say what is left without all 16",
        "e": "B is the most accurate of the four, and falls to 0.31; D is less accurate than B and "
        "keeps 0.93",
    },
    points=1,
    required=True,
    minutes=6,
    difficulty=2,
    hints=(
        "Which two nets keep their accuracy? Look for a column in which they agree with each other "
        "and differ from the other two.",
        "Test each sentence on all four rows. One row against it is enough.",
        "Two of the sentences speak of something that the table does not contain at all.",
    ),
)


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


dropped_forward = Exercise(
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

ROUNDING = 1e-5


def _schedule_case(title, depth, budget, held_back=False):
    return normal_case(title, held_back, depth=depth, budget=budget)


def _probability_fault(arguments, value):
    want = (arguments["depth"],)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.shape != want:
        return f"expected an array of shape {want}, got {kind_of(value)}"
    bad = np.flatnonzero(~((value > 0) & (value <= 1 + ROUNDING)))
    if not len(bad):
        return ""
    got = value[bad[0]]
    why = ": a block that never runs never learns" if got == 0 else ""
    return f"expected numbers above 0 and at most 1, got p[{bad[0]}] = {got:.5g}{why}"


def _falling_fault(arguments, value):
    bad = np.flatnonzero(np.diff(value) > ROUNDING)
    if not len(bad):
        return ""
    i = bad[0]
    return (
        f"expected p[{i + 1}] to be at most p[{i}] = {value[i]:.5g}, got {value[i + 1]:.5g}: a "
        "block closer to the output is not to run more often"
    )


def _tilt_fault(arguments, value):
    if arguments["budget"] == arguments["depth"] or value[0] > value[-1]:
        return ""
    return (
        f"expected p[0] above p[{len(value) - 1}], got {value[0]:.5g} for both: fewer than all "
        "blocks run, and the first one is to run more often than the last"
    )


def _sum_fault(arguments, value):
    total, budget = value.sum(), arguments["budget"]
    if abs(total - budget) <= ROUNDING * arguments["depth"]:
        return ""
    side = "many" if total > budget else "few"
    return f"expected the sum {budget:g}, got {total:.6g}: on average too {side} blocks run"


def _line(last):
    """Compute p_l = 1 − l/L · (1 − p_L) for a choice of p_L."""

    def value(depth, budget):
        return 1 - np.arange(1, depth + 1) / depth * (1 - last(depth, budget))

    return value


# the line whose p add up to the budget
_fitted = _line(lambda depth, budget: 1 - 2 * (depth - budget) / (depth + 1))

survival_schedule = Exercise(
    name="survival_schedule",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _schedule_case("nine of twelve blocks", 12, 9.0),
        _schedule_case("half of 24 blocks: the smallest budget", 24, 12.0),
        _schedule_case("a budget for all ten blocks", 10, 10.0),
        _schedule_case("4.2 of seven blocks", 7, 4.2, held_back=True),
        _schedule_case("99.5 of a hundred blocks", 100, 99.5, held_back=True),
    ),
    properties=(
        Property("one probability above 0 and at most 1 per block", _probability_fault),
        Property("no block runs more often than the one before it", _falling_fault),
        Property("the first block runs more often than the last", _tilt_fault),
        Property("as many blocks run on average as the budget says", _sum_fault),
    ),
    mistakes=(
        Mistake(
            "the sum is right, and all blocks are alike: tilt it, as much up at the front as down "
            "at the end",
            lambda depth, budget: np.full(depth, budget / depth),
        ),
        Mistake(
            "the lesson's line starts at p_1 = 1 − (1 − p_L)/L, a little below 1, so its mean is "
            "not (1 + p_L)/2. Add up the l from 1 to L: L (L + 1)/2",
            _line(lambda depth, budget: 2 * budget / depth - 1),
        ),
        Mistake(
            "a line from exactly 1 has the right sum, and its last block gets 0 when the budget is "
            "depth/2: start a little below 1",
            lambda depth, budget: np.linspace(1, 2 * budget / depth - 1, depth),
        ),
        Mistake(
            "that is the lesson's rule with p_L = 1/2, by which about three quarters of the blocks "
            "run; the budget has to decide how far p falls",
            _line(lambda depth, budget: 0.5),
        ),
        Mistake(
            "you take p_L = budget/depth: that is to be the mean of all p, and the last one lies "
            "below the mean",
            _line(lambda depth, budget: budget / depth),
        ),
        Mistake(
            "the first blocks always run and the others never: that is a shallower net, not one "
            "whose blocks all learn",
            lambda depth, budget: (np.arange(depth) < budget).astype(float),
        ),
        Mistake(
            "the line has the right sum and runs the wrong way: it is the first block that runs "
            "most often",
            lambda depth, budget: _fitted(depth, budget)[::-1],
        ),
    ),
    hints=(
        "Take a shape that falls and has one free number, such as 1 − c · l with l = 1 … depth.",
        "The sum of 1 − c · l is depth − c · depth (depth + 1)/2. Set it equal to the budget and "
        "solve for c. Or halve an interval until the sum fits.",
        "c = 2 (depth − budget)/(depth (depth + 1)). Is the last p above 0 for budget = depth/2?",
    ),
)

EXERCISES = (path_sums, gain_for_length, what_lesions_show, dropped_forward, survival_schedule)
