"""Back through a block with one norm and two branches side by side."""

from types import SimpleNamespace

import numpy as np

from course_utils.backprop.attention import softmax
from course_utils.checks.lesson_11 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _parallel_case(title, seq, d, eps, held_back=False):
    def draw(rng):
        h, dy = rng.normal(size=(2, seq, d))
        A, B = rng.normal(size=(2, d, d)) / d**0.5
        P = softmax(np.where(np.tri(seq, dtype=bool), rng.normal(size=(seq, seq)), -np.inf))
        return {"h": h, "P": P, "A": A, "B": B, "eps": eps, "dy": dy}

    return Case(title, draw, held_back)


def _root(square, eps):
    return np.sqrt(square + eps)


def _from_norm(it, du):
    """Send du back through u = h·scale."""
    return (du - it.u * it.mean(du * it.u)) * it.scale


def _parallel(axis=-1, root=_root, **other):
    """Compute the answer in which the norm, or one of the gradients, comes about otherwise."""
    steps = {
        "dz": lambda it: it.dy * (it.z > 0),
        "du": lambda it: it.P.T @ it.dy @ it.A + it.dz @ it.B,
        "dh": lambda it: it.dy + _from_norm(it, it.du),
        "dA": lambda it: it.dy.T @ it.P @ it.u,
        "dB": lambda it: it.dz.T @ it.u,
    } | other

    def value(h, P, A, B, eps, dy):
        it = SimpleNamespace(h=h, P=P, A=A, B=B, eps=eps, dy=dy)
        it.mean = lambda t: t.mean(axis, keepdims=True)
        it.scale = 1 / root(it.mean(h**2), eps)
        it.u = h * it.scale
        it.z = it.u @ B.T
        for name, step in steps.items():
            setattr(it, name, step(it))
        return {"h": it.dh, "A": it.dA, "B": it.dB}

    return value


def _behind_norm(change):
    """Let what comes back through the norm be another function of it and du."""
    return _parallel(dh=lambda it: it.dy + change(it, it.du))


def _serial(h, P, A, B, eps, dy):
    def normed(h):
        scale = 1 / np.sqrt((h**2).mean(-1, keepdims=True) + eps)
        u = h * scale
        return u, lambda du: (du - u * (du * u).mean(-1, keepdims=True)) * scale

    u, back = normed(h)
    w, back_again = normed(h + P @ u @ A.T)
    dz = dy * (w @ B.T > 0)
    between = dy + back_again(dz @ B)
    dh = between + back(P.T @ between @ A)
    return {"h": dh, "A": between.T @ P @ u, "B": dz.T @ w}


EXERCISE = Exercise(
    name="parallel_block_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _parallel_case("five tokens of width 3", 5, 3, 1e-5),
        _parallel_case("three tokens of width 4, eps = 0.5", 3, 4, 0.5),
        _parallel_case("one token", 1, 4, 0.1, held_back=True),
        _parallel_case("nine tokens of width 6", 9, 6, 0.01, held_back=True),
    ),
    reference=_parallel(),
    mistakes=(
        Mistake(
            "the shortcut is missing in the gradient of h: dy itself arrives as well",
            _parallel(dh=lambda it: _from_norm(it, it.du)),
        ),
        Mistake(
            "you count the shortcut twice; two branches leave it, and it goes round both of them "
            "once",
            _parallel(dh=lambda it: 2 * it.dy + _from_norm(it, it.du)),
        ),
        Mistake(
            "you send the shortcut through the norm too; it starts at h, in front of the norm",
            _parallel(dh=lambda it: _from_norm(it, it.dy + it.du)),
        ),
        Mistake(
            "the gradient of h lacks what comes back through the branch of P and A",
            _parallel(du=lambda it: it.dz @ it.B),
        ),
        Mistake(
            "the gradient of h lacks what comes back through the branch of B",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A),
        ),
        Mistake(
            "the norm is missing on the way back: du arrives at u, not at h",
            _behind_norm(lambda it, du: du),
        ),
        Mistake(
            "you divide by the root mean square and take nothing out: stretching h leaves u as it "
            "is, so du loses its part along u",
            _behind_norm(lambda it, du: du * it.scale),
        ),
        Mistake(
            "that is the way back through LayerNorm; RMSNorm subtracts no mean, so a shift passes",
            _behind_norm(lambda it, du: _from_norm(it, du) - it.mean(du) * it.scale),
        ),
        Mistake(
            "you take the sum of du ⊙ u out where its mean belongs",
            _behind_norm(
                lambda it, du: (du - it.u * (du * it.u).sum(-1, keepdims=True)) * it.scale
            ),
        ),
        Mistake(
            "you take one mean of du ⊙ u over all tokens; each token has its own norm",
            _behind_norm(lambda it, du: (du - it.u * (du * it.u).mean()) * it.scale),
        ),
        Mistake(
            "what you take out contains h where u belongs: u · mean(du ⊙ u)",
            _behind_norm(lambda it, du: (du - it.h * it.mean(du * it.h)) * it.scale),
        ),
        Mistake(
            "the factor 1/√(mean(h²) + eps) is missing on the way back through the norm",
            _behind_norm(lambda it, du: du - it.u * it.mean(du * it.u)),
        ),
        Mistake(
            "your norm runs over the tokens; it runs over the features of each token",
            _parallel(axis=0),
        ),
        Mistake(
            "you divide all tokens by one number; each is divided by the root mean square of its "
            "own features",
            _parallel(axis=None),
        ),
        Mistake(
            "eps stands outside the root: √(mean(h²) + eps)",
            _parallel(root=lambda square, eps: np.sqrt(square) + eps),
        ),
        Mistake("eps is missing", _parallel(root=lambda square, eps: np.sqrt(square))),
        Mistake(
            "that is the usual block, one sublayer after the other; here the second branch takes "
            "the same u as the first",
            _serial,
        ),
        Mistake(
            "you send the gradient back with P; what token i took from token j goes from i to j, "
            "so P is transposed",
            _parallel(du=lambda it: it.P @ it.dy @ it.A + it.dz @ it.B),
        ),
        Mistake(
            "P is missing in the gradients of h and A: the first branch mixes tokens",
            _parallel(du=lambda it: it.dy @ it.A + it.dz @ it.B, dA=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "P is missing in the gradient of h: what token i took from token j goes back to j",
            _parallel(du=lambda it: it.dy @ it.A + it.dz @ it.B),
        ),
        Mistake(
            "P is missing in the gradient of A: what A multiplies is P u",
            _parallel(dA=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "the gradient of h goes back through A transposed and B transposed: u @ A.T on the way "
            "there is dy @ A on the way back",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A.T + it.dz @ it.B.T),
        ),
        Mistake(
            "the gradient of h goes back through A transposed",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A.T + it.dz @ it.B),
        ),
        Mistake(
            "the gradient of h goes back through B transposed",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A + it.dz @ it.B.T),
        ),
        Mistake(
            "the slope of the ReLU is missing: where u Bᵀ is negative nothing comes back",
            _parallel(dz=lambda it: it.dy),
        ),
        Mistake(
            "the slope of the ReLU looks at u; what it cuts off is u Bᵀ",
            _parallel(dz=lambda it: it.dy * (it.u > 0)),
        ),
        Mistake(
            "the slope of the ReLU looks at dy; what it cuts off is u Bᵀ",
            _parallel(dz=lambda it: it.dy * (it.dy > 0)),
        ),
        Mistake(
            "the slope of the ReLU is missing in the gradient of B",
            _parallel(dB=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "the gradients of A and B contain h; both branches take the normed u",
            _parallel(
                dA=lambda it: it.dy.T @ it.P @ it.h,
                dB=lambda it: it.dz.T @ it.h,
            ),
        ),
        Mistake(
            "your gradients of A and B are transposed: entry (i, j) belongs to the weight from "
            "feature j to feature i",
            _parallel(
                dA=lambda it: (it.dy.T @ it.P @ it.u).T,
                dB=lambda it: (it.dz.T @ it.u).T,
            ),
        ),
        Mistake(
            "your gradient of A is transposed, that of B is right",
            _parallel(dA=lambda it: (it.dy.T @ it.P @ it.u).T),
        ),
        Mistake(
            "your gradient of B is transposed, that of A is right",
            _parallel(dB=lambda it: (it.dz.T @ it.u).T),
        ),
        Mistake(
            "you average the gradients of A and B over the tokens; what all of them share gets the "
            "sum",
            _parallel(
                dA=lambda it: it.dy.T @ it.P @ it.u / len(it.u),
                dB=lambda it: it.dz.T @ it.u / len(it.u),
            ),
        ),
        Mistake(
            "your gradients of A and B have a matrix for each token; all of them share A and B, so "
            "sum",
            _parallel(
                dA=lambda it: it.dy[:, :, None] * (it.P @ it.u)[:, None],
                dB=lambda it: it.dz[:, :, None] * it.u[:, None],
            ),
        ),
    ),
    hints=(
        "Name the pieces: u, z = u Bᵀ, y = h + P u Aᵀ + relu(z). Three terms bring dy back to h: "
        "the shortcut, and two that meet at u.",
        "At z arrives dz = dy ⊙ (z > 0), at u arrives du = Pᵀ dy A + dz B. The gradients of the "
        "matrices are dyᵀ (P u) and dzᵀ u.",
        "Through the norm: (du − u · mean(du ⊙ u)) / √(mean(h²) + eps), with the mean over the "
        "features of each token, keepdims=True. Then add dy.",
    ),
)
