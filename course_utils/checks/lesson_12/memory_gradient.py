"""The gradient of a memory that every decoder block reads."""

from course_utils.checks.lesson_12 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


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


EXERCISE = Exercise(
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
