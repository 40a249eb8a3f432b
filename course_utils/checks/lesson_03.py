"""Exercises of lesson 03: signal at depth."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "03_signal_at_depth"

uniform_gain = Exercise(
    name="uniform_gain",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("width 64, weights up to 0.25", r=0.25, n=64),
        normal_case("width 100, weights up to 0.3", r=0.3, n=100),
        normal_case("width 50, weights up to 0.5", r=0.5, n=50, held_back=True),
    ),
    reference=lambda r, n: n * r**2 / 6,
    mistakes=(
        Mistake(
            "n is missing: the lesson writes the variance as σ²/n, here it is r²/3 itself, so "
            "σ² = n r²/3",
            lambda r, n: r**2 / 6,
        ),
        Mistake(
            "that is the factor without the ReLU, which takes half of the squared length away "
            "on average",
            lambda r, n: n * r**2 / 3,
        ),
        Mistake(
            "you take r² as the variance; the weights lie between −r and r, and the average of "
            "their squares is r²/3",
            lambda r, n: n * r**2 / 2,
        ),
        Mistake(
            "you take r² as the variance and leave out the ReLU: the variance is r²/3, and the "
            "ReLU halves",
            lambda r, n: n * r**2,
        ),
        Mistake(
            "you take r as the width of the interval; from −r to r it is 2r wide, so the variance "
            "is (2r)²/12 = r²/3",
            lambda r, n: n * r**2 / 24,
        ),
        Mistake(
            "that is half of it: the variance is (2r)²/12 = r²/3, and the ReLU halves once",
            lambda r, n: n * r**2 / 12,
        ),
        Mistake(
            "that is the variance of one weight: n of them are summed, and the ReLU halves",
            lambda r, n: r**2 / 3,
        ),
        Mistake(
            "that is the factor of the length; the squared length is asked for",
            lambda r, n: np.sqrt(n * r**2 / 6),
        ),
        Mistake("1/6 belongs to PyTorch's default, r = 1/√n; here r is given", lambda r, n: 1 / 6),
        Mistake(
            "you divide by n: each output sums n terms, so the variance is multiplied by n",
            lambda r, n: r**2 / (6 * n),
        ),
    ),
    hints=(
        "First the variance of one weight. In the lesson r = 1/√n gave 1/(3n).",
        "The variance of a number uniform in (−r, r) is r²/3. The lesson calls it σ²/n.",
        "χ = σ²/2 with σ² = n · r²/3.",
    ),
)


def _stack_case(title, depth, held_back=False, **given):
    def draw(rng):
        low_high = {"a": (0.5, 1.5), "b": (0.2, 1.0), "g": (0.5, 2.0)}
        drawn = {name: rng.uniform(*ends, size=depth) for name, ends in low_high.items()}
        return {**drawn, **given}

    return Case(title, draw, held_back)


def _factors(a, b, g):
    return a**2 + b**2 * g**2


stack_growth = Exercise(
    name="stack_growth",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _stack_case("four blocks, each of its own kind", 4),
        _stack_case("a plain block between two residual ones", 3, a=np.array([1.0, 0.0, 1.0])),
        _stack_case("twelve blocks", 12, held_back=True),
    ),
    reference=lambda a, b, g: _factors(a, b, g).prod(),
    mistakes=(
        Mistake(
            "you add the factors of the blocks; along the stack they multiply",
            lambda a, b, g: _factors(a, b, g).sum(),
        ),
        Mistake(
            "(a + b g)² counts shortcut and branch as parallel; their product is 0 on average, so "
            "the squares add",
            lambda a, b, g: ((a + b * g) ** 2).prod(),
        ),
        Mistake(
            "a + b g adds lengths; it is the squared lengths that add, a² and b² g²",
            lambda a, b, g: (a + b * g).prod(),
        ),
        Mistake(
            "the shortcut is missing: a block adds a² to b² g²",
            lambda a, b, g: (b**2 * g**2).prod(),
        ),
        Mistake(
            "you take a = 1 in every block; here it is given",
            lambda a, b, g: (1 + b**2 * g**2).prod(),
        ),
        Mistake(
            "a is not squared: a vector that is multiplied by a has a² times its squared length",
            lambda a, b, g: (a + b**2 * g**2).prod(),
        ),
        Mistake(
            "g is not squared: the branch multiplies the squared length by g²",
            lambda a, b, g: (a**2 + b**2 * g).prod(),
        ),
        Mistake(
            "b is not squared: b scales the length of the branch, b² its squared length",
            lambda a, b, g: (a**2 + b * g**2).prod(),
        ),
        Mistake("b is missing: the branch enters as b F(h)", lambda a, b, g: (a**2 + g**2).prod()),
        Mistake(
            "that is the square root, the growth of the length; the squared length is asked for",
            lambda a, b, g: np.sqrt(_factors(a, b, g).prod()),
        ),
        Mistake(
            "g is missing: the branch itself multiplies the squared length by g²",
            lambda a, b, g: (a**2 + b**2).prod(),
        ),
        Mistake(
            "that is the growth after each block; return the last of these numbers",
            lambda a, b, g: _factors(a, b, g).cumprod(),
        ),
        Mistake(
            "those are the factors of the single blocks; multiply them",
            lambda a, b, g: _factors(a, b, g),
        ),
        Mistake(
            "the mean factor to the power of the depth is not the product of different factors",
            lambda a, b, g: _factors(a, b, g).mean() ** len(a),
        ),
        Mistake(
            "you multiply along the shortcuts and along the branches and add at the end; the sum "
            "stands in every block, before the product",
            lambda a, b, g: (a**2).prod() + (b**2 * g**2).prod(),
        ),
        Mistake(
            "you add what the branches bring; every block also multiplies what came before",
            lambda a, b, g: 1 + (b**2 * g**2).sum(),
        ),
    ),
    hints=(
        "Start with one block: which two squared lengths add?",
        "Block l multiplies the squared length by a_l² + b_l² g_l². NumPy squares whole arrays.",
        "The next block multiplies what this one left: np.prod over the factors.",
    ),
)

typical_net = choice(
    "typical_net",
    LESSON,
    right="b",
    wrong={
        "a": "1 is the mean over all nets, and a few very large ones hold it up; in one net a 0.5 "
        "and a 1.5 together give 0.75",
        "c": "up and down do not balance: 0.5 halves and 1.5 does not double, so equally many of "
        "both shrink the product",
        "d": "1.5 compounds, but 0.5 compounds faster: a 0.5 and a 1.5 together give 0.75",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=2,
    hints=(
        "A typical net meets about 50 factors of 0.5 and 50 of 1.5.",
        "In a product the order does not matter: pair each 0.5 with a 1.5.",
        "One pair gives 0.75. What do 50 pairs give?",
    ),
)

leaky_std = Exercise(
    name="leaky_std",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("slope 0.5, width 50", s=0.5, n=50),
        normal_case("slope 1: a linear layer of width 16", s=1.0, n=16),
        normal_case("slope 0.2, width 30", s=0.2, n=30, held_back=True),
    ),
    reference=lambda s, n: np.sqrt(2 / ((1 + s**2) * n)),
    mistakes=(
        Mistake(
            "that is the variance; the standard deviation is its square root",
            lambda s, n: 2 / ((1 + s**2) * n),
        ),
        Mistake(
            "that is He's value for the ReLU; the negative half now also passes, with the slope s",
            lambda s, n: np.sqrt(2 / n),
        ),
        Mistake(
            "s is not squared: an entry that is multiplied by s has s² times its square",
            lambda s, n: np.sqrt(2 / ((1 + s) * n)),
        ),
        Mistake(
            "an entry is either positive or negative, so the squares 1 and s² add, not 1 and s",
            lambda s, n: np.sqrt(2 / ((1 + s) ** 2 * n)),
        ),
        Mistake(
            "the 2 is missing: half of the entries are positive and half negative, so the layer "
            "has the factor σ² (1 + s²)/2",
            lambda s, n: np.sqrt(1 / ((1 + s**2) * n)),
        ),
        Mistake(
            "a leaky ReLU lets more pass, so its weights have to be smaller than He's: divide by "
            "1 + s²",
            lambda s, n: np.sqrt(2 * (1 + s**2) / n),
        ),
        Mistake(
            "(1 + s²)/2 is what the leaky ReLU leaves; the weights have to make up for it, so "
            "divide by it",
            lambda s, n: np.sqrt((1 + s**2) / (2 * n)),
        ),
        Mistake(
            "the width is missing: the variance of one weight is σ²/n",
            lambda s, n: np.sqrt(2 / (1 + s**2)),
        ),
        Mistake(
            "the root of n is missing: the variance is divided by n, so the standard deviation is "
            "divided by √n",
            lambda s, n: np.sqrt(2 / (1 + s**2)) / n,
        ),
        Mistake(
            "the negative half adds to the squared length: 1 + s², not 1 − s²",
            lambda s, n: np.sqrt(2 / ((1 - s**2) * n)) if s < 1 else None,
        ),
        Mistake(
            "that is the end r of the interval for uniform weights; their standard deviation is "
            "r/√3",
            lambda s, n: np.sqrt(6 / ((1 + s**2) * n)),
        ),
    ),
    hints=(
        "Before the activation positive and negative entries are equally likely, and their "
        "squares have the same average.",
        "The positive half keeps its squares, the negative half has them multiplied by s²: the "
        "average factor is (1 + s²)/2 where the ReLU has 1/2.",
        "Set σ² (1 + s²)/2 equal to 1, solve for σ², divide by n, take the square root.",
    ),
)


def _gains_case(title, draw, held_back=False):
    return Case(title, lambda rng: {"g": draw(rng)}, held_back)


# the squares of these average to 1, so that b = 1/√depth has a good growth and bad shares
_ONE_LOUD = np.array([0.6, 0.6, 0.6, 2.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
LOWEST, HIGHEST = 2.0, 3.0


def _array_fault(arguments, value):
    want = arguments["g"].shape
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.shape != want:
        return f"expected an array of shape {want}, got {kind_of(value)}"
    bad = np.flatnonzero(~(np.isfinite(value) & (value > 0)))
    if len(bad):
        return f"expected finite positive numbers, got b[{bad[0]}] = {value[bad[0]]:g}"
    return ""


def _shares(arguments, value):
    return value.astype(float) ** 2 * arguments["g"] ** 2


def _growth_fault(arguments, value):
    growth = (1 + _shares(arguments, value)).prod()
    if LOWEST * 0.9999 <= growth <= HIGHEST * 1.0001:
        return ""
    side = "smaller" if growth > HIGHEST else "larger"
    return (
        f"expected a growth between {LOWEST:g} and {HIGHEST:g}, got {growth:.5g}, so the gains b "
        f"have to be {side}"
    )


def _shares_fault(arguments, value):
    shares = _shares(arguments, value)
    ratios = shares / shares.mean()
    worst = np.argmax(np.abs(np.log2(ratios)))
    if 0.4995 <= ratios[worst] <= 2.001:
        return ""
    side = "smaller" if ratios[worst] > 1 else "larger"
    return (
        f"expected every share between half and twice the average share, {shares.mean():.4g}; "
        f"in block {worst} it is b[{worst}]² g[{worst}]² = {shares[worst]:.4g}, "
        f"{ratios[worst]:.4g} times the average, so b[{worst}] has to be {side} beside the others"
    )


branch_gains = Exercise(
    name="branch_gains",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    cases=(
        _gains_case("ten blocks, one of them louder", lambda rng: _ONE_LOUD.copy()),
        _gains_case(
            "forty blocks with gains from 0.1 to 10",
            lambda rng: 10 ** rng.permutation(np.linspace(-1, 1, 40)),
        ),
        _gains_case(
            "five blocks, the last one 50 times as loud",
            lambda rng: rng.uniform(0.5, 1.5, size=5) * [1, 1, 1, 1, 50],
            held_back=True,
        ),
    ),
    properties=(
        Property("one finite positive number per block", _array_fault),
        Property("a growth of the squared length between 2 and 3", _growth_fault),
        Property("no block is silenced, none dominates", _shares_fault),
    ),
    mistakes=(
        Mistake(
            "1/√depth is right for branches with g = 1; here a loud branch needs a smaller b than "
            "a quiet one",
            lambda g: np.full(len(g), len(g) ** -0.5),
        ),
        Mistake(
            "one b for all blocks tames the sum and leaves the loud branches loud; b has to follow "
            "g block by block",
            lambda g: np.full(len(g), 1 / np.sqrt((g**2).sum())),
        ),
        Mistake(
            "b = 1/g makes all branches equally loud, and each block still doubles the squared "
            "length; the depth is missing",
            lambda g: 1 / g,
        ),
        Mistake(
            "with 1/(g · depth) the stack grows by 1 + 1/depth only: b enters squared, so divide "
            "by √depth",
            lambda g: 1 / (g * len(g)),
        ),
        Mistake(
            "1/(g² · depth) is b², not b: take the square root",
            lambda g: 1 / (g**2 * len(g)),
        ),
        Mistake(
            "the share is b² g², so b is divided by g, not by √g",
            lambda g: 1 / np.sqrt(g * len(g)),
        ),
        Mistake(
            "you multiply by g: then a loud branch becomes louder still",
            lambda g: g / np.sqrt(len(g)),
        ),
        Mistake(
            "shares that add up to 1.5 grow the stack by more than 2.5, since each block also "
            "multiplies what the earlier ones added",
            lambda g: np.sqrt(1.5 / len(g)) / g,
        ),
    ),
    hints=(
        "First the shares, then b. Equal shares meet the demand on the shares by themselves.",
        "If every share is c, the stack grows by (1 + c) to the power of the depth. Which c makes "
        "that about 2.5?",
        "Solve b² g² = c for b, block by block: b = np.sqrt(c) / g.",
    ),
)

EXERCISES = (uniform_gain, stack_growth, typical_net, leaky_std, branch_gains)
