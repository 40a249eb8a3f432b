"""A block of one's own, of which 96 can be stacked."""

import numpy as np

from course_utils.checks.lesson_11 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Property, probe_beside
from course_utils.judging.values import kind_of

LEAK, FELT, LONGEST, STEEPEST = 1e-5, 1e-4, 100, 10_000


def _own_case(title, d_model, batch, seq, held_back=False):
    def draw(rng):
        seed = int(rng.integers(2**31))
        return {"d_model": d_model, "depth": 96, "batch": batch, "seq": seq, "seed": seed}

    return Case(title, draw, held_back)


def _own_shape_fault(arguments, value):
    if not isinstance(value, dict):
        return f"expected the measurements of a block, got {kind_of(value)}"
    if "returned" in value:
        size = value.get("given")
        size = tuple(size) if isinstance(size, list) else "of the input"
        return f"expected a tensor of shape {size}, got {kind_of(value['returned'])}"
    y = value.get("y")
    if not expect.is_array(y, kinds="f"):
        return f"expected a tensor of numbers, got {kind_of(y)}"
    if fault := expect.finite(y):
        return f"{fault}. Is there a position that may look nowhere, not even at itself?"
    return ""


def _kept_fault(arguments, value):
    if value.get("kept") == 1:
        return ""
    return (
        "the block changed its input in place: h += … overwrites the stream that the caller "
        "still has, h = h + … makes a new one"
    )


def _own_again_fault(arguments, value):
    seq, stack = arguments["seq"], arguments["depth"] + 1
    wanted = {"again": value["y"].shape, "losses": (2,), "shorter": (seq - 1,)}
    wanted |= {f"reach, {mode}": (seq, seq) for mode in ("eval", "train")}
    wanted |= {"stream": (stack,), "gradient": (stack,), "mixed, eval": (), "mixed, train": ()}
    odd = [k for k, s in wanted.items() if not expect.is_array(value.get(k), s, "f")]
    if odd or not isinstance(value.get("dead"), list):
        return f"the block could not be measured: {', '.join(odd)}"
    got = np.abs(value["y"] - value["again"]).max()
    return "" if got <= LEAK else f"the second time an entry differs by {got:.3g}"


def _own_learning_fault(arguments, value):
    before, after = value["losses"]
    if not after < before / 2:
        why = (
            "No parameter was found: is it an nn.Parameter, and are modules kept in self or in an "
            "nn.ModuleList?"
            if not value.get("trained")
            else "Is a branch silenced for good, detached, or without weights?"
        )
        return f"the error went from {before:.3g} to {after:.3g}. {why}"
    if value["dead"]:
        return f"in 100 steps no gradient reached {', '.join(map(str, value['dead']))}"
    return ""


def _mixed_fault(arguments, value):
    for mode in ("eval", "train"):
        if not value[f"mixed, {mode}"] <= LEAK:
            why = (
                "Does the attention run over the batch? nn.MultiheadAttention takes (seq, batch, "
                "d_model) unless batch_first=True"
                if mode == "eval"
                else "That is in train mode only: does a norm take its mean over the batch?"
            )
            got = value[f"mixed, {mode}"]
            return f"one example was replaced, and another one's output moved by {got:.3g}. {why}"
    return ""


def _own_causal_fault(arguments, value):
    for mode in ("eval", "train"):
        reach = value[f"reach, {mode}"]
        ahead = np.argwhere(~(np.triu(reach, 1) <= LEAK))
        if len(ahead):
            row, token = ahead[0]
            back = np.tril(reach, -1).max(initial=0)
            why = (
                "That is in train mode only."
                if mode == "train"
                else "Nothing comes from earlier ones: the mask is the wrong way round."
                if back <= LEAK
                else "Is there no mask, or a norm over the positions?"
            )
            return (
                f"token {token} was replaced, and row {row} moved {reach[row, token]:.3g} times "
                f"as far. {why}"
            )
    return ""


def _shorter_fault(arguments, value):
    bad = np.flatnonzero(~(value["shorter"] <= LEAK))
    if not len(bad):
        return ""
    return (
        f"the first {bad[0] + 1} tokens alone give other rows than with the rest behind them, by "
        f"{value['shorter'][bad[0]]:.3g}. What depends on the length of the sequence?"
    )


def _own_flow_fault(arguments, value):
    step = value["reach, eval"] > FELT
    felt = step[:, 0]
    for _ in range(arguments["depth"] - 1):
        felt = felt | (step @ felt)
    deaf = np.flatnonzero(~felt)
    if not len(deaf):
        return ""
    why = (
        "No row depends on another token: where do the positions meet?"
        if not (step & ~np.eye(len(step), dtype=bool)).any()
        else "From which rows does it read?"
    )
    return f"row {deaf[0]} does not feel the first token. {why}"


def _stays_fault(ratios, order, bound, side, what):
    bad = [i for i in order if not 1 / bound <= ratios[i] <= bound]
    if not bad:
        return ""
    return (
        f"expected 1/{bound:,} to {bound:,} times that of {what}; {side} block {bad[0]} it is "
        f"{ratios[bad[0]]:.3g} times, {side} block {order[-1]} it is {ratios[order[-1]]:.3g} times"
    )


def _own_stream_fault(arguments, value):
    order = range(arguments["depth"])
    return _stays_fault(value["stream"][1:], order, LONGEST, "after", "the input")


def _own_gradient_fault(arguments, value):
    order = range(arguments["depth"])[::-1]
    return _stays_fault(value["gradient"], order, STEEPEST, "before", "the gradient at the output")


EXERCISE = Exercise(
    name="CausalBlock",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    timeout=30.0,
    probe=probe_beside(__name__),
    cases=(
        _own_case("three sequences of eight tokens", 16, 3, 8),
        _own_case("four sequences of six tokens", 16, 4, 6, held_back=True),
    ),
    properties=(
        Property("a finite output of the shape of the input", _own_shape_fault),
        Property("the input is left as it was", _kept_fault),
        Property("the same output for the same input", _own_again_fault),
        Property("100 steps of Adam more than halve the error of a block", _own_learning_fault),
        Property("the sequences of a batch do not mix", _mixed_fault),
        Property("no row depends on a later token", _own_causal_fault),
        Property("a row does not depend on how many tokens follow", _shorter_fault),
        Property("in a stack of 96 every row depends on the first token", _own_flow_fault),
        Property(
            "in a stack of 96 the length of the stream stays within a factor of 100",
            _own_stream_fault,
        ),
        Property(
            "in a stack of 96 the length of the gradient stays within a factor of 10,000",
            _own_gradient_fault,
        ),
    ),
    hints=(
        "Begin with the equation of the lesson: h + Attn(norm(h)), then h + FFN(norm(h)). "
        "nn.MultiheadAttention(d_model, heads, batch_first=True) is an attention.",
        "nn.MultiheadAttention wants a mask that is True where a position may not look: "
        "torch.ones(n, n, dtype=torch.bool).triu(1), with n = h.shape[1]. Its result is a pair.",
        "nn.LayerNorm(d_model) norms the features of each token. The feed-forward sublayer: "
        "nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model)).",
    ),
)
