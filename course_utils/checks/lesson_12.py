"""Exercises of lesson 12: encoder and decoder."""

import numpy as np

from course_utils.backprop.attention import attention_backward, attention_forward, softmax
from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "12_encoder_decoder"


def _memory_case(title, depth, batch, keys, d, d_model, held_back=False):
    gradient, weight = (depth, batch, keys, d), (depth, d, d_model)
    return normal_case(title, held_back, dK=gradient, dV=gradient, Wk=weight, Wv=weight)


def _back(gradient, W):
    return gradient @ W[:, None]


def _transposed(gradient, W):
    return gradient @ W.mT[:, None]


def _memory(by_key=_back, by_value=_back, join=lambda parts: parts.sum(0)):
    """Compute the answer in which the two ways back, or what joins the blocks, are these."""

    def value(dK, dV, Wk, Wv):
        try:
            return join(by_key(dK, Wk) + by_value(dV, Wv))
        except ValueError:  # the shapes do not fit
            return None

    return value


def _none(gradient, W):
    return 0 * _back(gradient, W)


def _summed_weights(gradient, W):
    # the sum over the blocks is taken before the product
    return (gradient.sum(0) @ W.sum(0))[None]


def _exchanged(dK, dV, Wk, Wv):
    return _memory()(dK, dV, Wv, Wk)


def _lined_up_by_sentence(gradient, W):
    return gradient @ W


memory_gradient = Exercise(
    name="memory_gradient",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _memory_case("three blocks, three sentences", 3, 3, 4, 2, 2),
        _memory_case("two blocks, keys narrower than the memory", 2, 4, 3, 2, 6),
        _memory_case("one block", 1, 2, 3, 4, 4),
        _memory_case("six blocks", 6, 2, 7, 4, 9, held_back=True),
        _memory_case("four blocks, four sentences", 4, 4, 2, 5, 5, held_back=True),
    ),
    reference=_memory(),
    mistakes=(
        Mistake(
            "only the last block counts in your sum; every block reads the memory itself, and "
            "every one sends a gradient back",
            _memory(join=lambda parts: parts[-1]),
        ),
        Mistake(
            "only the first block counts in your sum; the memory goes to each of them",
            _memory(join=lambda parts: parts[0]),
        ),
        Mistake(
            "you average over the blocks; what several places read gets the sum of what they "
            "send back",
            _memory(join=lambda parts: parts.mean(0)),
        ),
        Mistake(
            "the way through the values is missing: the memory makes K and V",
            _memory(by_value=_none),
        ),
        Mistake(
            "the way through the keys is missing: the memory makes K and V",
            _memory(by_key=_none),
        ),
        Mistake(
            "keys and values get the mean of their two gradients; it is their sum",
            _memory(join=lambda parts: parts.sum(0) / 2),
        ),
        Mistake(
            "you subtract one way from the other; both are added",
            _memory(by_value=lambda dV, Wv: -_back(dV, Wv)),
        ),
        Mistake(
            "both weights are transposed: K = M Wkᵀ goes forward, so Wk itself goes back",
            _memory(_transposed, _transposed),
        ),
        Mistake(
            "Wk is transposed: K = M Wkᵀ goes forward, so Wk itself goes back",
            _memory(by_key=_transposed),
        ),
        Mistake(
            "Wv is transposed: V = M Wvᵀ goes forward, so Wv itself goes back",
            _memory(by_value=_transposed),
        ),
        Mistake(
            "the weights are exchanged: dK goes back through Wk, dV through Wv",
            _exchanged,
        ),
        Mistake(
            "you add up the gradients and the weights and multiply the sums; each block has "
            "weights of its own, so multiply first",
            _memory(_summed_weights, _summed_weights),
        ),
        Mistake(
            "sentence b goes through the weights of block b: matmul lines up the axes from the "
            "right, so the first axis of W meets the second of dK. Go through the blocks one by "
            "one, or write W[:, None]",
            _memory(_lined_up_by_sentence, _lined_up_by_sentence),
        ),
        Mistake(
            "those are the shares of the single blocks; they meet in one memory, so add them up",
            _memory(join=lambda parts: parts),
        ),
        Mistake(
            "you add up the sentences as well; each has a memory of its own",
            _memory(join=lambda parts: parts.sum((0, 1))),
        ),
        Mistake(
            "you add up the blocks' share of each sentence, not the sentences' share of each "
            "block: the first axis is the depth",
            _memory(join=lambda parts: parts.sum(1)),
        ),
        Mistake(
            "you add up the words as well; each is a row of the memory",
            _memory(join=lambda parts: parts.sum((0, 2))),
        ),
    ),
    hints=(
        "Take one block and one sentence. K = M Wkᵀ and V = M Wvᵀ: how does a gradient of K come "
        "back to M?",
        "dK Wk has the shape of M, and so has dV Wv. M is read at two places in each block, and "
        "by all blocks.",
        "Start with zeros. For each block l add dK[l] @ Wk[l] and dV[l] @ Wv[l]; `@` takes care of "
        "the batch.",
    ),
)


# how often each kind occurs tells the mistakes apart
_KINDS = (0, 5, 4, 3, 1, 0, 5, 4, 2, 3, 0, 5, 4, 6, 5)


def _written_case(title, batch, steps, pad, held_back=False):
    def draw(rng):
        tokens = np.setdiff1d(np.arange(13), [pad])
        target = np.full((batch, steps), pad)
        predicted = rng.choice(tokens, (batch, steps))
        for row in range(batch):
            kind = _KINDS[row % len(_KINDS)]
            length = steps if kind == 2 else int(rng.integers(3, steps))
            target[row, :length] = predicted[row, :length] = rng.permutation(tokens)[:length]
            other = rng.permutation(np.setdiff1d(tokens, target[row]))[0]
            if kind == 1:  # right, and padded as well
                predicted[row, length:] = pad
            elif kind == 2:  # wrong at the last step
                predicted[row, -1] = other
            elif kind == 3:  # ends one step early
                predicted[row, length - 1 :] = pad
            elif kind == 4:  # the right tokens in another order
                predicted[row, :length] = np.roll(predicted[row, :length], 1)
            elif kind == 5:  # wrong at the first step
                predicted[row, 0] = other
            elif kind == 6:  # wrong in the middle
                predicted[row, 1] = other
        return {"predicted": predicted, "target": target, "pad": pad}

    return Case(title, draw, held_back)


def _counts(predicted, target, pad):
    return target != pad


def _every(right, counts):
    return (right | ~counts).all(1)


def _exact(counts=_counts, row=_every, over=np.mean):
    """Compute the answer in which places, rows and batch are judged in this way."""

    def value(predicted, target, pad):
        return float(over(row(predicted == target, counts(predicted, target, pad))))

    return value


def _share_of_row(right, counts):
    return (right & counts).sum(1) / counts.sum(1)


def _start_of_row(right, counts):
    return (np.logical_and.accumulate(right | ~counts, 1) & counts).sum(1) / counts.sum(1)


def _same_tokens(predicted, target, pad):
    counts = target != pad
    pairs = zip(predicted, target, counts, strict=True)
    return float(np.mean([sorted(p[c]) == sorted(t[c]) for p, t, c in pairs]))


def _share_of_tokens(predicted, target, pad):
    return float((predicted == target)[target != pad].mean())


exact_matches = Exercise(
    name="exact_matches",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=7,
    difficulty=1,
    kind="function",
    cases=(
        _written_case("fifteen sequences, padded with 0", 15, 6, 0),
        _written_case("nineteen sequences, padded with 12", 19, 8, 12),
        _written_case("one sequence", 1, 5, 3),
        _written_case("forty sequences", 40, 7, 1, held_back=True),
        _written_case("two sequences", 2, 9, 0, held_back=True),
    ),
    reference=_exact(),
    mistakes=(
        Mistake(
            "that is the share of the tokens that are right; a sequence counts only if all of its "
            "own are",
            _share_of_tokens,
        ),
        Mistake(
            "that is the share of all places that agree, padding included; ask for each sequence "
            "whether all of its own are right",
            _exact(row=lambda right, counts: right),
        ),
        Mistake(
            "you divide the right tokens by all places, padding included; ask for each sequence "
            "whether all of its own are right",
            _exact(row=lambda right, counts: right & counts),
        ),
        Mistake(
            "you average each sequence's share of right tokens; a sequence is right or it is not",
            _exact(row=_share_of_row),
        ),
        Mistake(
            "you count how far each sequence gets before its first mistake; with one mistake it "
            "counts for nothing",
            _exact(row=_start_of_row),
        ),
        Mistake(
            "you compare the padding too; what is predicted behind the end of the target does not "
            "count",
            _exact(row=lambda right, counts: right.all(1)),
        ),
        Mistake(
            "you leave out the places where the prediction is padding; it is the target that says "
            "which ones count. So a prediction that stops early passes",
            _exact(counts=lambda predicted, target, pad: predicted != pad),
        ),
        Mistake(
            "you leave out the places where either of the two is padding; a prediction that stops "
            "early is wrong, and only the target says which places count",
            _exact(counts=lambda predicted, target, pad: (predicted != pad) & (target != pad)),
        ),
        Mistake(
            "you take 0 for the padding; `pad` says which token it is",
            _exact(counts=lambda predicted, target, pad: target != 0),
        ),
        Mistake(
            "one right token is enough in your count; all of them have to be",
            _exact(row=lambda right, counts: (right & counts).any(1)),
        ),
        Mistake(
            "a place that does not count must pass, whatever stands there; you ask of every place "
            "that it is right and counts",
            _exact(row=lambda right, counts: (right & counts).all(1)),
        ),
        Mistake(
            "your `all` runs down the batch: it finds the steps at which every sequence is right",
            _exact(row=lambda right, counts: (right | ~counts).all(0)),
        ),
        Mistake(
            "you leave out the first step; the targets here begin with the first digit, not with "
            "a start",
            _exact(row=lambda right, counts: _every(right[:, 1:], counts[:, 1:])),
        ),
        Mistake(
            "you leave out the last step as well; it counts where it is not padding",
            _exact(row=lambda right, counts: _every(right[:, :-1], counts[:, :-1])),
        ),
        Mistake(
            "the right tokens in any order pass in your count; they have to stand in their places",
            _same_tokens,
        ),
        Mistake(
            "that is the number of right sequences; divide it by how many there are",
            _exact(over=np.sum),
        ),
        Mistake(
            "that is the share of the wrong sequences",
            lambda **given: 1 - _exact()(**given),
        ),
        Mistake(
            "those are percent; a share lies between 0 and 1",
            lambda **given: 100 * _exact()(**given),
        ),
    ),
    hints=(
        "First decide place by place: it is fine if the two tokens agree, or if the place does "
        "not count.",
        "The target says which places count: `target != pad`. Combine two boolean arrays with `|`.",
        "A sequence is right if all places of its row are fine: `.all(1)`. The mean of True and "
        "False is the share of True.",
    ),
)

what_memory_lacks = choice(
    "what_memory_lacks",
    LESSON,
    right="d",
    wrong={
        "a": "the mean of the words opens such a way as well, from each row straight to the "
        "vectors of the words, and brings 0.59, 0.65 and 0.50",
        "b": "each row was told its place again, and the net writes 0.47, 0.76 and 0.64 of the "
        "numbers: about what it wrote without",
        "c": "the mean of its words tells each row which ones occur, and brings 0.59, 0.65 and "
        "0.50: about what the net wrote without",
        "e": "what was added came once, behind the last block and outside all of them, and the "
        "own word brings 0.80, 0.99 and 0.87",
    },
    points=1,
    required=False,
    minutes=6,
    difficulty=2,
    hints=(
        "Only the last rows of the table can tell explanations apart: each of them hands the "
        "memory one thing that it may lack.",
        "If a row lacks a thing, handing it that thing has to help. Which addition helps, in every "
        "seed, and which ones leave the net where it was?",
        "Two additions contain the words, and both open a direct way for the gradient to the "
        "vectors of the words. They differ in which row gets which word.",
    ),
)

# the weights are set from outside; each has its own share of the gradient
_DECODER_PROBE = """
import torch

NAMES = ("q1", "k1", "v1", "q2", "k2", "v2")

def probe(answer, h, memory, v, W):
    h, memory, v, W = (torch.from_numpy(part) for part in (h, memory, v, W))
    block = answer(h.shape[2])
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block = block.double()
    weights = {name: tuple(p.shape) for name, p in block.named_parameters()}
    wanted = {f"{name}.weight": tuple(W.shape[1:]) for name in NAMES}
    if weights != wanted:
        raise TypeError(f"it needs the weights {', '.join(wanted)}, each of shape "
                        f"{tuple(W.shape[1:])}; leave __init__ as it is")
    parameters = [getattr(block, name).weight for name in NAMES]
    with torch.no_grad():
        for parameter, value in zip(parameters, W):
            parameter.copy_(value)
        given = [h.clone(), memory.clone()]
        y = block(*given)
    after = {"h": given[0].numpy(), "memory": given[1].numpy()}
    result = {"y": y, "after": after}
    right = isinstance(y, torch.Tensor) and y.shape == h.shape and y.dtype == h.dtype
    if not right or not (torch.equal(given[0], h) and torch.equal(given[1], memory)):
        return result  # autograd could not go on
    starts = [h.clone().requires_grad_(), memory.clone().requires_grad_()]
    moved = block(*(start.clone() for start in starts))
    sources = starts + parameters
    gradients = [torch.zeros_like(source) for source in sources]
    if moved.requires_grad:
        live = [i for i, source in enumerate(sources) if source.requires_grad]
        found = torch.autograd.grad(moved, [sources[i] for i in live], v, allow_unused=True)
        for i, gradient in zip(live, found):
            gradients[i] = gradients[i] if gradient is None else gradient
    result["gradient that reaches h"] = gradients[0]
    result["gradient that reaches the memory"] = gradients[1]
    result["gradient that reaches the weights"] = torch.stack(gradients[2:])
    return result
"""
_Y, _TO_H, _TO_MEMORY, _TO_WEIGHTS = (
    "y",
    "gradient that reaches h",
    "gradient that reaches the memory",
    "gradient that reaches the weights",
)


def _decoder_case(title, batch, seq, keys, d_model, held_back=False):
    stream, weights = (batch, seq, d_model), (6, d_model, d_model)
    return normal_case(
        title, held_back, h=stream, memory=(batch, keys, d_model), v=stream, W=weights
    )


def _causal(queries, keys):
    return np.tri(queries, keys, dtype=bool)


def _everything(queries, keys):
    return np.ones((queries, keys), bool)


def _look(W, x, source, seen=_everything, values=None):
    """Attend with one head; a source of the values may be named."""
    values = source if values is None else values
    seen = seen(x.shape[1], source.shape[1])
    return attention_forward(x @ W[0].T, source @ W[1].T, values @ W[2].T, seen)


def _look_back(W, x, source, cache, dout):
    """Send a gradient back through `_look`, to x, the source and the weights."""
    dq, dk, dv = attention_backward(cache, dout)
    read = ((dq, x), (dk, source), (dv, source))
    return (
        dq @ W[0],
        dk @ W[1] + dv @ W[2],
        np.stack([np.einsum("bso,bsi->oi", gradient, given) for gradient, given in read]),
    )


def _mended(h, memory, v, W, skip=1.0, read=1.0, memory_from=1.0):
    """Compute all that the probe measures; the gains cut a way back, the value stays."""
    heard, inner = _look(W[:3], h, h, _causal)
    stream = h + heard
    found, outer = _look(W[3:], stream, memory)
    to_query, to_memory, to_cross = _look_back(W[3:], stream, memory, outer, v)
    to_stream = skip * v + read * to_query
    to_h, to_source, to_self = _look_back(W[:3], h, h, inner, to_stream)
    return {
        _Y: stream + found,
        _TO_H: to_stream + to_h + to_source,
        _TO_MEMORY: memory_from * to_memory,
        _TO_WEIGHTS: np.concatenate([to_self, to_cross]),
    }


def _listen(h, W, seen=_causal, skip=1):
    return skip * h + _look(W, h, h, seen)[0]


def _decoder(value):
    """Expect another y, whatever the gradients are."""

    def result(h, memory, v, W):
        try:
            return {_Y: value(h, memory, W[:3], W[3:])}
        except ValueError:  # the shapes do not fit
            return None

    return result


def _louder(W):
    """Take the division by √d back."""
    return np.concatenate([W[:1] * W.shape[-1] ** 0.5, W[1:]])


def _with_cross(look, self_seen=_causal):
    """Let the stream after self-attention be joined to the memory in this way."""
    return _decoder(lambda h, memory, W1, W2: look(_listen(h, W1, self_seen), memory, W2))


MendedDecoder = Exercise(
    name="MendedDecoder",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    probe=_DECODER_PROBE,
    cases=(
        _decoder_case("four steps, four words", 2, 4, 4, 3),
        _decoder_case("three steps, six words", 2, 3, 6, 4),
        _decoder_case("five steps, two words", 3, 5, 2, 2, held_back=True),
        _decoder_case("one step, seven words", 2, 1, 7, 4, held_back=True),
    ),
    reference=_mended,
    mistakes=(
        Mistake(
            "nothing is mended yet: your forward computes what the broken one does",
            _with_cross(lambda s, memory, W: memory + _look(W, memory, s, _causal)[0], _everything),
        ),
        Mistake(
            "one fault is left: the self-attention has no causal mask, so each step sees the "
            "digits that it is to write next",
            _with_cross(lambda s, memory, W: s + _look(W, s, memory)[0], _everything),
        ),
        Mistake(
            "one fault is left, the causal mask on the cross-attention: step 0 sees the first word "
            "alone. All words are known before the first digit is written",
            _with_cross(lambda s, memory, W: s + _look(W, s, memory, _causal)[0]),
        ),
        Mistake(
            "the causal mask is on the wrong one of the two attentions: it belongs to the "
            "self-attention, where the steps lie ahead",
            _with_cross(lambda s, memory, W: s + _look(W, s, memory, _causal)[0], _everything),
        ),
        Mistake(
            "the shortcut of the cross-attention carries the memory; it is the stream that goes on",
            _with_cross(lambda s, memory, W: memory + _look(W, s, memory)[0]),
        ),
        Mistake(
            "the shortcut of the cross-attention is missing: the stream goes on, and what was read "
            "is added to it",
            _with_cross(lambda s, memory, W: _look(W, s, memory)[0]),
        ),
        Mistake(
            "the memory still asks, and the stream answers: in cross-attention the queries come "
            "from the stream, keys and values from the memory",
            _with_cross(lambda s, memory, W: s + _look(W, memory, s)[0]),
        ),
        Mistake(
            "the mask is mended, and the memory still asks and carries on: it is the stream that "
            "asks, and the stream that goes on",
            _with_cross(lambda s, memory, W: memory + _look(W, memory, s)[0]),
        ),
        Mistake(
            "the values of your cross-attention still come from the stream; what is read are the "
            "values of the memory",
            _with_cross(lambda s, memory, W: s + _look(W, s, memory, values=s)[0]),
        ),
        Mistake(
            "the keys of your cross-attention still come from the stream; keys and values belong "
            "to the same rows, those of the memory",
            _with_cross(lambda s, memory, W: s + _look(W, s, s, values=memory)[0]),
        ),
        Mistake(
            "the second attention reads the stream alone; the memory does not enter",
            _with_cross(lambda s, memory, W: s + _look(W, s, s)[0]),
        ),
        Mistake(
            "the cross-attention adds to the h from before the self-attention, whose result is "
            "asked with and then lost",
            _decoder(lambda h, memory, W1, W2: h + _look(W2, _listen(h, W1), memory)[0]),
        ),
        Mistake(
            "the cross-attention asks with the h from before the self-attention; the sublayers "
            "come one after the other",
            _decoder(lambda h, memory, W1, W2: _listen(h, W1) + _look(W2, h, memory)[0]),
        ),
        Mistake(
            "you took the shortcut of the self-attention away, which was not broken",
            _decoder(
                lambda h, memory, W1, W2: (s := _listen(h, W1, skip=0)) + _look(W2, s, memory)[0]
            ),
        ),
        Mistake(
            "the cross-attention comes first in your block; in 2017 a step first looks at what is "
            "written, then at the memory",
            _decoder(lambda h, memory, W1, W2: _listen(h + _look(W2, h, memory)[0], W1)),
        ),
        Mistake(
            "the second attention uses the weights of the first; q2, k2 and v2 are its own",
            _decoder(
                lambda h, memory, W1, W2: (s := _listen(h, W1)) + _look(W1, s, memory)[0],
            ),
        ),
        Mistake(
            "your mask is turned round: each step sees itself and the later ones",
            _with_cross(
                lambda s, memory, W: s + _look(W, s, memory)[0],
                lambda queries, keys: _causal(queries, keys).T,
            ),
        ),
        Mistake(
            "the scores are not divided by √d",
            _decoder(
                lambda h, memory, W1, W2: (
                    (s := _listen(h, _louder(W1))) + _look(_louder(W2), s, memory)[0]
                )
            ),
        ),
        Mistake(
            "the memory is detached: the value is right, and the encoder would never learn",
            lambda **given: _mended(**given, memory_from=0.0),
        ),
        Mistake(
            "the shortcut of the cross-attention is detached: the value is right, but its Jacobian "
            "lacks I",
            lambda **given: _mended(**given, skip=0.0),
        ),
        Mistake(
            "the queries of the cross-attention are detached from the stream: the value is right, "
            "and no block before it learns what to ask for",
            lambda **given: _mended(**given, read=0.0),
        ),
    ),
    hints=(
        "Go through the two attentions and ask of each: who asks, who answers, and who may see "
        "what? Then: what does the sum carry on?",
        "The digits are written one after the other, the words are all there from the start. So "
        "which of the two needs is_causal=True?",
        "The stream asks: q2 gets h; k2 and v2 get the memory. The output has as many rows as h, "
        "so it is h that the result is added to.",
    ),
)

SEQ, FEW, SHARE = 300, 8, 0.9


def _sinusoids(d_model):
    """Give each of SEQ positions its sines and cosines, as `transformers.sinusoids` does."""
    angles = np.arange(SEQ)[:, None] / 10_000 ** (np.arange(0, d_model, 2) / d_model)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(SEQ, d_model)


def _scores(arguments, value):
    P = _sinusoids(arguments["d_model"])
    Wq, Wk = (np.asarray(part, float) for part in value)
    return (P @ Wq.T) @ (P @ Wk.T).T / P.shape[1] ** 0.5


def _matrices_fault(arguments, value):
    want = (arguments["d_model"],) * 2
    if isinstance(value, np.ndarray) and value.shape == (2, *want):
        value = list(value)
    if not isinstance(value, list) or len(value) != 2:
        got = f"{len(value)} values" if isinstance(value, list) else kind_of(value)
        return f"expected the pair Wq, Wk, got {got}"
    bad = [
        part
        for part in value
        if not isinstance(part, np.ndarray) or part.dtype.kind not in "iuf" or part.shape != want
    ]
    return f"expected two arrays of shape {want}, got {kind_of(bad[0])}" if bad else ""


def _finite_fault(arguments, value):
    if not all(np.isfinite(part).all() for part in value):
        return "expected finite numbers in both matrices"
    if not np.isfinite(_scores(arguments, value)).all():
        return "expected finite scores; they overflow, so the gain is far too large"
    return ""


def _weights_fault(arguments, value):
    k, scores = arguments["k"], _scores(arguments, value)
    A, asked = softmax(scores), np.arange(k, SEQ)
    share, top = A[asked, asked - k], A[k:].argmax(1)
    bad = np.flatnonzero(~(share >= SHARE))
    if not len(bad):
        return ""
    p, seen = asked[bad[0]], top[bad[0]]
    return (
        f"expected position {p} to look at position {p - k} with a weight of at least {SHARE:g}, "
        f"got {share[bad[0]]:.4g}; its largest weight, {A[p, seen]:.2g}, lies on position {seen}. "
        f"{_diagnosis(k, share, top - asked, scores)}"
    )


def _diagnosis(k, share, offset, scores):
    """Say in one sentence what the weights have in common."""
    few = k + FEW
    among_few = softmax(scores[:few, :few])[k:].diagonal()
    mostly = {step: (offset == step).mean() > 0.8 for step in (-k, 0, k, -2 * k, 2 * k)}
    if (among_few >= SHARE).all():
        return (
            f"Among the first {few} positions alone all is well; among {SEQ} there are others that "
            "look alike. Let all pairs of P take part, and raise the gain."
        )
    if mostly[-k]:
        return (
            "Nearly everywhere the right position has the largest weight, and it is too small: "
            "what makes a softmax sharper?"
        )
    if mostly[0]:
        return "Most positions look at themselves: nothing is turned between queries and keys."
    if mostly[k]:
        return "Most positions look k ahead: the pairs are turned the wrong way."
    if k > 1 and (mostly[-2 * k] or mostly[2 * k]):
        return "Most positions look 2k away: one of queries and keys is to be turned, not both."
    if (offset == offset[-1]).mean() > 0.8:
        side = "before" if offset[-1] < 0 else "behind"
        return (
            f"Most positions look at one that lies {abs(offset[-1])} {side} them, not {k} before."
        )
    return (
        "The distance differs from position to position. Each pair turns by an angle of its own, k "
        "times its frequency: are sine and cosine, and the frequencies, where P has them?"
    )


def _look_case(title, k, d_model, held_back=False):
    return normal_case(title, held_back, k=k, d_model=d_model)


look_back = Exercise(
    name="look_back",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="function",
    cases=(
        _look_case("three back, d_model = 8", 3, 8),
        _look_case("the position before, d_model = 16", 1, 16),
        _look_case("forty back, d_model = 64", 40, 64),
        _look_case("seven back, d_model = 12", 7, 12, held_back=True),
        _look_case("two back, d_model = 128", 2, 128, held_back=True),
    ),
    properties=(
        Property("two matrices of shape (d_model, d_model)", _matrices_fault),
        Property("finite scores", _finite_fault),
        Property("each of 300 positions looks k back", _weights_fault),
    ),
    hints=(
        "The score of p and j is the dot product of a query and a key. For two rows of P it is "
        "Σ cos(ω_i (p − j)), largest at j = p. It should be largest at j = p − k.",
        "Turn each pair of the query back by the angle ω_i k, so that sin(ω_i p), cos(ω_i p) "
        "become sin(ω_i (p − k)), cos(ω_i (p − k)), with the addition theorems. That is a 2×2 "
        "matrix in each block of Wq, and Wk can be I.",
        "The largest score is at the right place now, and the softmax is still flat. Multiply Wq "
        "by 100.",
    ),
)

EXERCISES = (memory_gradient, exact_matches, what_memory_lacks, MendedDecoder, look_back)
