"""Exercises of lesson 06: a thousand layers."""

from math import comb

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "06_thousand_layers"


def _gate_case(title, batch, width, **fields):
    shapes = {"x": (batch, width), "W": (width, width), "alpha": (width,), "dH": (batch, width)}
    return normal_case(title, **{**shapes, **fields})


def _tanh_slope(x, W):
    return 1 - np.tanh(x @ W) ** 2


def _gate_gradients(x, W, alpha, dH):
    dz = alpha * dH * _tanh_slope(x, W)
    return {"x": dH + dz @ W.T, "W": x.T @ dz, "alpha": (dH * np.tanh(x @ W)).sum(0)}


def _instead(**parts):
    """Compute what an answer returns in which some entries come about in another way."""

    def value(x, W, alpha, dH):
        right = _gate_gradients(x, W, alpha, dH)
        return right | {name: part(x, W, alpha, dH) for name, part in parts.items()}

    return value


def _both(dz, shortcut=1.0):
    """Let another gradient dz enter both x and W."""
    return _instead(
        x=lambda x, W, alpha, dH: shortcut * dH + dz(x, W, alpha, dH) @ W.T,
        W=lambda x, W, alpha, dH: x.T @ dz(x, W, alpha, dH),
    )


gate_gradients = Exercise(
    name="gate_gradients",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _gate_case("four examples of three features", 4, 3),
        _gate_case("a closed gate: alpha = 0", 2, 3, alpha=np.zeros(3)),
        _gate_case(
            "one example, one feature closed", 1, 2, alpha=np.array([0.0, 0.5]), held_back=True
        ),
    ),
    reference=_gate_gradients,
    mistakes=(
        Mistake(
            "the gate is missing on the way back: what enters the branch is alpha · dH, not dH",
            _both(lambda x, W, alpha, dH: dH * _tanh_slope(x, W)),
        ),
        Mistake(
            "the gradient of x is right, that of W lacks the gate: W lies behind it as well",
            _instead(W=lambda x, W, alpha, dH: x.T @ (dH * _tanh_slope(x, W))),
        ),
        Mistake(
            "the gradient of W is right, that of x lacks the gate",
            _instead(x=lambda x, W, alpha, dH: dH + (dH * _tanh_slope(x, W)) @ W.T),
        ),
        Mistake(
            "the identity is missing in the gradient of x: dH itself passes along the shortcut",
            _both(lambda x, W, alpha, dH: alpha * dH * _tanh_slope(x, W), shortcut=0.0),
        ),
        Mistake(
            "you put the gate on the shortcut; it stands before the branch alone",
            _instead(
                x=lambda x, W, alpha, dH: alpha * (dH + (alpha * dH * _tanh_slope(x, W)) @ W.T)
            ),
        ),
        Mistake(
            "you multiply the gradient of alpha by alpha; H is linear in alpha, so its slope is "
            "F(x), and a closed gate gets a gradient",
            _instead(
                alpha=lambda x, W, alpha, dH: (alpha * dH * np.tanh(x @ W)).sum(0),
            ),
        ),
        Mistake(
            "the gradient of alpha has one row per example; all examples share the gate, so sum "
            "over the batch",
            _instead(alpha=lambda x, W, alpha, dH: dH * np.tanh(x @ W)),
        ),
        Mistake(
            "you average the gradient of alpha over the batch; it sums, as the one of W does",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).mean(0)),
        ),
        Mistake(
            "you sum the gradient of alpha over the features; there is one gate per feature, and "
            "the sum runs over the batch",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).sum(1)),
        ),
        Mistake(
            "you sum the gradient of alpha over everything, as for one gate per block; here every "
            "feature has its own",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).sum()),
        ),
        Mistake(
            "the gradient of alpha lacks the branch: H changes by F(x) when alpha changes by 1",
            _instead(alpha=lambda x, W, alpha, dH: dH.sum(0)),
        ),
        Mistake(
            "the gradient of alpha contains F(x) = tanh(x W), not x W",
            _instead(alpha=lambda x, W, alpha, dH: (dH * (x @ W)).sum(0)),
        ),
        Mistake(
            "the derivative of tanh is missing: 1 − tanh(z)² with z = x W",
            _both(lambda x, W, alpha, dH: alpha * dH),
        ),
        Mistake(
            "you multiply by tanh(z); its derivative is 1 − tanh(z)²",
            _both(lambda x, W, alpha, dH: alpha * dH * np.tanh(x @ W)),
        ),
        Mistake(
            "your gradient of W is transposed: entry (i, j) belongs to W[i, j]",
            _instead(W=lambda x, W, alpha, dH: _gate_gradients(x, W, alpha, dH)["W"].T),
        ),
        Mistake(
            "the gradient of x goes back through W transposed",
            _instead(x=lambda x, W, alpha, dH: dH + (alpha * dH * _tanh_slope(x, W)) @ W),
        ),
    ),
    hints=(
        "Name the pieces: z = x W, F = tanh(z), H = x + alpha · F. Go back from H.",
        "What arrives at F is alpha · dH, at z it is dz = alpha · dH · (1 − F²).",
        'dz goes to x and to W as in lesson 02. For the gate: {"alpha": (dH * F).sum(...), ...}, '
        "summed over the examples.",
    ),
)


def _paths_case(title, depth, a, m, held_back=False):
    def draw(rng):
        return {"a": rng.uniform(*a, size=depth), "m": rng.uniform(*m, size=depth)}

    return Case(title, draw, held_back)


def _by_length(a, m):
    found = np.ones(1)
    for shortcut, branch in zip(a, m, strict=True):
        found = np.append(shortcut * found, 0) + branch * np.append(0, found)
    return found


def _updated_in_place(a, m):
    found = np.zeros(len(a) + 1)
    found[0] = 1
    for shortcut, branch in zip(a, m, strict=True):
        found[0] *= shortcut
        for k in range(1, len(found)):
            found[k] = shortcut * found[k] + branch * found[k - 1]
    return found


def _counts(depth):
    return np.array([comb(depth, k) for k in range(depth + 1)], float)


def _equal_blocks(a, m):
    k = np.arange(len(a) + 1)
    return _counts(len(a)) * a.mean() ** (len(a) - k) * m.mean() ** k


by_path_length = Exercise(
    name="by_path_length",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _paths_case("five blocks", 5, (0.5, 1.5), (-0.4, 1.0)),
        _paths_case("forty blocks: 2⁴⁰ paths", 40, (0.8, 1.1), (-0.1, 0.2)),
        _paths_case("nine blocks", 9, (0.5, 1.5), (-0.4, 1.0), held_back=True),
    ),
    reference=_by_length,
    mistakes=(
        Mistake(
            "the order is reversed: entry k belongs to the paths through k branches, so entry 0 "
            "is the shortcut alone",
            lambda a, m: _by_length(a, m)[::-1],
        ),
        Mistake(
            "you take every shortcut as 1; here block l passes a_l along it",
            lambda a, m: _by_length(np.ones_like(a), m),
        ),
        Mistake(
            "you overwrite entry k − 1 before entry k uses it, so a path takes one branch more "
            "than once; go from the end, or make a new array for each block",
            _updated_in_place,
        ),
        Mistake(
            "those are shares, they add up to 1; return the contributions themselves",
            lambda a, m: _by_length(a, m) / _by_length(a, m).sum(),
        ),
        Mistake(
            "that is how many paths there are of each length; each one carries the product of its "
            "factors",
            lambda a, m: _counts(len(a)),
        ),
        Mistake(
            "the number of paths times a product of averages would be right for equal blocks; "
            "these differ",
            _equal_blocks,
        ),
        Mistake(
            "that is the sum over all lengths, the gain of the whole stack; return its parts",
            lambda a, m: (a + m).prod(),
        ),
        Mistake(
            "you add up the lengths from 0 to k; entry k is for paths of exactly that length",
            lambda a, m: _by_length(a, m).cumsum(),
        ),
        Mistake(
            "the path of length 0 is missing: the shortcut all the way",
            lambda a, m: _by_length(a, m)[1:],
        ),
        Mistake(
            "that is the size of each contribution; keep its sign",
            lambda a, m: np.abs(_by_length(a, m)),
        ),
        Mistake(
            "you take each branch as |m|; where m is negative its paths count against the others",
            lambda a, m: _by_length(a, np.abs(m)),
        ),
        Mistake(
            "that is one path of each length: the first k branches, then shortcuts. All choices "
            "of k branches count",
            lambda a, m: np.array([m[:k].prod() * a[k:].prod() for k in range(len(a) + 1)]),
        ),
    ),
    hints=(
        "Begin with no block: one path, of length 0, that carries 1.",
        "A block sends every path on twice: along its shortcut with the same length and the "
        "factor a_l, through its branch with length + 1 and the factor m_l.",
        "new = np.append(a_l * old, 0) + m_l * np.append(0, old), block after block. The same "
        "numbers are the coefficients of the product of the a_l + m_l t.",
    ),
)

first_step = choice(
    "first_step",
    LESSON,
    right="c",
    wrong={
        "a": "each of these branches is about as long as the stream and adds to it: 400 of them "
        "overflow",
        "b": "the output is the input, but the gradient of W is multiplied by the gate, and that "
        "is 0: in the first step the gates alone move",
        "d": "relu(0) is 0, and so is its derivative in PyTorch: neither the gate nor W gets a "
        "gradient, in this step or in any other",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=2,
    hints=(
        "Take one block and write down the gradients of g and of W.",
        "The gradient of W contains g as a factor, that of g contains relu(W h).",
        "Both are not zero only if neither g nor relu(W h) is 0. And 400 · g has to stay small.",
    ),
)


def _fixup(exponent, start=lambda n: np.sqrt(2 / n)):
    """Compute the answer with another power of L or another start."""
    return lambda L, m, n: start(n) * float(L) ** exponent(m)


fixup_std = Exercise(
    name="fixup_std",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=7,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("50 branches of two layers", L=50, m=2, n=64),
        normal_case("400 branches of three layers", L=400, m=3, n=32),
        normal_case("27 branches of four layers", L=27, m=4, n=100, held_back=True),
    ),
    reference=_fixup(lambda m: -1 / (2 * m - 2)),
    mistakes=(
        Mistake(
            "that lets the activations shrink by 1/L; the change of F contains their square, so "
            "they need to shrink by 1/√L only",
            _fixup(lambda m: -1 / (m - 1)),
        ),
        Mistake(
            "you count m layers; the last one starts at 0, and s stands before the other m − 1",
            _fixup(lambda m: -1 / (2 * m)),
        ),
        Mistake(
            "1/√L is right for two layers; with more of them several share the work",
            _fixup(lambda m: -0.5),
        ),
        Mistake(
            "that counts m layers, and the activations once: m − 1 layers carry s, and the change "
            "of F contains the square of what comes through them",
            _fixup(lambda m: -1 / m),
        ),
        Mistake(
            "1/L is too small: s enters the change of F to the power of 2(m − 1)",
            _fixup(lambda m: -1.0),
        ),
        Mistake(
            "the power of L is upside down: the more branches add up, the smaller s",
            _fixup(lambda m: 1 / (2 * m - 2)),
        ),
        Mistake(
            "you solved for L instead of s: s to the power of 2m − 2 is 1/L, so take a root",
            _fixup(lambda m: -(2.0 * m - 2)),
        ),
        Mistake(
            "that is s alone; the standard deviation after He, √(2/n), belongs to it",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: 1.0),
        ),
        Mistake(
            "that is the start after He alone; s is missing",
            _fixup(lambda m: 0.0),
        ),
        Mistake(
            "He's standard deviation is √(2/n), since a ReLU follows",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: np.sqrt(1 / n)),
        ),
        Mistake(
            "2/n is the variance; the standard deviation is its root",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: 2 / n),
        ),
        Mistake(
            "that is the variance; the standard deviation is its root",
            _fixup(lambda m: -1 / (m - 1), lambda n: 2 / n),
        ),
    ),
    hints=(
        "Each scaled layer multiplies the length of the activations by s. How many of them lie "
        "before the last layer?",
        "Activations of length s^(m−1) have the squared length s^(2m−2), and L branches add up: "
        "L · s^(2m−2) = 1.",
        "s = L ** (-1 / (2 * m - 2)), times He's √(2/n).",
    ),
)

# the branches are of full size: with b = 1 each block would double the squared length, or more
_DEEP_BLOCK_PROBE = """
import torch

def branches(depth, width, relu_end, draw):
    for _ in range(depth):
        inner, outer = torch.nn.Linear(width, width), torch.nn.Linear(width, width)
        for layer, square in (inner, 1 + relu_end), (outer, 2):
            torch.nn.init.normal_(layer.weight, std=(square / width) ** 0.5, generator=draw)
            torch.nn.init.zeros_(layer.bias)
        parts = (inner, torch.nn.ReLU()) if relu_end else (inner, torch.nn.ReLU(), outer)
        yield torch.nn.Sequential(*parts)

def gradients(output, sources, v):
    found = [None] * len(sources)
    live = [i for i, source in enumerate(sources) if source.requires_grad]
    if output.requires_grad:
        wanted = [sources[i] for i in live]
        some = torch.autograd.grad(output, wanted, v, retain_graph=True, allow_unused=True)
        for i, gradient in zip(live, some):
            found[i] = gradient
    return [torch.zeros_like(s) if g is None else g for s, g in zip(sources, found)]

def squares(found, sizes):
    found = iter(found)
    sums = [sum(next(found).square().sum().item() for _ in range(size)) for size in sizes]
    return torch.tensor(sums, dtype=torch.float64)

def probe(answer, depth, width, relu_end, seed):
    draw = torch.Generator().manual_seed(seed)
    parts, called = list(branches(depth, width, relu_end, draw)), set()
    for i, branch in enumerate(parts):
        branch[0].register_forward_hook(lambda *_, i=i: called.add(i))
    blocks = [answer(branch, width, depth) for branch in parts]
    if not all(isinstance(block, torch.nn.Module) for block in blocks):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    x = torch.randn(8, width, generator=draw)
    directions = torch.randn(4, *x.shape, generator=draw)

    def fits(h):
        return isinstance(h, torch.Tensor) and h.shape == x.shape

    def states():
        found = [x.clone().requires_grad_()]
        for block in blocks:
            found.append(block(found[-1]))
            if not fits(found[-1]):
                break
        return found

    stream = states()
    if not fits(stream[-1]):
        return {"returned": stream[-1]}
    own = [list(block.parameters()) for block in blocks]
    inner = [list(branch.parameters()) for branch in parts]
    known = [{id(p) for p in found} for found in own]
    registered = [all(id(p) in ids for p in ps) for ids, ps in zip(known, inner)]
    flat = [p for found in own for p in found]
    sizes = [1] * len(stream) + [len(found) for found in own]
    total = torch.zeros(len(sizes), dtype=torch.float64)
    for v in directions:
        found = gradients(stream[-1], stream + flat, v)
        total += squares(found, sizes)
    lengths = torch.stack([h.detach().double().square().sum() for h in stream])
    norm = directions.double().square().sum()
    with torch.no_grad():  # one small step, as Adam takes it at first
        for p, gradient in zip(flat, found[len(stream):]):
            p -= 1e-3 * gradient.sign()
    moved = [p for found in inner for p in found]
    later = gradients(states()[-1], moved, directions[0])
    return {
        "stream": lengths / lengths[0],
        "gradient": total[: len(stream)] / norm,
        "felt": (total[len(stream):] / norm).sqrt(),
        "registered": torch.tensor(registered).double(),
        "called": torch.tensor([i in called for i in range(depth)]).double(),
        "later": squares(later, [len(found) for found in inner]),
    }
"""
LONGEST, FELT = 5.0, 0.5


def _deep_case(title, depth, relu_end, held_back=False):
    def draw(rng):
        seed = int(rng.integers(2**31))
        return {"depth": depth, "width": 24, "relu_end": relu_end, "seed": seed}

    return Case(title, draw, held_back)


def _block_shape_fault(arguments, value):
    if not isinstance(value, dict):
        return f"expected the measurements of a stack, got {kind_of(value)}"
    if "returned" in value:
        shape = (8, arguments["width"])
        return f"expected a tensor of the shape of x, {shape}, got {kind_of(value['returned'])}"
    for name, length in _lengths(arguments["depth"]).items():
        part = value.get(name)
        if not (
            isinstance(part, np.ndarray) and part.shape == (length,) and part.dtype.kind == "f"
        ):
            return f"expected {length} numbers under {name!r}, got {kind_of(part)}"
    return ""


def _lengths(depth):
    blocks = dict.fromkeys(("felt", "registered", "called", "later"), depth)
    return blocks | {"stream": depth + 1, "gradient": depth + 1}


def _registered_fault(arguments, value):
    if value["registered"].all():
        return ""
    return (
        "expected the branch's parameters among the block's: keep the module itself, as in "
        "self.branch = branch"
    )


def _bounded_fault(ratios, order, side, what):
    bad = [i for i in order if not 1 / LONGEST <= ratios[i] <= LONGEST]
    if not bad:
        return ""
    return (
        f"expected 1/{LONGEST:g} to {LONGEST:g} times that of {what}; {side} block {bad[0]} it is "
        f"{ratios[bad[0]]:.3g} times, {side} block {order[-1]} {ratios[order[-1]]:.3g} times"
    )


def _deep_stream_fault(arguments, value):
    order = range(arguments["depth"])
    return _bounded_fault(value["stream"][1:], order, "after", "the input")


def _deep_gradient_fault(arguments, value):
    order = range(arguments["depth"])[::-1]
    return _bounded_fault(value["gradient"], order, "below", "the gradient at the output")


def _felt_fault(arguments, value):
    least = FELT / arguments["depth"]
    bad = np.flatnonzero(~(value["felt"] >= least))
    if not len(bad):
        return ""
    got = value["felt"][bad[0]]
    why = (
        "it is all but silenced, and it cannot learn to speak up"
        if got > 0
        else "nothing in it can learn. Is its gate an nn.Parameter? Is more than one factor 0?"
        if value["called"][bad[0]]
        else "it never calls its branch"
    )
    return (
        f"expected the gradient of a block's parameters to be at least {FELT:g}/depth = {least:g} "
        f"times as long as that at the output; in block {bad[0]} it is {got:.3g} times: {why}"
    )


def _later_fault(arguments, value):
    bad = np.flatnonzero(~(value["later"] > 0))
    if not len(bad):
        return ""
    return (
        f"after one step of training the branch of block {bad[0]} still gets the gradient 0: the "
        "gate learns, and F never will. Is the branch detached or frozen?"
    )


DeepBlock = Exercise(
    name="DeepBlock",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    timeout=20.0,
    probe=_DEEP_BLOCK_PROBE,
    cases=(
        _deep_case("100 blocks around branches that end in a linear layer", 100, False),
        _deep_case("100 blocks around branches that end in a ReLU", 100, True),
        _deep_case("another depth", 60, True, held_back=True),
    ),
    properties=(
        Property("a block returns the shape of its input", _block_shape_fault),
        Property("the branch belongs to the block", _registered_fault),
        Property("the squared length of the stream stays within a factor of 5", _deep_stream_fault),
        Property(
            "the squared length of the gradient stays within a factor of 5", _deep_gradient_fault
        ),
        Property("every block can learn", _felt_fault),
        Property("every branch learns after the first step", _later_fault),
    ),
    mistakes=(),
    hints=(
        "With x + F(x) every block at least doubles the squared length. Something has to make the "
        "branch quiet at the start, without cutting it off.",
        "A gate is a parameter: self.gate = nn.Parameter(...), and the block returns "
        "x + self.gate * self.branch(x). Where may it start?",
        "Branches that end in a ReLU all push the same way, so depth times the gate may be about "
        "1: start at 1 / depth, or at 0.",
    ),
)

EXERCISES = (gate_gradients, by_path_length, first_step, fixup_std, DeepBlock)
