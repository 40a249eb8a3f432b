"""Causal attention with a short memory."""

import numpy as np

from course_utils.backprop.attention import softmax
from course_utils.checks.lesson_09 import LESSON
from course_utils.checks.lesson_09.attention import attend, masked_softmax, scaled_scores
from course_utils.judging.exercise import Case, Exercise, Mistake, normal_case


def _attend_case(title, seq, d, window, held_back=False):
    return normal_case(title, held_back, q=(seq, d), k=(seq, d), v=(seq, d), window=window)


def _large_scores_case(title, seq, d, window):
    def draw(rng):
        q, k, v = rng.normal(size=(3, seq, d))
        q[:, 0] = 3000  # every score is far above 709, where exp ends
        k[:, 0] = 1 + 1e-3 * k[:, 0]
        return {"q": q, "k": k, "v": v, "window": window}

    return Case(title, draw)


def _hidden_peak_case(title, seq, d, window):
    def draw(rng):
        q, k, v = rng.normal(size=(3, seq, d))
        q[:, 0], k[-1, 0] = 50, 200  # the last key is hidden from all but the last query
        return {"q": q, "k": k, "v": v, "window": window}

    return Case(title, draw)


EXERCISE = Exercise(
    name="attend_causally",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _attend_case("five positions, a window of 3", 5, 3, 3),
        _large_scores_case("scores near 1700, where exp overflows", 5, 3, 2),
        _hidden_peak_case("a hidden score far above the visible ones", 4, 3, 2),
        _attend_case("a window longer than the sequence", 3, 4, 7),
        _attend_case("another window", 9, 5, 4, held_back=True),
        _attend_case("twenty positions, a window of 2", 20, 2, 2, held_back=True),
    ),
    reference=attend(),
    mistakes=(
        Mistake(
            "you look forwards as well, window − 1 positions to each side; causal means that "
            "later ones are hidden",
            attend(seen=lambda back, window: abs(back) < window),
        ),
        Mistake(
            "your mask is transposed: each position looks at itself and the ones after it",
            attend(seen=lambda back, window: (back <= 0) & (back > -window)),
        ),
        Mistake(
            "each position looks at all earlier ones: the window is missing",
            attend(seen=lambda back, window: back >= 0),
        ),
        Mistake(
            "there is no mask at all: every position looks everywhere",
            attend(seen=lambda back, window: back == back),
        ),
        Mistake(
            "you hide what lies too far back, and all later positions stay in sight: hide these "
            "as well",
            attend(seen=lambda back, window: back < window),
        ),
        Mistake(
            "your window is one too long: it counts the position itself, so i − window is outside",
            attend(seen=lambda back, window: (back >= 0) & (back <= window)),
        ),
        Mistake(
            "your window is one too short: the position itself and window − 1 before it",
            attend(seen=lambda back, window: (back >= 0) & (back < window - 1)),
        ),
        Mistake(
            "the scores are not divided by √d",
            attend(score=lambda q, k: q @ k.T),
        ),
        Mistake(
            "you divide the scores by d; its root is what keeps their size",
            attend(score=lambda q, k: q @ k.T / q.shape[1]),
        ),
        Mistake(
            "you divide the scores by the root of the length of the sequence; d is the width of q",
            attend(score=lambda q, k: q @ k.T / len(q) ** 0.5),
        ),
        Mistake(
            "your scores are transposed: row i holds those of query i, q_i · k_j",
            attend(score=lambda q, k: scaled_scores(k, q)),
        ),
        Mistake(
            "your softmax runs down the columns: the weights of one query, a row, add up to 1",
            attend(share=lambda z, seen: masked_softmax(z.T, seen.T).T),
        ),
        Mistake(
            "you mask after the softmax, and the weights that are left add up to less than 1: "
            "hide the scores instead, or divide each row by its sum",
            attend(share=lambda z, seen: np.where(seen, softmax(z), 0)),
        ),
        Mistake(
            "you set hidden scores to 0, and exp(0) is 1: a score of −inf has the weight 0",
            attend(share=lambda z, seen: softmax(np.where(seen, z, 0))),
        ),
        Mistake(
            "you leave the softmax out: the scores themselves weigh the values",
            attend(share=lambda z, seen: np.where(seen, z, 0)),
        ),
        Mistake(
            "that is the plain average over the window: the scores do not enter",
            attend(score=lambda q, k: 0 * scaled_scores(q, k)),
        ),
        Mistake(
            "you apply the weights transposed: output i is Σ_j A_ij v_j",
            attend(out=lambda A, v: A.T @ v),
        ),
        Mistake(
            "those are the weights; apply them to the values",
            attend(out=lambda A, v: A),
        ),
    ),
    hints=(
        "Three steps: scores q kᵀ/√d of shape (seq, seq), weights from them row by row, and the "
        "weights times v. The mask belongs between the first two.",
        "i = np.arange(len(q)) gives back = i[:, None] - i, how far key j lies behind query i. "
        "Which values of back may be seen?",
        "Seen is 0 <= back < window; everywhere else the score becomes -np.inf. Before the exp "
        "subtract from every row its largest score: nothing changes, and nothing overflows.",
    ),
)
