"""Exercises of lesson 02: the chain rule."""

import numpy as np

from course_utils.checks.exercise import Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "02_chain_rule"

chain_gradients = Exercise(
    name="chain_gradients",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("four slopes", slopes=(4,)),
        normal_case("one slope of -1 among three", slopes=np.array([0.5, -1.0, 0.25])),
        normal_case("twelve slopes", slopes=(12,), held_back=True),
    ),
    reference=lambda slopes: np.array([slopes.prod(), (1 + slopes).prod()]),
    mistakes=(
        Mistake(
            "that is 1 plus the product: every block has its own +1, inside the product",
            lambda slopes: np.array([slopes.prod(), 1 + slopes.prod()]),
        ),
        Mistake(
            "the two are swapped: first plain, then residual",
            lambda slopes: np.array([(1 + slopes).prod(), slopes.prod()]),
        ),
        Mistake(
            "you add along the chain; the chain rule multiplies",
            lambda slopes: np.array([slopes.sum(), (1 + slopes).sum()]),
        ),
        Mistake(
            "both entries are the plain chain: each residual block multiplies by 1 + f",
            lambda slopes: np.array([slopes.prod(), slopes.prod()]),
        ),
        Mistake(
            "those are the gradients after every block; return the two at the end",
            lambda slopes: np.array([slopes.cumprod(), (1 + slopes).cumprod()]),
        ),
        Mistake(
            "that is the size of the gradient; keep its sign",
            lambda slopes: np.abs([slopes.prod(), (1 + slopes).prod()]),
        ),
    ),
    hints=(
        "A plain block multiplies the gradient by f, a residual block by 1 + f.",
        "Multiply along the chain: np.prod.",
        "return np.array([np.prod(slopes), ...]) with the residual factors in the second place.",
    ),
)


def _branch_gradient(x, W1, W2, dH):
    hidden = np.tanh(x @ W1)
    return ((dH @ W2.T) * (1 - hidden**2)) @ W1.T


def _block_case(title, batch, width, hidden, **fields):
    arrays = {"x": (batch, width), "W1": (width, hidden), "W2": (hidden, width)}
    return normal_case(title, **arrays, dH=(batch, width), **fields)


def _if_square(W1, value):
    return value() if W1.shape[0] == W1.shape[1] else None


block_gradient = Exercise(
    name="block_gradient",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=15,
    difficulty=2,
    kind="function",
    cases=(
        _block_case("two examples, a wider branch", 2, 3, 5),
        _block_case("two examples, square matrices", 2, 3, 3),
        _block_case("one example", 1, 4, 2, held_back=True),
    ),
    reference=lambda x, W1, W2, dH: dH + _branch_gradient(x, W1, W2, dH),
    mistakes=(
        Mistake(
            "the identity term is missing: dH itself passes along the shortcut, add it",
            _branch_gradient,
        ),
        Mistake("the branch is missing: you return dH alone", lambda x, W1, W2, dH: dH),
        Mistake(
            "the derivative of tanh is missing between W2 and W1",
            lambda x, W1, W2, dH: dH + dH @ W2.T @ W1.T,
        ),
        Mistake(
            "you multiply by tanh(z); its derivative is 1 − tanh(z)²",
            lambda x, W1, W2, dH: dH + ((dH @ W2.T) * np.tanh(x @ W1)) @ W1.T,
        ),
        Mistake(
            "you apply tanh twice: with z = x W1 the derivative is 1 − tanh(z)²",
            lambda x, W1, W2, dH: dH + ((dH @ W2.T) * (1 - np.tanh(np.tanh(x @ W1)) ** 2)) @ W1.T,
        ),
        Mistake(
            "a gradient goes back through the transposed matrices, W2.T first",
            lambda x, W1, W2, dH: _if_square(
                W1, lambda: dH + ((dH @ W2) * (1 - np.tanh(x @ W1) ** 2)) @ W1
            ),
        ),
        Mistake(
            "you subtract the branch's share: the two ways add",
            lambda x, W1, W2, dH: dH - _branch_gradient(x, W1, W2, dH),
        ),
        Mistake(
            "you add x; the shortcut passes the gradient dH on, not the input",
            lambda x, W1, W2, dH: x + _branch_gradient(x, W1, W2, dH),
        ),
        Mistake(
            "that is the forward pass H; the gradient ∂L/∂x is asked for",
            lambda x, W1, W2, dH: x + np.tanh(x @ W1) @ W2,
        ),
    ),
    hints=(
        "Two ways lead from x to H, so two terms add: one along the shortcut, one through F.",
        "Back through F: times W2.T, times the derivative 1 − tanh(z)², times W1.T.",
        "return dH + ((dH @ W2.T) * (1 - np.tanh(x @ W1) ** 2)) @ ...",
    ),
)

cancelled = choice(
    "cancelled",
    LESSON,
    right="c",
    wrong={
        "a": "a thirtieth would be lost if the blocks' gradients were added; they are multiplied",
        "b": "there is no way around a block: what leaves it is J-transposed times what entered, "
        "and here that is 0",
        "d": "the other 29 blocks multiply what they are given; 0 stays 0",
    },
    points=1,
    required=False,
    minutes=2,
    difficulty=1,
    hints=(
        "What is the Jacobian I + J_F of that block?",
        "The gradient below the block is its transpose times the gradient above it.",
        "I + J_F is 0; whatever the other blocks do, they multiply by it.",
    ),
)


def _weight_gradient(x, A, B, dH, shortcut=1.0, branch=1.0):
    return x.T @ (shortcut * dH + branch * dH @ B.T)


def _linear_case(title, batch, width, **fields):
    arrays = {"x": (batch, width), "A": (width, width), "B": (width, width)}
    return normal_case(title, **arrays, dH=(batch, width), **fields)


weight_gradient = Exercise(
    name="weight_gradient",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _linear_case("four examples of three features", 4, 3),
        _linear_case("two examples of two features", 2, 2),
        _linear_case("one example", 1, 5, held_back=True),
    ),
    reference=_weight_gradient,
    mistakes=(
        Mistake(
            "the shortcut of the second block is missing: dH also reaches h directly",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH, shortcut=0.0),
        ),
        Mistake(
            "the branch of the second block is missing: dH also comes back through B",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH, branch=0.0),
        ),
        Mistake(
            "your result is transposed: entry (i, j) belongs to A[i, j]",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH).T,
        ),
        Mistake(
            "a gradient goes back through B transposed",
            lambda x, A, B, dH: x.T @ (dH + dH @ B),
        ),
        Mistake(
            "A multiplies x, so its gradient contains x, not h",
            lambda x, A, B, dH: (x + x @ A).T @ (dH + dH @ B.T),
        ),
        Mistake(
            "you average over the batch; the loss sums over it",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH) / len(x),
        ),
        Mistake(
            "that is the gradient of B: it contains h and dH; A lies one block below",
            lambda x, A, B, dH: (x + x @ A).T @ dH,
        ),
    ),
    hints=(
        "First find the gradient that arrives at h, the output of the first block.",
        "h reaches H along the shortcut and through B: dh = dH + dH @ B.T",
        "In x A, x stands on the left, so the gradient of A is x.T @ dh.",
    ),
)

BOUND = 10.0


def _stretch(J, b, reverse=False):
    product = np.eye(J.shape[1])
    for block in J[::-1] if reverse else J:
        product = product + b * block @ product  # (I + b J_l) from the left
    return product


def _largest(measure):
    """Find the b at which a measure first reaches the bound, by bisection."""
    low, high = 0.0, 1.0
    while measure(high) <= BOUND:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(middle) <= BOUND else (low, middle)
    return low


def _spectral(J, b, **order):
    product = _stretch(J, b, **order)
    return np.linalg.norm(product, 2) if np.isfinite(product).all() else np.inf


def _gain_fault(arguments, value):
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"expected one number, got {kind_of(value)}"
    if not np.isfinite(value) or value <= 0:
        return f"expected a positive number, got {value:g}"
    return ""


def _reached_fault(arguments, value):
    b = float(value)
    below, above = (_spectral(arguments["J"], factor * b) for factor in (0.998, 1.002))
    if below <= BOUND < above:
        return ""
    side = "smaller" if below > BOUND else "larger"
    return (
        f"expected the b at which the stretch is {BOUND:g}; at b = {b:.4g} it is "
        f"{_spectral(arguments['J'], b):.4g}, so b has to be {side}"
    )


largest_gain = Exercise(
    name="largest_gain",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    tolerance=1e-4,
    cases=(
        normal_case("ten blocks of width 8", J=(10, 8, 8)),
        normal_case("thirty blocks of width 8", J=(30, 8, 8)),
        normal_case("five wide blocks", J=(5, 6, 6), held_back=True),
    ),
    properties=(
        Property("a positive number", _gain_fault),
        Property("a stretch of 10, to within 0.2 % of b", _reached_fault),
    ),
    mistakes=(
        Mistake(
            "the order is reversed: the first block acts first, so it stands on the right",
            lambda J: _largest(lambda b: _spectral(J, b, reverse=True)),
        ),
        Mistake(
            "that is the Frobenius norm, which sums over all directions; the largest stretch is "
            "np.linalg.norm(..., 2)",
            lambda J: _largest(lambda b: np.linalg.norm(_stretch(J, b))),
        ),
        Mistake(
            "you add the blocks' Jacobians; along the stack the factors I + b J multiply",
            lambda J: _largest(lambda b: np.linalg.norm(np.eye(J.shape[1]) + b * J.sum(0), 2)),
        ),
        Mistake(
            "1/√depth is a good start, but not the b that is asked for", lambda J: len(J) ** -0.5
        ),
        Mistake("1/depth is safe, and far from the b that is asked for", lambda J: 1 / len(J)),
    ),
    hints=(
        "Write a helper that returns the stretch of the whole stack for a given b.",
        "Multiply the factors in a loop: product = (I + b J_l) @ product, first block first. "
        "np.linalg.norm(product, 2) is the largest stretch.",
        "In these stacks the stretch grows with b. Double an upper end until it stretches by more "
        "than 10, then halve the interval again and again: bisection.",
    ),
)

EXERCISES = (chain_gradients, block_gradient, cancelled, weight_gradient, largest_gain)
