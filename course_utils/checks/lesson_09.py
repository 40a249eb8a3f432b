"""Exercises of lesson 09: attention and rank."""

from math import log, sqrt

import numpy as np

from course_utils.backprop.attention import softmax, softmax_backward
from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "09_attention_and_rank"


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


def _scaled(q, k):
    return q @ k.T / q.shape[1] ** 0.5


def _masked(z, seen):
    return softmax(np.where(seen, z, -np.inf))


def _attend(
    seen=lambda back, window: (back >= 0) & (back < window),
    score=_scaled,
    share=_masked,
    out=lambda A, v: A @ v,
):
    """Compute the answer in which mask, scores, weights or their use come about in this way."""

    def value(q, k, v, window):
        i = np.arange(len(q))
        return out(share(score(q, k), seen(i[:, None] - i, window)), v)

    return value


attend_causally = Exercise(
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
    reference=_attend(),
    mistakes=(
        Mistake(
            "you look forwards as well, window − 1 positions to each side; causal means that "
            "later ones are hidden",
            _attend(seen=lambda back, window: abs(back) < window),
        ),
        Mistake(
            "your mask is transposed: each position looks at itself and the ones after it",
            _attend(seen=lambda back, window: (back <= 0) & (back > -window)),
        ),
        Mistake(
            "each position looks at all earlier ones: the window is missing",
            _attend(seen=lambda back, window: back >= 0),
        ),
        Mistake(
            "there is no mask at all: every position looks everywhere",
            _attend(seen=lambda back, window: back == back),
        ),
        Mistake(
            "you hide what lies too far back, and all later positions stay in sight: hide these "
            "as well",
            _attend(seen=lambda back, window: back < window),
        ),
        Mistake(
            "your window is one too long: it counts the position itself, so i − window is outside",
            _attend(seen=lambda back, window: (back >= 0) & (back <= window)),
        ),
        Mistake(
            "your window is one too short: the position itself and window − 1 before it",
            _attend(seen=lambda back, window: (back >= 0) & (back < window - 1)),
        ),
        Mistake(
            "the scores are not divided by √d",
            _attend(score=lambda q, k: q @ k.T),
        ),
        Mistake(
            "you divide the scores by d; its root is what keeps their size",
            _attend(score=lambda q, k: q @ k.T / q.shape[1]),
        ),
        Mistake(
            "you divide the scores by the root of the length of the sequence; d is the width of q",
            _attend(score=lambda q, k: q @ k.T / len(q) ** 0.5),
        ),
        Mistake(
            "your scores are transposed: row i holds those of query i, q_i · k_j",
            _attend(score=lambda q, k: _scaled(k, q)),
        ),
        Mistake(
            "your softmax runs down the columns: the weights of one query, a row, add up to 1",
            _attend(share=lambda z, seen: _masked(z.T, seen.T).T),
        ),
        Mistake(
            "you mask after the softmax, and the weights that are left add up to less than 1: "
            "hide the scores instead, or divide each row by its sum",
            _attend(share=lambda z, seen: np.where(seen, softmax(z), 0)),
        ),
        Mistake(
            "you set hidden scores to 0, and exp(0) is 1: a score of −inf has the weight 0",
            _attend(share=lambda z, seen: softmax(np.where(seen, z, 0))),
        ),
        Mistake(
            "you leave the softmax out: the scores themselves weigh the values",
            _attend(share=lambda z, seen: np.where(seen, z, 0)),
        ),
        Mistake(
            "that is the plain average over the window: the scores do not enter",
            _attend(score=lambda q, k: 0 * _scaled(q, k)),
        ),
        Mistake(
            "you apply the weights transposed: output i is Σ_j A_ij v_j",
            _attend(out=lambda A, v: A.T @ v),
        ),
        Mistake(
            "those are the weights; apply them to the values",
            _attend(out=lambda A, v: A),
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


def _temperature_case(title, n, tau, offset=0.0, held_back=False):
    def draw(rng):
        z, dp = rng.normal(size=(2, n))
        return {"z": z + offset, "tau": tau, "dp": dp}

    return Case(title, draw, held_back)


def _behind_softmax(z, tau, dp):
    """Compute the gradient of u = z/τ."""
    return softmax_backward(softmax(z / tau), dp)


def _temperature(
    du=_behind_softmax,
    to_z=lambda du, z, tau: du / tau,
    to_tau=lambda du, z, tau: -(du @ z) / tau**2,
):
    """Compute the answer in which ∂L/∂u, or what it becomes at z or τ, is this."""

    def value(z, tau, dp):
        behind = du(z, tau, dp)
        return {"z": to_z(behind, z, tau), "tau": to_tau(behind, z, tau)}

    return value


def _from_p(step):
    """Let p = softmax(z/τ) and dp enter in another way."""
    return _temperature(du=lambda z, tau, dp: step(softmax(z / tau), dp))


temperature_gradient = Exercise(
    name="temperature_gradient",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _temperature_case("four scores, τ = 0.5", 4, 0.5),
        _temperature_case("three scores, τ = 3", 3, 3.0),
        _temperature_case("scores near 1000, where exp overflows", 3, 0.8, 1000.0),
        _temperature_case("nine scores, τ = 2", 9, 2.0, held_back=True),
    ),
    reference=_temperature(),
    mistakes=(
        Mistake(
            "τ is missing inside: p is the softmax of z/τ, not of z",
            _temperature(du=lambda z, tau, dp: softmax_backward(softmax(z), dp)),
        ),
        Mistake(
            "you use p (1 − p) alone, the diagonal: a score moves the other shares too, since "
            "they add up to 1",
            _from_p(lambda p, dp: p * (1 - p) * dp),
        ),
        Mistake(
            "the sum is missing: p ⊙ dp has to lose p Σ p dp, for the shares add up to 1",
            _from_p(lambda p, dp: p * dp),
        ),
        Mistake(
            "you subtract the plain sum of dp; each entry counts with its share, Σ p dp",
            _from_p(lambda p, dp: p * (dp - dp.sum())),
        ),
        Mistake(
            "you subtract the plain mean of dp; the mean with the shares p is Σ p dp",
            _from_p(lambda p, dp: p * (dp - dp.mean())),
        ),
        Mistake(
            "the factor p in front is missing: p ⊙ (dp − Σ p dp)",
            _from_p(lambda p, dp: dp - p @ dp),
        ),
        Mistake(
            "a sign is wrong: the sum Σ p dp is subtracted",
            _from_p(lambda p, dp: p * (dp + p @ dp)),
        ),
        Mistake(
            "the gradient of τ is right, that of z lacks 1/τ: z enters as z/τ",
            _temperature(to_z=lambda du, z, tau: du),
        ),
        Mistake(
            "the gradient of τ is right; that of z you multiply by τ, and z is divided by it",
            _temperature(to_z=lambda du, z, tau: du * tau),
        ),
        Mistake(
            "the sign of the gradient of τ is wrong: z/τ falls when τ grows",
            _temperature(to_tau=lambda du, z, tau: du @ z / tau**2),
        ),
        Mistake(
            "the gradient of τ lacks a factor 1/τ: the slope of z/τ is −z/τ²",
            _temperature(to_tau=lambda du, z, tau: -(du @ z) / tau),
        ),
        Mistake(
            "the gradient of τ has a factor 1/τ too many: ∂L/∂z contains one already",
            _temperature(to_tau=lambda du, z, tau: -(du @ z) / tau**3),
        ),
        Mistake(
            "the gradient of τ contains no τ: the slope of z/τ is −z/τ²",
            _temperature(to_tau=lambda du, z, tau: -(du @ z)),
        ),
        Mistake(
            "the gradient of τ has one entry per score; all of them share τ, so sum",
            _temperature(to_tau=lambda du, z, tau: -du * z / tau**2),
        ),
        Mistake(
            "you average the gradient of τ over the scores; what several places share gets the sum",
            _temperature(to_tau=lambda du, z, tau: -(du * z).mean() / tau**2),
        ),
        Mistake(
            "the gradient of τ lacks z. Without it the sum is always 0",
            _temperature(to_tau=lambda du, z, tau: -du.sum() / tau**2),
        ),
        Mistake(
            "you send dp to τ as if there were no softmax",
            lambda z, tau, dp: _temperature()(z, tau, dp) | {"tau": -(dp @ z) / tau**2},
        ),
    ),
    hints=(
        "Name the piece between: u = z/τ, p = softmax(u). The lesson has the way from dp to du.",
        "du = p ⊙ (dp − Σ p dp). From u it goes to z with the slope 1/τ, and to τ with the slope "
        "−z_i/τ² in entry i.",
        "All entries of u contain the same τ, so their shares add up: the sum of du_i · (−z_i/τ²). "
        "The softmax does not change if you subtract max(z) from z inside it.",
    ),
)

what_is_lost = choice(
    "what_is_lost",
    LESSON,
    right="c",
    wrong={
        "a": "the rows keep a third of their length. A norm divides a row by one number, and rows "
        "that agree have the same one: they agree afterwards as well",
        "b": "change one digit, and all rows change by a third of their length. They know of the "
        "digits; they agree on what they know",
        "d": "that holds without positions. Here they were added, and two digits that change "
        "places move all rows by half of their length",
        "e": "it is the same map for every row, and equal rows leave it equal. To tell the fourth "
        "row from the fifth it would need a slope of about a million",
    },
    points=1,
    required=True,
    minutes=5,
    difficulty=2,
    hints=(
        "The last column compares the rows of one output with each other. The two experiments "
        "below the table compare two outputs.",
        "Test each sentence on a number: do the lengths go to 0? Does the output react to a "
        "digit? To the order?",
        "To reverse the digits, row 1 has to say another digit than row 8. What do the two rows "
        "have to go by?",
    ),
)


def _collapse_case(title, r0, C, floor, held_back=False):
    return normal_case(title, held_back, r0=r0, C=C, floor=floor)


MOST_LAYERS = 100_000


def _layers(step=lambda r, C, r0: C * r**3, start=0, ends=lambda r, floor: r < floor):
    """Compute the answer in which each layer does this to the residual."""

    def value(r0, C, floor):
        r, layers = r0, start
        while not ends(r, floor) and layers < MOST_LAYERS:
            r, layers = step(r, C, r0), layers + 1
        return layers

    return value


def _exact_layers(r0, C, floor):
    # with u = √C r a layer gives u³, so after n of them ln u is 3ⁿ times as large
    return log(log(sqrt(C) * floor) / log(sqrt(C) * r0)) / log(3)


collapse_after = Exercise(
    name="collapse_after",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=6,
    difficulty=1,
    kind="function",
    cases=(
        _collapse_case("from 0.9 to the end of float64", 0.9, 1.0, 1e-16),
        _collapse_case("a larger constant", 0.6, 1.4, 1e-7),
        _collapse_case("a smaller constant, from just below 1", 0.99, 0.3, 2e-16),
        _collapse_case("from 0.999", 0.999, 1.0, 1e-30, held_back=True),
        _collapse_case("a constant of 0.8", 0.95, 0.8, 1e-12, held_back=True),
    ),
    reference=_layers(),
    mistakes=(
        Mistake(
            "you shrink the residual by the same factor in every layer, C r0²; it is C r² with "
            "the residual of that layer, so each layer shrinks it more than the one before",
            _layers(lambda r, C, r0: C * r0**2 * r),
        ),
        Mistake(
            "you shrink the residual by the same factor r0 in every layer; it is cubed",
            _layers(lambda r, C, r0: r0 * r),
        ),
        Mistake(
            "you square the residual; it is of third order",
            _layers(lambda r, C, r0: C * r**2),
        ),
        Mistake(
            "the constant C is missing",
            _layers(lambda r, C, r0: r**3),
        ),
        Mistake(
            "you cube C as well: it is C · r³, not (C r)³",
            _layers(lambda r, C, r0: (C * r) ** 3),
        ),
        Mistake(
            "you multiply by 3; the residual is cubed, C · r · r · r",
            _layers(lambda r, C, r0: C * r / 3),
        ),
        Mistake(
            "one layer too few: after that many the residual is still above the floor",
            lambda **given: _layers()(**given) - 1,
        ),
        Mistake(
            "one layer too many: the residual is below the floor one layer earlier",
            lambda **given: _layers()(**given) + 1,
        ),
        Mistake(
            "that is where the curve crosses the floor; layers come whole, so round up",
            _exact_layers,
        ),
        Mistake(
            "that is 3ⁿ, the power of the residual after n layers; the number of layers is n",
            lambda **given: 3 ** _layers()(**given),
        ),
    ),
    hints=(
        "You need no formula: a loop that counts will do.",
        "While r is not below the floor: r becomes C * r**3, and one layer more is counted.",
        "Start with r = r0 and layers = 0, and return layers after the loop, not r.",
    ),
)

_APART_PROBE = """
import numpy as np

TIMES = 20

def probe(answer, x, other):
    def mixed(given):
        y = answer(given)
        y = y.detach().numpy() if hasattr(y, "detach") else y
        return y.astype(float) if plain(y) else y

    def plain(y):
        return isinstance(y, np.ndarray) and y.shape == x.shape and y.dtype.kind in "iuf"

    given = x.copy()
    y = mixed(given)
    if not plain(y):
        return {"returned": y, "after": {"x": given}}
    y = y.copy()
    result = {"y": y, "after": {"x": given}}
    if not np.array_equal(given, x):
        return result
    result["again"] = mixed(x.copy())
    later = []
    for t in range(1, len(x)):
        later.append(mixed(np.concatenate([x[:t], other[t:]])))
    result["later"] = np.stack(later)
    result["first"] = mixed(np.concatenate([other[:1], x[1:]]))
    many = [y]
    for _ in range(TIMES - 1):
        many.append(mixed(many[-1].copy()))
    result["many"] = np.stack(many)
    return result
"""
KEPT, FELT, LONGEST = 0.5, 2e-4, 10.0


def _apart_case(title, seq, width, shared=0.0, held_back=False):
    def draw(rng):
        x, other = rng.normal(size=(2, seq, width)) + shared * rng.normal(size=width)
        return {"x": x, "other": other}

    return Case(title, draw, held_back)


def _mixed_shape_fault(arguments, value):
    want = arguments["x"].shape
    if not isinstance(value, dict):
        return f"expected an array of shape {want}, got {kind_of(value)}"
    if "returned" in value:
        return f"expected an array of shape {want}, got {kind_of(value['returned'])}"
    shapes = {
        "y": want,
        "again": want,
        "later": (want[0] - 1, *want),
        "first": want,
        "many": (20, *want),
    }
    for name, shape in shapes.items():
        part = value.get(name)
        if not (isinstance(part, np.ndarray) and part.shape == shape and part.dtype.kind == "f"):
            return f"expected an array of shape {shape} under {name!r}, got {kind_of(part)}"
    if not np.isfinite(value["y"]).all():
        return f"expected finite numbers, got {value['y'][~np.isfinite(value['y'])][0]}"
    return ""


def _again_fault(arguments, value):
    if np.array_equal(value["y"], value["again"]):
        return ""
    got = np.abs(value["y"] - value["again"]).max()
    return f"expected the same output for the same tokens, got another one, by up to {got:.3g}"


def _causal_fault(arguments, value):
    for t, altered in enumerate(value["later"], 1):
        moved = np.abs(altered - value["y"])[:t].max(1)
        bad = np.flatnonzero(~(moved <= 1e-9))
        if len(bad):
            return (
                f"expected row {bad[0]} to stay as it is when the tokens from {t} on change, it "
                f"changed by up to {moved[bad[0]]:.3g}"
            )
    return ""


def _flow_fault(arguments, value):
    change = np.linalg.norm(arguments["other"][0] - arguments["x"][0])
    moved = np.linalg.norm(value["first"] - value["y"], axis=1) / change
    bad = np.flatnonzero(~(moved >= FELT))
    if not len(bad):
        return ""
    return (
        f"expected every row to move at least {FELT:g} times as far as the first token, row "
        f"{bad[0]} moves {moved[bad[0]]:.3g} times as far"
    )


def _length_fault(arguments, value):
    ratios = np.linalg.norm(value["many"], axis=(1, 2)) / np.linalg.norm(arguments["x"])
    bad = np.flatnonzero(~((ratios >= 1 / LONGEST) & (ratios <= LONGEST)))
    if not len(bad):
        return ""
    return (
        f"expected a length between 1/{LONGEST:g} and {LONGEST:g} times that of the input; after "
        f"application {bad[0] + 1} it is {ratios[bad[0]]:.3g} times, after 20 {ratios[-1]:.3g} "
        "times"
    )


def _share(x):
    """Compute the residual: the share of the length in which the tokens differ."""
    apart = np.linalg.norm(x - x.mean(-2, keepdims=True), axis=(-2, -1))
    return apart / np.linalg.norm(x, axis=(-2, -1))


def _apart_fault(arguments, value):
    least, shares = KEPT * _share(arguments["x"]), _share(value["many"])
    bad = np.flatnonzero(~(shares >= least))
    if not len(bad):
        return ""
    return (
        f"expected a residual of at least {least:.3f}, half of the input's; after application "
        f"{bad[0] + 1} it is {shares[bad[0]]:.3g}, after 20 it is {shares[-1]:.3g}"
    )


def _mix(value):
    return lambda x, other: {"y": value(x)}


def _running_mean(x):
    return x.cumsum(0) / np.arange(1, len(x) + 1)[:, None]


def _neighbour(x):
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _self_attention(x):
    return _attend()(x, x, x, len(x))


keeps_tokens_apart = Exercise(
    name="keeps_tokens_apart",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=3,
    kind="module",
    probe=_APART_PROBE,
    cases=(
        _apart_case("ten tokens of width 8", 10, 8),
        _apart_case("eight tokens that share a part", 8, 16, 0.7),
        _apart_case("three tokens", 3, 12),
        _apart_case("twelve tokens", 12, 6, held_back=True),
        _apart_case("six tokens that share a part", 6, 24, 1.0, held_back=True),
    ),
    properties=(
        Property("finite numbers of the shape of x", _mixed_shape_fault),
        Property("nothing is drawn at random", _again_fault),
        Property("no row depends on a later token", _causal_fault),
        Property("every row depends on the first token", _flow_fault),
        Property("the length stays within a factor of 10, 20 times in a row", _length_fault),
        Property("the tokens stay apart, 20 times in a row", _apart_fault),
    ),
    mistakes=(
        Mistake("that is x itself: nothing flows between the positions", _mix(lambda x: x)),
        Mistake(
            "that is the average alone, without a skip: it draws the tokens together each time",
            _mix(_running_mean),
        ),
        Mistake(
            "that is attention alone, without a skip; the lesson shows where it ends",
            _mix(_self_attention),
        ),
        Mistake(
            "the skip is there, and the average is as loud: what the tokens share nearly doubles "
            "each time, what tells them apart does not",
            _mix(lambda x: x + _running_mean(x)),
        ),
        Mistake(
            "half skip, half average: the length is cured, and what tells the tokens apart still "
            "halves each time. How loud does the average have to be?",
            _mix(lambda x: (x + _running_mean(x)) / 2),
        ),
        Mistake(
            "you average over all tokens, the later ones too",
            _mix(lambda x: x + x.mean(0)),
        ),
        Mistake(
            "subtracting the mean of all tokens keeps them apart, and it looks at later ones",
            _mix(lambda x: x - x.mean(0)),
        ),
        Mistake(
            "each row reads its neighbour only, so the first token needs many steps to get to the "
            "end; here one has to do",
            _mix(lambda x: x + _neighbour(x)),
        ),
    ),
    hints=(
        "x.cumsum(0) adds up the tokens so far; divided by 1, 2, 3, … it is a causal average. It "
        "lets information flow and pulls the tokens together. What holds against it?",
        "With x + b · average, what the tokens share grows by about 1 + b each time, and what "
        "tells them apart hardly does. What is 1.05 to the power of 20? Of 1.03?",
        "A b of 0.02 or 0.03 will do. For a louder b subtract what the shared part gains, as "
        "shaped attention does: x + b · (A x − C x), with C x the plain average so far and A x "
        "one that prefers what is near.",
    ),
)

EXERCISES = (
    attend_causally,
    temperature_gradient,
    what_is_lost,
    collapse_after,
    keeps_tokens_apart,
)
