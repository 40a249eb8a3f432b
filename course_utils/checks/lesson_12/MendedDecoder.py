"""A decoder block with several faults, to be mended."""

import numpy as np

from course_utils.backprop.attention import attention_backward, attention_forward
from course_utils.checks.lesson_12 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case, probe_beside

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


EXERCISE = Exercise(
    name="MendedDecoder",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    probe=probe_beside(__name__),
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
