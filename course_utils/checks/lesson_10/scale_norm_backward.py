"""Back through a ScaleNorm, y = g x/‖x‖."""

import numpy as np

from course_utils.checks.lesson_10 import LESSON
from course_utils.checks.lesson_10.rms import rms
from course_utils.judging.exercise import Case, Exercise, Mistake


def _tokens_case(title, seq, d, held_back=False):
    def draw(rng):
        x, dy = rng.normal(size=(2, seq, d))
        # tokens of very different lengths, as on the stream of a pre-norm net
        return {"x": x * rng.uniform(1, 20, size=(seq, 1)), "g": rng.uniform(1.5, 3), "dy": dy}

    return Case(title, draw, held_back)


def _length(x):
    return np.linalg.norm(x, axis=1, keepdims=True)


def _across(dy, u):
    """Take the part along u out of dy."""
    return dy - u * (dy * u).sum(1, keepdims=True)


def _scale_norm(
    length=_length,
    to_x=lambda x, g, dy, u, n: g * _across(dy, u) / n,
    to_g=lambda x, g, dy, u, n: (dy * u).sum(),
):
    """Compute the answer in which ‖x‖, or one of the gradients, is this."""

    def value(x, g, dy):
        n = length(x)
        given = x, g, dy, x / n, n
        return {"x": to_x(*given), "g": to_g(*given)}

    return value


def _along(take):
    """Let another mean or sum of dy·u come along u."""
    return lambda x, g, dy, u, n: g * (dy - u * take(dy * u)) / n


def _to_x(step):
    """Get the gradient of g right, and that of x like this."""
    return _scale_norm(to_x=step)


def _to_g(step):
    """Get the gradient of x right, and that of g like this."""
    return _scale_norm(to_g=step)


EXERCISE = Exercise(
    name="scale_norm_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _tokens_case("five tokens of width 4", 5, 4),
        _tokens_case("three tokens of width 6", 3, 6),
        _tokens_case("two tokens of width 9", 2, 9, held_back=True),
        _tokens_case("twelve tokens of width 5", 12, 5, held_back=True),
    ),
    reference=_scale_norm(),
    # a small eps below the root, which many add out of habit, is no mistake
    tolerance=1e-4,
    mistakes=(
        Mistake(
            "you treat ‖x‖ as a constant. It depends on x: what dy has along u = x/‖x‖ is to be "
            "taken out, for stretching x leaves y as it is",
            _to_x(lambda x, g, dy, u, n: g * dy / n),
        ),
        Mistake(
            "you take out y (y · dy). y has the length g, so that is g² times too much; use "
            "u = x/‖x‖",
            _to_x(lambda x, g, dy, u, n: g * (dy - g**2 * u * (u * dy).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "the gradient of x lacks 1/‖x‖: a long token feels the same small change less",
            _to_x(lambda x, g, dy, u, n: g * _across(dy, u)),
        ),
        Mistake(
            "the gradient of x lacks g, which multiplies all that goes forwards",
            _to_x(lambda x, g, dy, u, n: _across(dy, u) / n),
        ),
        Mistake(
            "g has to multiply both terms: what comes along u is taken out of g dy, not of dy",
            _to_x(lambda x, g, dy, u, n: (g * dy - u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "a sign is wrong: what dy has along u is subtracted",
            _to_x(lambda x, g, dy, u, n: g * (dy + u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "you take the mean of dy · u over the features; u has the length 1 here, not the rms "
            "1, so it is their sum",
            _to_x(_along(lambda each: each.mean(1, keepdims=True))),
        ),
        Mistake(
            "the sum of dy · u runs over all tokens; each token has one of its own",
            _to_x(_along(lambda each: each.sum())),
        ),
        Mistake(
            "the sum of dy · u runs over the tokens; it runs over the features of one token",
            _to_x(_along(lambda each: each.sum(0))),
        ),
        Mistake(
            "you do not sum dy · u over the features: x_j changes the length of all of x, and so "
            "every entry of y",
            _to_x(_along(lambda each: each)),
        ),
        Mistake(
            "you project with x; the direction has to have the length 1, u = x/‖x‖, twice",
            _to_x(lambda x, g, dy, u, n: g * (dy - x * (dy * x).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "one of the two factors x is not divided by ‖x‖: the term is x (x · dy)/‖x‖³ in all",
            _to_x(lambda x, g, dy, u, n: g * (dy / n - x * (dy * x).sum(1, keepdims=True) / n**2)),
        ),
        Mistake(
            "you project with y, which contains g; the direction is u = x/‖x‖, of length 1",
            _to_x(lambda x, g, dy, u, n: g * (dy - g * u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "you take the mean of dy away as well, which is a LayerNorm's. Here nothing is "
            "centred: a shift of x does change y",
            _to_x(lambda x, g, dy, u, n: g * (_across(dy, u) - dy.mean(1, keepdims=True)) / n),
        ),
        Mistake(
            "you centre x, as a LayerNorm does; here x is divided by its length as it is",
            lambda x, g, dy: _scale_norm(
                to_x=lambda x, g, dy, u, n: g * (_across(dy, u) - dy.mean(1, keepdims=True)) / n,
            )(x - x.mean(1, keepdims=True), g, dy),
        ),
        Mistake(
            "that is an RMSNorm: you divide by √(mean of x²), and the length is √(sum of x²)",
            _scale_norm(length=rms, to_x=_along(lambda each: each.mean(1, keepdims=True))),
        ),
        Mistake(
            "you divide by the rms, √(mean of x²), and project with the sum, which fits neither "
            "norm: take the length, √(sum of x²)",
            _scale_norm(length=rms),
        ),
        Mistake(
            "you divide by the length of the whole array; each token has a length of its own",
            _scale_norm(length=np.linalg.norm),
        ),
        Mistake(
            "you divide by the length of the whole array, and project with all of it; each token "
            "has a length of its own",
            _scale_norm(length=np.linalg.norm, to_x=_along(lambda each: each.sum())),
        ),
        Mistake(
            "your lengths run down the columns: a token is a row of x",
            _scale_norm(
                length=lambda x: np.linalg.norm(x, axis=0),
                to_x=_along(lambda each: each.sum(0)),
            ),
        ),
        Mistake(
            "you divide by the square of the length: its root is missing",
            _scale_norm(length=lambda x: (x**2).sum(1, keepdims=True)),
        ),
        Mistake(
            "the gradient of x is right. That of g has one entry per token; all of them share g, "
            "so sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(1)),
        ),
        Mistake(
            "the gradient of x is right. That of g has one entry per feature, but g is one number "
            "for all of them, so sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(0)),
        ),
        Mistake(
            "the gradient of x is right. That of g is not summed at all, and g is one number",
            _to_g(lambda x, g, dy, u, n: dy * u),
        ),
        Mistake(
            "the gradient of x is right. That of g you average over the tokens; what several "
            "places share gets the sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(1).mean()),
        ),
        Mistake(
            "the gradient of x is right. That of g you average over all entries; what several "
            "places share gets the sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).mean()),
        ),
        Mistake(
            "the gradient of x is right. That of g contains g, as Σ dy · y does: y has the slope "
            "u in g",
            _to_g(lambda x, g, dy, u, n: (dy * g * u).sum()),
        ),
        Mistake(
            "the gradient of x is right. That of g multiplies dy by x; the slope of y in g is "
            "x/‖x‖",
            _to_g(lambda x, g, dy, u, n: (dy * x).sum()),
        ),
        Mistake(
            "the gradient of x is right. That of g is the sum of dy; g multiplies u, so dy counts "
            "with u",
            _to_g(lambda x, g, dy, u, n: dy.sum()),
        ),
        Mistake(
            "the gradient of g is right, and in the place of that of x you return y",
            _to_x(lambda x, g, dy, u, n: g * u),
        ),
    ),
    hints=(
        "Name the pieces: for each token n = ‖x‖ and u = x/n, then y = g u. The slope of y in g is "
        "u, at every token and every feature.",
        "Stretching a token leaves u as it is, so what dy has along u never reaches x. What is "
        "left of dy is dy − u (u · dy), token by token.",
        "n = np.linalg.norm(x, axis=1, keepdims=True). Then x gets g (dy − u Σ dy u)/n, the sum "
        "over the features of the token, and g gets the sum of dy u over everything.",
    ),
)
