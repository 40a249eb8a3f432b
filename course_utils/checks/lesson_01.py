"""Exercises of lesson 01: the residual block."""

import numpy as np

from course_utils.checks.exercise import Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "01_residual_block"


def _relu(x):
    return np.maximum(x, 0)


def _branch_case(title, batch, width, hidden, **fields):
    return normal_case(title, x=(batch, width), W1=(width, hidden), W2=(hidden, width), **fields)


def _tanh_branch(x, W1, W2):
    return np.tanh(x @ W1) @ W2


residual_forward = Exercise(
    name="residual_forward",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        _branch_case("a batch of three, a wider branch", 3, 2, 5),
        normal_case("W2 = 0, so that F(x) = 0", x=(2, 3), W1=(3, 3), W2=np.zeros((3, 3))),
        _branch_case("one vector", 1, 4, 2, held_back=True),
    ),
    reference=lambda x, W1, W2: x + _tanh_branch(x, W1, W2),
    mistakes=(
        Mistake(
            "the shortcut is missing: you return F(x), the block returns x + F(x)",
            _tanh_branch,
        ),
        Mistake(
            "the shortcut is doubled: you return 2x + F(x)",
            lambda x, W1, W2: 2 * x + _tanh_branch(x, W1, W2),
        ),
        Mistake(
            "you add F(x) to itself: the second term of the sum is x",
            lambda x, W1, W2: 2 * _tanh_branch(x, W1, W2),
        ),
        Mistake(
            "a tanh sits on the sum: it belongs inside the branch, the trunk stays linear",
            lambda x, W1, W2: np.tanh(x + x @ W1 @ W2),
        ),
        Mistake(
            "a second tanh sits on the sum: then x no longer passes unchanged",
            lambda x, W1, W2: np.tanh(x + _tanh_branch(x, W1, W2)),
        ),
        Mistake("the tanh is missing", lambda x, W1, W2: x + x @ W1 @ W2),
        Mistake(
            "the tanh belongs between W1 and W2, not after W2",
            lambda x, W1, W2: x + np.tanh(x @ W1 @ W2),
        ),
        Mistake(
            "you subtract the branch: the block is x + F(x)",
            lambda x, W1, W2: x - _tanh_branch(x, W1, W2),
        ),
        Mistake("this branch has a tanh, not a ReLU", lambda x, W1, W2: x + _relu(x @ W1) @ W2),
        Mistake(
            "a second tanh follows W2: the branch ends with W2",
            lambda x, W1, W2: x + np.tanh(_tanh_branch(x, W1, W2)),
        ),
    ),
    hints=(
        "Compute the branch first: two matrix products with a tanh between them.",
        "The branch ends with the shape it began with, so x can be added entry by entry.",
        "return x + np.tanh(x @ ...) @ ...",
    ),
)

# F(x) = tanh(x A) B as a module of the probe's own; its last layer is linear, so that
# adding into F's fresh output is allowed, as it is in a convolutional block
_SKIP_BLOCK_PROBE = """
import torch

class Branch(torch.nn.Module):
    def __init__(self, A, B):
        super().__init__()
        self.A, self.B = torch.nn.Parameter(A), torch.nn.Parameter(B)

    def forward(self, x):
        return torch.tanh(x @ self.A) @ self.B

def probe(answer, x, v, A, B):
    x, v, A, B = (torch.from_numpy(part) for part in (x, v, A, B))
    branch = Branch(A, B)
    block = answer(branch)
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    given = x.clone()
    with torch.no_grad():
        y = block.eval()(given)
    result = {"y": y, "after": {"x": given.numpy()}}
    right = isinstance(y, torch.Tensor) and y.shape == x.shape and y.dtype == x.dtype
    if not right or not torch.equal(given, x):
        return result  # autograd could not go on
    start = x.clone().requires_grad_()
    moved = block.train()(start.clone())  # both modes are to be right
    sources = [start, branch.A, branch.B]
    gradients = [torch.zeros_like(source) for source in sources]
    if moved.requires_grad:
        live = [i for i, source in enumerate(sources) if source.requires_grad]
        found = torch.autograd.grad(moved, [sources[i] for i in live], v, allow_unused=True)
        for i, gradient in zip(live, found):
            gradients[i] = gradients[i] if gradient is None else gradient
    result["gradient that reaches x"] = gradients[0]
    result["gradient that reaches the branch"] = torch.cat([g.flatten() for g in gradients[1:]])
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the block's parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
"""
_Y, _TO_X, _TO_F, _SIZES = (
    "y",
    "gradient that reaches x",
    "gradient that reaches the branch",
    "sizes of the block's parameters",
)


def _skip_block(x, v, A, B, gain=1.0, skip=1.0, relu=False):
    hidden = np.tanh(x @ A)
    y = skip * x + gain * hidden @ B
    v_x, v_f = v, v
    if relu:
        v_x = v_f = v * (y > 0)
        y = _relu(y)
    inner = (v_f @ B.T) * (1 - hidden**2)
    to_f = np.concatenate([(x.T @ inner).ravel(), (hidden.T @ v_f).ravel()])
    sizes = np.array(sorted([A.size, B.size]), dtype=float)
    return {_Y: y, _TO_X: skip * v_x + gain * inner @ A.T, _TO_F: gain * to_f, _SIZES: sizes}


def _changed(**fields):
    """Compute what a block with other gains returns."""
    return lambda x, v, A, B: _skip_block(x, v, A, B, **fields)


def _cut(skip=False, to_x=False, to_f=False, unregistered=False):
    """Compute what a block returns whose value is right and whose gradients are cut."""

    def value(x, v, A, B):
        result = _skip_block(x, v, A, B)
        if skip:
            result[_TO_X] = result[_TO_X] - v
        if to_x:
            result[_TO_X] = v if not skip else np.zeros_like(v)
        if to_f:
            result[_TO_F] = np.zeros_like(result[_TO_F])
        if unregistered:
            result[_SIZES] = np.zeros(0)
        return result

    return value


def _skip_block_case(title, width, hidden, **fields):
    arrays = {"x": (2, width), "v": (2, width), "A": (width, hidden), "B": (hidden, width)}
    return normal_case(title, **{**arrays, **fields})


SkipBlock = Exercise(
    name="SkipBlock",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="module",
    probe=_SKIP_BLOCK_PROBE,
    cases=(
        _skip_block_case("around F(x) = tanh(x A) B", 3, 5),
        _skip_block_case("around a branch that is 0: the identity", 3, 4, B=np.zeros((4, 3))),
        _skip_block_case("around another branch", 4, 2, held_back=True),
    ),
    reference=_skip_block,
    mistakes=(
        Mistake(
            "the shortcut is missing: your block returns F(x), it should return x + F(x)",
            _changed(skip=0.0),
        ),
        Mistake(
            "the shortcut is doubled: your block returns 2x + F(x)",
            _changed(skip=2.0),
        ),
        Mistake(
            "your shortcut is detached: the value is right, but the Jacobian lacks I, so no "
            "gradient travels along the identity path",
            _cut(skip=True),
        ),
        Mistake(
            "you add F(x) to itself: the other term of the sum is x",
            _changed(gain=2.0, skip=0.0),
        ),
        Mistake(
            "a ReLU sits on the sum: negative entries of x no longer pass, so a zero branch "
            "does not give the identity",
            _changed(relu=True),
        ),
        Mistake(
            "your branch is detached: the value is right, but F gets no gradient and cannot learn",
            _cut(to_x=True, to_f=True),
        ),
        Mistake(
            "the input of your branch is detached: F learns, but no gradient comes back through it",
            _cut(to_x=True),
        ),
        Mistake(
            "the branch's parameters get no gradient, so F cannot learn: are they frozen?",
            _cut(to_f=True),
        ),
        Mistake(
            "no gradient reaches x at all: something in forward cuts it, such as no_grad or detach",
            _cut(skip=True, to_x=True, to_f=True),
        ),
        Mistake("the branch is missing: your block returns x", _changed(gain=0.0)),
        Mistake("you subtract the branch: the block is x + F(x)", _changed(gain=-1.0)),
        Mistake("you subtract x: the block is x + F(x)", _changed(skip=-1.0)),
        Mistake(
            "the branch is not registered: keep the module itself as self.branch = branch, so "
            "that its parameters are the block's parameters",
            _cut(unregistered=True),
        ),
    ),
    hints=(
        "Two methods: __init__ keeps the branch, forward uses it once.",
        "In __init__: super().__init__() first, then self.branch = branch.",
        "In forward: return x + self.branch(x), a new tensor that leaves x as it was.",
    ),
)

what_f_learns = choice(
    "what_f_learns",
    LESSON,
    right="c",
    wrong={
        "a": "with F(x) = x the block returns x + x = 2x: that is the answer for a plain layer",
        "b": "with F(x) = 1 the block returns x + 1: every entry is shifted",
        "d": "with F(x) = −x the block returns x − x = 0: it wipes the stream out",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=1,
    hints=(
        "Write down what the block returns, x + F(x).",
        "It should equal x, for every x.",
        "Solve x + F(x) = x for F(x).",
    ),
)


def _project_case(title, batch, d_in, d_out, **fields):
    arrays = {"x": (batch, d_in), "W1": (d_in, 5), "W2": (5, d_out), "P": (d_in, d_out)}
    return normal_case(title, **arrays, **fields)


def _relu_branch(x, W1, W2):
    return _relu(x @ W1) @ W2


def _pad(x, W1, W2, P):
    d_in, d_out = P.shape
    kept = np.zeros((len(x), d_out))
    kept[:, : min(d_in, d_out)] = x[:, :d_out]
    return kept + _relu_branch(x, W1, W2)


project_forward = Exercise(
    name="project_forward",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=7,
    difficulty=2,
    kind="function",
    cases=(
        _project_case("from 3 to 4 features", 2, 3, 4),
        _project_case("from 4 to 2 features", 3, 4, 2),
        _project_case("from 2 to 7 features", 1, 2, 7, held_back=True),
    ),
    reference=lambda x, W1, W2, P: x @ P + _relu_branch(x, W1, W2),
    mistakes=(
        Mistake(
            "the shortcut is missing: x P is still to be added",
            lambda x, W1, W2, P: _relu_branch(x, W1, W2),
        ),
        Mistake("the branch is missing: you return x P alone", lambda x, W1, W2, P: x @ P),
        Mistake(
            "you fit x by padding or cutting; the shapes agree, but the exercise asks for the "
            "projection x P",
            _pad,
        ),
        Mistake(
            "the ReLU sits on the sum: it belongs inside the branch",
            lambda x, W1, W2, P: _relu(x @ P + x @ W1 @ W2),
        ),
        Mistake(
            "a second ReLU sits on the sum: the shortcut is to stay linear",
            lambda x, W1, W2, P: _relu(x @ P + _relu_branch(x, W1, W2)),
        ),
        Mistake(
            "a ReLU sits on the shortcut: x P passes as it is",
            lambda x, W1, W2, P: _relu(x @ P) + _relu_branch(x, W1, W2),
        ),
        Mistake("the ReLU is missing", lambda x, W1, W2, P: x @ P + x @ W1 @ W2),
        Mistake(
            "this branch has a ReLU, not a tanh",
            lambda x, W1, W2, P: x @ P + np.tanh(x @ W1) @ W2,
        ),
    ),
    hints=(
        "Which of the two terms has the wrong shape, and which shape does it need?",
        "x has shape (batch, d_in), P has shape (d_in, d_out).",
        "Only the shortcut changes: x becomes x @ P; the branch stays.",
    ),
)


def _stack_case(title, depth, width, hidden, **fields):
    return normal_case(title, W1=(depth, width, hidden), W2=(depth, hidden, width), **fields)


def _stack_forward(x, W1, W2):
    h, states = x, []
    for inner, outer in zip(W1, W2, strict=True):
        states.append(h)
        h = h + _relu(h @ inner) @ outer
    return h, states


def _sample(arguments):
    return np.random.default_rng(0).normal(size=(64, arguments["W1"].shape[1]))


def _pair_fault(arguments, value):
    depth, width, hidden = arguments["W1"].shape
    want = [(depth + 1, width, hidden), (depth + 1, hidden, width)]
    if not isinstance(value, list) or len(value) != 2:
        got = f"{len(value)} values" if isinstance(value, list) else kind_of(value)
        return f"expected the pair W1, W2, got {got}"
    if not all(isinstance(part, np.ndarray) and part.dtype.kind == "f" for part in value):
        return f"expected two arrays of floats, got {' and '.join(map(kind_of, value))}"
    got = [part.shape for part in value]
    if got != want:
        return f"expected shapes {want[0]} and {want[1]}, got {got[0]} and {got[1]}"
    return ""


def _same_function_fault(arguments, value):
    x = _sample(arguments)
    before, _ = _stack_forward(x, arguments["W1"], arguments["W2"])
    after, _ = _stack_forward(x, *value)
    difference = np.abs(after - before).max()
    rounding = max(np.finfo(part.dtype).eps for part in value if part.dtype.kind == "f")
    if difference <= max(1e-9, 100 * rounding) * np.abs(before).max():
        return ""
    return (
        "expected the deeper stack to return what the old one returned, an entry differs by "
        f"{difference:.3g}. The new block has to return its x, so its F(x) has to be 0. Are both "
        "new matrices at the same place in their stacks?"
    )


def _can_learn_fault(arguments, value):
    W1, W2 = value
    out, states = _stack_forward(_sample(arguments), W1, W2)
    grad = np.random.default_rng(1).normal(size=out.shape)
    dead = []
    for index in reversed(range(len(W1))):
        h, inner, outer = states[index], W1[index], W2[index]
        active = _relu(h @ inner)
        grad_hidden = (grad @ outer.T) * (active > 0)
        if not active.any() and not grad_hidden.any():
            dead.append(index)
        grad = grad + grad_hidden @ inner.T
    if not dead:
        return ""
    return (
        f"block {dead[0]} gets the gradient 0 in both of its matrices, so training can never "
        "change it. One of the two matrices is enough to make F(x) = 0: which one leaves the "
        "ReLU something to pass on?"
    )


deepen = Exercise(
    name="deepen",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    cases=(
        _stack_case("three blocks become four", 3, 4, 6),
        _stack_case("one block becomes two", 1, 2, 3),
        _stack_case("five blocks become six", 5, 3, 3, held_back=True),
    ),
    properties=(
        Property("one more block", _pair_fault),
        Property("the same function", _same_function_fault),
        Property("the new block can learn", _can_learn_fault),
    ),
    mistakes=(),
    hints=(
        "A block with F(x) = 0 changes nothing, wherever you put it.",
        "F(x) = relu(x W1) W2 is 0 if one matrix is 0. Which one may it be, if the other is to "
        "get a gradient through the ReLU?",
        "Make the new W2 zeros and the new W1 random; np.concatenate([W1, new[None]]) puts one "
        "more matrix at the end of a stack.",
    ),
)

EXERCISES = (residual_forward, SkipBlock, what_f_learns, project_forward, deepen)
