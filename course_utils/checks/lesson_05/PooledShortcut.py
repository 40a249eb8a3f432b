"""A shortcut that skips pixels, to be mended."""

import numpy as np

from course_utils.checks.lesson_05 import LESSON
from course_utils.checks.lesson_05.batch_norm import norm_backward
from course_utils.judging.exercise import Exercise, Mistake, normal_case, probe_beside


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
    back = norm_backward(z.reshape(b, -1, h * w), gamma, v.reshape(b, -1, h * w), 1e-5)
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


EXERCISE = Exercise(
    name="PooledShortcut",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=2,
    kind="module",
    probe=probe_beside(__name__),
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
