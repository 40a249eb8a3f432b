"""Exercises of lesson 05: degradation."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of, show

LESSON = "05_degradation"


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


stage_strides = Exercise(
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


def _norm_case(title, batch, channels, pixels, eps, **fields):
    shape = (batch, channels, pixels)
    return normal_case(title, x=shape, gamma=(channels,), dy=shape, eps=eps, **fields)


def _norm_backward(
    x, gamma, dy, eps, axes=(0, 2), through_mean=True, through_variance=True, ddof=0, root=None
):
    """Compute ∂L/∂x; the options make the mistakes."""
    count = np.prod([x.shape[axis] for axis in axes])
    d = gamma[:, None] * dy
    variance = x.var(axes, keepdims=True, ddof=ddof)
    scale = 1 / (np.sqrt(variance + eps) if root is None else root(variance, eps))
    y = (x - x.mean(axes, keepdims=True)) * scale
    dx = d.copy()
    if through_mean:
        dx -= d.mean(axes, keepdims=True)
    if through_variance:
        dx -= y * (d * y).sum(axes, keepdims=True) / (count - ddof)
    return dx * scale


def _backward(**options):
    return lambda **arguments: _norm_backward(**arguments, **options)


def _sums(x, gamma, dy, eps):
    d, axes = gamma[:, None] * dy, (0, 2)
    scale = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    y = (x - x.mean(axes, keepdims=True)) * scale
    return (d - d.sum(axes, keepdims=True) - y * (d * y).sum(axes, keepdims=True)) * scale


def _unscaled(x, gamma, dy, eps):
    return _norm_backward(x, gamma, dy, eps) * np.sqrt(x.var((0, 2), keepdims=True) + eps)


def _mixed_count(x, gamma, dy, eps):
    """Compute the variance with n − 1 and the two means with n."""
    d, axes = gamma[:, None] * dy, (0, 2)
    scale = 1 / np.sqrt(x.var(axes, keepdims=True, ddof=1) + eps)
    y = (x - x.mean(axes, keepdims=True)) * scale
    return (d - d.mean(axes, keepdims=True) - y * (d * y).mean(axes, keepdims=True)) * scale


def _root_outside(variance, eps):
    return np.sqrt(variance) + eps


bn_backward = Exercise(
    name="bn_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _norm_case("two channels of four pixels", 3, 2, 4, 0.3),
        _norm_case("as many examples as channels and pixels", 3, 3, 3, 0.1),
        _norm_case("five channels of two pixels", 6, 5, 2, 0.2, held_back=True),
    ),
    reference=_norm_backward,
    mistakes=(
        Mistake(
            "you treat mean and variance as constants: every x of a channel moves both, and both "
            "bring a term of their own",
            _backward(through_mean=False, through_variance=False),
        ),
        Mistake(
            "the term of the variance is missing: stretching x changes x̂ through eps alone, so the "
            "part of the gradient along x̂ has to go, all but a little",
            _backward(through_variance=False),
        ),
        Mistake(
            "the term of the mean is missing: shifting x does not change x̂, so the gradient of a "
            "channel has to sum to 0",
            _backward(through_mean=False),
        ),
        Mistake(
            "γ is missing: ∂L/∂x̂ is γ · ∂L/∂y",
            lambda x, gamma, dy, eps: _norm_backward(x, np.ones_like(gamma), dy, eps),
        ),
        Mistake(
            "you average over the examples alone; all pixels of a channel share one mean and one "
            "variance",
            _backward(axes=(0,)),
        ),
        Mistake(
            "you average over the pixels alone, which is instance norm; here the examples belong "
            "to the average as well",
            _backward(axes=(2,)),
        ),
        Mistake(
            "you average over the channels, which is layer norm; batch norm keeps each channel to "
            "itself",
            _backward(axes=(1,)),
        ),
        Mistake(
            "you average over channels and pixels, which is layer norm; batch norm keeps each "
            "channel to itself",
            _backward(axes=(1, 2)),
        ),
        Mistake(
            "you average over everything; each channel has a mean and a variance of its own",
            _backward(axes=(0, 1, 2)),
        ),
        Mistake(
            "you divide the variance by n − 1; batch norm divides by n, the number of entries of a "
            "channel",
            _mixed_count,
        ),
        Mistake(
            "that is the gradient of a norm that divides by n − 1; batch norm divides by n",
            _backward(ddof=1),
        ),
        Mistake(
            "eps stands outside the root: the norm divides by √(variance + eps)",
            _backward(root=_root_outside),
        ),
        Mistake("eps is missing", _backward(root=lambda variance, eps: np.sqrt(variance))),
        Mistake(
            "you divide by variance + eps: its root is missing",
            _backward(root=lambda variance, eps: variance + eps),
        ),
        Mistake(
            "you take sums where means belong: each of the two terms is divided by n, the number "
            "of entries of a channel",
            _sums,
        ),
        Mistake(
            "the last factor is missing: x̂ changes by 1/√(variance + eps) times what x changes",
            _unscaled,
        ),
    ),
    hints=(
        "First compute x̂ and ∂L/∂x̂ = γ ∂L/∂y. γ[:, None] has one row per channel.",
        "Which axes does the mean of one channel run over? Use keepdims=True, and the result fits "
        "to x again.",
        "Take two means out of d = ∂L/∂x̂, then scale: d − mean(d) − x̂ · mean(d · x̂).",
    ),
)


degradation_reading = choice(
    "degradation_reading",
    LESSON,
    right="d",
    wrong={
        "a": "an overfitted net is good on the examples it was trained on; B is worse than A on "
        "them too",
        "b": "B's gradient is 30,000 times as long after its first layer as after its last block: "
        "it does not vanish on the way back",
        "c": "B could copy A's 18 layers and let the other 36 return what they are given, so it "
        "can compute whatever A computes",
        "e": "the table ends after 2000 steps: it tells that B is slower, and nothing about what "
        "it would reach in the end",
    },
    points=1,
    required=False,
    minutes=4,
    difficulty=2,
    hints=(
        "Begin with the training loss alone. What does overfitting do to it?",
        "Which columns say something about the gradient, and which way does it grow?",
        "What does the table say about weights that exist, and what about weights that were found?",
    ),
)

# train mode decides the value; the kernel and the norm's gain and bias are set from outside
_POOLED_PROBE = """
import torch

def probe(answer, x, v, K, gamma, beta):
    c_out, c_in = K.shape
    block = answer(c_in, c_out)
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the shortcut has to be an nn.Module, so that its parameters are found")
    block = block.double().train()
    kernels = [p for p in block.parameters() if p.ndim == 4]
    if [tuple(p.shape) for p in kernels] != [(c_out, c_in, 1, 1)]:
        shapes = ", ".join(str(tuple(p.shape)) for p in kernels) or "none"
        raise TypeError(f"it needs one kernel, of shape {(c_out, c_in, 1, 1)}, it has {shapes}")
    with torch.no_grad():
        kernels[0].copy_(torch.from_numpy(K)[:, :, None, None])
        for module in block.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.affine:
                module.weight.copy_(torch.from_numpy(gamma))
                module.bias.copy_(torch.from_numpy(beta))
    x = torch.from_numpy(x).requires_grad_()
    given = x.clone()
    y = block(given)
    result = {"y": y, "after": {"x": given.detach().numpy()}}
    if not isinstance(y, torch.Tensor) or tuple(y.shape) != v.shape:
        return result
    gradient = torch.zeros_like(x)
    if y.requires_grad:
        found = torch.autograd.grad(y, x, torch.from_numpy(v), allow_unused=True)[0]
        gradient = gradient if found is None else found
    result["gradient that reaches x"] = gradient
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
"""


def _pooled_case(title, batch, c_in, c_out, size, **fields):
    return normal_case(
        title,
        x=(batch, c_in, size, size),
        v=(batch, c_out, size // 2, size // 2),
        K=(c_out, c_in),
        gamma=(c_out,),
        beta=(c_out,),
        **fields,
    )


def _mix(x, K):
    return np.einsum("bihw,oi->bohw", x, K)


def _windows(x):
    """Cut into 2×2 windows, on axes 3 and 5."""
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2)


def _mean_pool(x):
    return _windows(x).mean((3, 5))


def _normed(z, gamma, beta):
    centred = z - z.mean((0, 2, 3), keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean((0, 2, 3), keepdims=True) + 1e-5)
    return gamma[:, None, None] * centred * scale + beta[:, None, None]


def _pooled(x, v, K, gamma, beta):
    b, _, h, w = v.shape
    z = _mix(_mean_pool(x), K)
    back = _norm_backward(z.reshape(b, -1, h * w), gamma, v.reshape(b, -1, h * w), 1e-5)
    to_x = _mix(back.reshape(v.shape), K.T).repeat(2, 2).repeat(2, 3) / 4
    sizes = np.array(sorted([len(gamma), len(beta), K.size]), float)
    return {
        "y": _normed(z, gamma, beta),
        "gradient that reaches x": to_x,
        "sizes of the parameters": sizes,
    }


def _shortcut(value):
    """Expect another y, whatever the gradient and the parameters are."""
    return lambda x, v, K, gamma, beta: {"y": value(x, K, gamma, beta)}


def _with_bias(x, v, K, gamma, beta):
    result = _pooled(x, v, K, gamma, beta)
    sizes = [len(gamma)] * 3 + [K.size]
    return {**result, "sizes of the parameters": np.array(sorted(sizes), float)}


PooledShortcut = Exercise(
    name="PooledShortcut",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=2,
    kind="module",
    probe=_POOLED_PROBE,
    cases=(
        _pooled_case("from 3 to 5 channels, 4×4 pixels", 2, 3, 5, 4),
        _pooled_case("from 4 to 2 channels, 6×6 pixels", 3, 4, 2, 6),
        _pooled_case("from 2 to 8 channels, 8×8 pixels", 2, 2, 8, 8, held_back=True),
    ),
    reference=_pooled,
    mistakes=(
        Mistake(
            "you skip pixels: a 1×1 convolution with stride 2 never sees three quarters of them. "
            "Average first, and leave the convolution its stride of 1",
            _shortcut(lambda x, K, g, b: _normed(_mix(x[:, :, ::2, ::2], K), g, b)),
        ),
        Mistake(
            "both the pool and the convolution have the stride 2: the size is quartered, and the "
            "branch halves it",
            _shortcut(lambda x, K, g, b: _normed(_mix(_mean_pool(x)[:, :, ::2, ::2], K), g, b)),
        ),
        Mistake(
            "you take the largest of four pixels; their mean is asked for",
            _shortcut(lambda x, K, g, b: _normed(_mix(_windows(x).max((3, 5)), K), g, b)),
        ),
        Mistake(
            "the pool moves by one pixel, so that its windows overlap: give it the stride 2",
            _shortcut(
                lambda x, K, g, b: _normed(
                    _mix(
                        x[:, :, 1:, 1:] + x[:, :, :-1, 1:] + x[:, :, 1:, :-1] + x[:, :, :-1, :-1],
                        K,
                    )
                    / 4,
                    g,
                    b,
                )
            ),
        ),
        Mistake(
            "nothing halves the size: the pool is missing",
            _shortcut(lambda x, K, g, b: _normed(_mix(x, K), g, b)),
        ),
        Mistake(
            "the batch norm is missing",
            _shortcut(lambda x, K, g, b: _mix(_mean_pool(x), K)),
        ),
        Mistake(
            "the batch norm is missing, and pixels are skipped",
            _shortcut(lambda x, K, g, b: _mix(x[:, :, ::2, ::2], K)),
        ),
        Mistake(
            "the pool comes after the norm, so that the output no longer has the variance γ²: the "
            "norm comes last",
            _shortcut(lambda x, K, g, b: _mean_pool(_normed(_mix(x, K), g, b))),
        ),
        Mistake(
            "a ReLU sits on the shortcut: it is to stay linear up to the sum",
            _shortcut(
                lambda x, K, g, b: np.maximum(_normed(_mix(_mean_pool(x), K), g, b), 0),
            ),
        ),
        Mistake(
            "the convolution has a bias, which the norm takes away again: bias=False",
            _with_bias,
        ),
    ),
    hints=(
        "Three modules in a row: a pool, a convolution, a norm. nn.Sequential chains them.",
        "nn.AvgPool2d(2) averages windows of 2×2 pixels that do not overlap. Who has to halve "
        "the size now, and who no longer?",
        "nn.Conv2d(c_in, c_out, 1, bias=False), with its default stride, then nn.BatchNorm2d.",
    ),
)

# what an answer does in its first steps; every right block may be built in its own way
_IDENTITY_PROBE = """
import torch

STEPS, TINY = 5, 1e-9  # a smaller gradient is rounding

def probe(answer, x, target):
    x, target = torch.from_numpy(x), torch.from_numpy(target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block = answer(x.shape[1])
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block = block.double()
    ran = []
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.register_forward_hook(lambda module, inputs, output: ran.append(module))
    given = x.clone()
    with torch.no_grad():
        outputs = {"eval": block.eval()(given), "train": block.train()(given)}
        outputs["eval after train"] = block.eval()(given)
    result = {
        "after": {"x": given.numpy()},
        "norms": len(set(map(id, ran))),
        "matrices": [name for name, p in block.named_parameters() if p.ndim == 2],
        **outputs,
    }
    right = all(isinstance(y, torch.Tensor) and y.shape == x.shape for y in outputs.values())
    if not right:
        return result
    live, parameters = set(), dict(block.named_parameters())
    block.train()
    for _ in range(STEPS):
        y = block(x)
        if not y.requires_grad:
            break
        block.zero_grad()
        (y - target).square().mean().backward()
        with torch.no_grad():
            for name, p in parameters.items():
                if p.grad is not None and float(p.grad.abs().max()) > TINY:
                    live.add(name)
                    p -= 0.01 * p.grad
    with torch.no_grad():
        result["moved"] = float((block(x) - x).abs().max())
    result["live"] = sorted(live)
    return result
"""


def _identity_case(title, batch, width, held_back=False):
    return normal_case(title, x=(batch, width), target=(batch, width), held_back=held_back)


_MODES = {
    "train": "in train mode",
    "eval": "in eval mode",
    "eval after train": "in eval mode, after one pass in train mode,",
}


_REPORT = {"norms": int, "matrices": list, "live": list, "moved": float}


def _output_fault(arguments, value):
    want = arguments["x"].shape
    if not isinstance(value, dict):
        return f"expected a block's outputs, got {kind_of(value)}"
    for key, mode in _MODES.items():
        got = value.get(key)
        if not isinstance(got, np.ndarray) or got.dtype.kind != "f" or got.shape != want:
            return f"expected an output of shape {want} {mode} got {kind_of(got)}"
    odd = [key for key, kind in _REPORT.items() if not isinstance(value.get(key), kind)]
    return f"the block could not be measured: {', '.join(odd)}" if odd else ""


def _parts_fault(arguments, value):
    if value["norms"] and len(value["matrices"]) >= 2:
        return ""
    return (
        "expected a batch norm that forward uses and two weight matrices, got "
        f"{value['norms']} nn.BatchNorm1d and the matrices {show(value['matrices'])}"
    )


def _identity_fault(arguments, value):
    x = arguments["x"]
    for key, mode in _MODES.items():
        difference = np.abs(value[key] - x).max()
        if not difference <= 1e-9 * np.abs(x).max():
            kept = np.allclose(value[key], np.maximum(x, 0), rtol=0, atol=1e-9)
            nothing = not value[key].any()
            note = (
                " The negative entries of x come out as 0: what sits on the sum?" if kept else
                " It returns 0: where is the shortcut?" if nothing else ""
            )  # fmt: skip
            return (
                f"{mode} the new block should return x, an entry differs by {difference:.3g}.{note}"
            )
    return ""


def _learning_fault(arguments, value):
    dead = [name for name in value["matrices"] if name not in value["live"]]
    if dead:
        others = ", ".join(name for name in value["live"] if name not in dead) or "nothing"
        return (
            f"in each of the first 5 steps the gradient of {' and '.join(dead)} is 0, so training "
            f"can never change it; a gradient reaches {others}. One factor of 0 between the "
            "branch and the sum is enough, and it must be able to move"
        )
    if not value["moved"] > 1e-9:
        return (
            "after 5 steps of gradient descent the block still returns x, an entry differs by "
            f"{value['moved']:.3g}: what it learns has to reach the output"
        )
    return ""


IdentityStart = Exercise(
    name="IdentityStart",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    probe=_IDENTITY_PROBE,
    cases=(
        _identity_case("sixteen examples of width 6", 16, 6),
        _identity_case("five examples of width 3", 5, 3),
        _identity_case("thirty examples of width 8", 30, 8, held_back=True),
    ),
    properties=(
        Property("an output of the shape of x", _output_fault),
        Property("a batch norm and two weight matrices", _parts_fault),
        Property("the identity at the start, in both modes", _identity_fault),
        Property("every weight matrix can learn", _learning_fault),
    ),
    hints=(
        "h + F(h) is the identity if F(h) = 0. A norm on the sum would change h itself.",
        "A batch norm multiplies by its γ, which is bn.weight. Which of the norms comes last?",
        "Only one factor may be 0: nn.init.zeros_ on the last norm's weight, with the matrices "
        "random. Its gradient is not 0, and after one step neither are the others'.",
    ),
)

EXERCISES = (stage_strides, bn_backward, degradation_reading, PooledShortcut, IdentityStart)
