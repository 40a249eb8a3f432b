"""The trained numbers that a block holds."""

from course_utils.checks.lesson_11 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _size_case(title, d_model, d_ff, n_heads, kind, bias, held_back=False):
    return normal_case(
        title, held_back, d_model=d_model, d_ff=d_ff, n_heads=n_heads, kind=kind, bias=bias
    )


def _sizes(
    attention=lambda d, n_heads, bias: 4 * (d * d + bias * d),
    feed=lambda d, d_ff, bias: 2 * d * d_ff + bias * (d_ff + d),
    norm=lambda d, bias: d + bias * d,
    attentions=lambda kind: 1 + (kind == "decoder"),
    norms=lambda kind: 2 + (kind == "decoder"),
):
    """Compute the answer in which one kind of part is counted in another way."""

    def value(d_model, d_ff, n_heads, kind, bias):
        return (
            attentions(kind) * attention(d_model, n_heads, bias)
            + feed(d_model, d_ff, bias)
            + norms(kind) * norm(d_model, bias)
        )

    return value


def _instead(**changed):
    """Count as if some arguments had other values."""

    def value(**given):
        return _sizes()(**given | {name: take(given) for name, take in changed.items()})

    return value


EXERCISE = Exercise(
    name="block_parameters",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        _size_case("an encoder block with biases", 12, 40, 3, "encoder", True),
        _size_case("a decoder block with biases", 8, 32, 4, "decoder", True),
        _size_case("an encoder block without", 16, 24, 2, "encoder", False),
        _size_case("a decoder block without", 6, 10, 1, "decoder", False, held_back=True),
        _size_case("a decoder block of 2017", 512, 2048, 8, "decoder", True, held_back=True),
    ),
    reference=_sizes(),
    mistakes=(
        Mistake(
            "you count the attention once per head; the heads share four matrices, each with its "
            "own slice",
            _sizes(attention=lambda d, n, bias: n * 4 * (d * d + bias * d)),
        ),
        Mistake(
            "you count queries, keys and values once per head; the heads together fill one matrix "
            "of each kind",
            _sizes(attention=lambda d, n, bias: (3 * n + 1) * (d * d + bias * d)),
        ),
        Mistake(
            "you count one head of the attention: all of them together have d_model columns",
            _sizes(
                attention=lambda d, n, bias: 3 * (d * d // n + bias * d // n) + d * d + bias * d
            ),
        ),
        Mistake(
            "the attention has four matrices: the one that mixes the heads is missing",
            _sizes(attention=lambda d, n, bias: 3 * (d * d + bias * d)),
        ),
        Mistake(
            "the bias of the matrix that mixes the heads is missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d + 3 * bias * d),
        ),
        Mistake(
            "the biases of queries, keys and values are missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d + bias * d),
        ),
        Mistake(
            "the biases of the attention are missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d),
        ),
        Mistake("the norms are missing", _sizes(norms=lambda kind: 0)),
        Mistake(
            "there is a norm for each sublayer, not one per block", _sizes(norms=lambda kind: 1)
        ),
        Mistake(
            "a decoder block has three sublayers, and so three norms",
            _sizes(norms=lambda kind: 2),
        ),
        Mistake(
            "a decoder block attends twice: the cross-attention is missing, its norm is there",
            _sizes(attentions=lambda kind: 1),
        ),
        Mistake(
            "the third sublayer of a decoder block is missing: cross-attention and its norm",
            _sizes(attentions=lambda kind: 1, norms=lambda kind: 2),
        ),
        Mistake(
            "a decoder block is not two encoder blocks: it attends twice and feeds forward once",
            lambda **given: (
                _instead(kind=lambda given: "encoder")(**given) * (1 + (given["kind"] == "decoder"))
            ),
        ),
        Mistake(
            "a LayerNorm has a bias as well as a gain",
            _sizes(norm=lambda d, bias: d),
        ),
        Mistake(
            "without biases the norms have none either, just their gains",
            _sizes(norm=lambda d, bias: 2 * d),
        ),
        Mistake(
            "a gain and a bias of a norm are vectors of d_model numbers, not single numbers",
            _sizes(norm=lambda d, bias: 1 + bias),
        ),
        Mistake(
            "you count biases where there are none: bias is False",
            _instead(bias=lambda given: True),
        ),
        Mistake("the biases are missing", _instead(bias=lambda given: False)),
        Mistake(
            "the feed-forward sublayer has two matrices: there, and back",
            _sizes(feed=lambda d, d_ff, bias: d * d_ff + bias * (d_ff + d)),
        ),
        Mistake(
            "the feed-forward sublayer has two matrices, each with its bias: there, and back",
            _sizes(feed=lambda d, d_ff, bias: d * d_ff + bias * d_ff),
        ),
        Mistake(
            "the biases of the feed-forward sublayer are missing",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff),
        ),
        Mistake(
            "the first bias of the feed-forward sublayer has d_ff numbers, the second d_model",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff + 2 * bias * d),
        ),
        Mistake(
            "the first bias of the feed-forward sublayer has d_ff numbers, and the second has "
            "d_model",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff + 2 * bias * d_ff),
        ),
        Mistake(
            "you take 4 · d_model for d_ff; it is given",
            _instead(d_ff=lambda given: 4 * given["d_model"]),
        ),
    ),
    hints=(
        "An encoder block has two sublayers, a decoder block three. Count what one attention, one "
        "feed-forward sublayer and one norm hold, then add up.",
        "Attention: four matrices of d_model × d_model, for queries, keys, values and to mix the "
        "heads. Feed-forward: d_model × d_ff and d_ff × d_model. A matrix has one bias per output.",
        "With biases: 4 (d² + d) per attention, 2 d d_ff + d_ff + d, and 2 d per norm. Without "
        "them a norm keeps d gains. A decoder block has two attentions and three norms.",
    ),
)
