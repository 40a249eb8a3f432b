"""Exercises of lesson 08: shattered gradients."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "08_shattered_gradients"


def _line_case(title, nets, points, walk=False, held_back=False):
    def draw(rng):
        # nets of different sizes, whose gradients have a mean
        size = 10 ** rng.uniform(-0.5, 0.5, size=(nets, 1))
        noise = rng.normal(size=(nets, points))
        return {"g": size * (0.4 + (noise.cumsum(1) if walk else noise))}

    return Case(title, draw, held_back)


def _each_lag(g, value):
    """Apply value to the left and the right ends of all pairs k apart, for each k."""
    points = g.shape[1]
    return np.array([value(g[:, : points - k], g[:, k:]) for k in range(points)])


def _mean_products(g):
    return _each_lag(g, lambda left, right: (left * right).mean())


def _lag_correlation(g):
    means = _mean_products(g)
    return means / means[0]


def _over_points(g):
    points = g.shape[1]
    return _lag_correlation(g) * (points - np.arange(points)) / points


def _round_the_line(g):
    turned = (np.roll(g, -k, axis=1) for k in range(g.shape[1]))
    return np.array([(g * other).mean() for other in turned]) / (g**2).mean()


def _own_sizes(left, right):
    return (left * right).mean() / np.sqrt((left**2).mean() * (right**2).mean())


lag_correlation = Exercise(
    name="lag_correlation",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _line_case("three nets, six inputs", 3, 6),
        _line_case("two nets, five inputs", 2, 5),
        _line_case("twenty nets, a hundred inputs, as smooth as Brownian motion", 20, 100, True),
        _line_case("seven nets, forty inputs", 7, 40, held_back=True),
    ),
    reference=_lag_correlation,
    mistakes=(
        Mistake(
            "you pair the last inputs with the first, as np.roll does; the line is no circle, so "
            "there are points − k pairs",
            _round_the_line,
        ),
        Mistake(
            "you divide by the number of points, or you divide sums; k apart there are only "
            "points − k pairs in each net, and their mean is asked for",
            _over_points,
        ),
        Mistake(
            "you remove the mean of each net; a gradient that is the same everywhere is not noise, "
            "and its correlation is 1 at every lag",
            lambda g: _lag_correlation(g - g.mean(1, keepdims=True)),
        ),
        Mistake(
            "you remove the mean over the nets at each input; take the gradients as they are",
            lambda g: _lag_correlation(g - g.mean(0)),
        ),
        Mistake(
            "you remove the mean of all gradients; take them as they are",
            lambda g: _lag_correlation(g - g.mean()),
        ),
        Mistake(
            "that is the correlation coefficient at each lag, which removes the means of both "
            "sides; take the gradients as they are",
            lambda g: _each_lag(
                g, lambda left, right: np.corrcoef(left.ravel(), right.ravel())[0, 1]
            ),
        ),
        Mistake(
            "the numerator keeps the mean, the variance below does not; divide by the mean of g²",
            lambda g: _mean_products(g) / g.var(),
        ),
        Mistake(
            "you divide each net by its own size first; average over the nets, then divide once",
            lambda g: _lag_correlation(g / np.linalg.norm(g, axis=1, keepdims=True)),
        ),
        Mistake(
            "you divide each lag by the sizes of its own pairs; one number divides them all, the "
            "mean of g² over all inputs",
            lambda g: _each_lag(g, _own_sizes),
        ),
        Mistake(
            "the sign is lost before you multiply: two gradients that point opposite ways count "
            "as −",
            lambda g: _lag_correlation(np.abs(g)),
        ),
        Mistake(
            "the sign is lost at the end; a correlation may be negative",
            lambda g: np.abs(_lag_correlation(g)),
        ),
        Mistake(
            "the lag 0 is missing: entry 0 pairs every input with itself",
            lambda g: _lag_correlation(g)[1:],
        ),
        Mistake(
            "the largest lag is missing: the two ends of the line are points − 1 apart",
            lambda g: _lag_correlation(g)[:-1],
        ),
        Mistake(
            "those are the mean products; divide them by the one at lag 0",
            _mean_products,
        ),
        Mistake(
            "you take the pairs that begin at the first input; all pairs k apart count",
            lambda g: (g[:, :1] * g).mean(0) / (g[:, 0] ** 2).mean(),
        ),
        Mistake(
            "you take the pairs that begin at the first input, over the mean of all g²; all pairs "
            "k apart count",
            lambda g: (g[:, :1] * g).mean(0) / (g**2).mean(),
        ),
        Mistake(
            "you average the gradients over the nets before you multiply: multiply within each "
            "net, then average",
            lambda g: _lag_correlation(g.mean(0, keepdims=True)),
        ),
        Mistake(
            "you return one row per net: average over the nets too",
            lambda g: np.array([_lag_correlation(row[None]) for row in g]),
        ),
        Mistake(
            "you pair nets with one another; a row is a net, and the lag runs along the row",
            lambda g: _lag_correlation(g.T),
        ),
    ),
    hints=(
        "Which inputs are k apart? The left ends of the pairs are all but the last k.",
        "With points = g.shape[1] the left ends are g[:, : points - k], the right ends g[:, k:]. "
        "Multiply them and take one mean, over nets and pairs.",
        "Collect that mean for k in range(points) in an array, and divide it by its first entry, "
        "which is the mean of g².",
    ),
)


def _angles_case(title, shape, depth, a, b, held_back=False):
    def draw(rng):
        return {"theta": rng.uniform(0.1, 3.0, size=shape), "depth": depth, "a": a, "b": b}

    return Case(title, draw, held_back)


def _kappa(theta):
    """Return the cosine between relu(W h) and relu(W h') for h and h' at this angle."""
    return (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi


def _share(theta):
    """Return the share of the active units that two inputs have in common."""
    return 1 - theta / np.pi


def _mixed(theta, a, b, of_stream, of_branch):
    """Average what the shortcut and what the branch contribute, by squared gains."""
    return (a**2 * of_stream(theta) + b**2 * of_branch(theta)) / (a**2 + b**2)


def _new_angle(theta, a, b):
    return np.arccos(np.minimum(_mixed(theta, a, b, np.cos, _kappa), 1))


def _factor(theta, a, b):
    return _mixed(theta, a, b, np.ones_like, _share)


def _with_gains(factor=_factor, move=_new_angle):
    """Compute the answer in which a block multiplies by factor, then moves the angle."""

    def value(theta, depth, a, b):
        correlation = np.ones_like(theta)
        for _ in range(depth):
            correlation = correlation * factor(theta, a, b)
            theta = move(theta, a, b)
        return correlation

    return value


def _last_cosine(theta, depth, a, b):
    for _ in range(depth):
        theta = _new_angle(theta, a, b)
    return np.cos(theta)


def _root_gains(gains):
    """Compute the answer with other gains in the place of a and b."""
    return lambda theta, depth, a, b: _with_gains()(theta, depth, *gains(a, b))


with_gains = Exercise(
    name="with_gains",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _angles_case("ten blocks, three angles", (3,), 10, 1.0, 0.4),
        _angles_case("a = 0: a plain net of four layers", (2,), 4, 0.0, 1.3),
        _angles_case("one angle, a quiet shortcut", (), 5, 0.7, 0.9),
        _angles_case("fifty blocks, a grid of angles", (2, 3), 50, 1.0, 50**-0.5, True),
        _angles_case("one block", (4,), 1, 1.5, 2.0, True),
    ),
    reference=_with_gains(),
    mistakes=(
        Mistake(
            "you move the angle first: a block's factor contains the angle between the two streams "
            "that enter it",
            _with_gains(lambda theta, a, b: _factor(_new_angle(theta, a, b), a, b)),
        ),
        Mistake(
            "the gains are not squared: a and b scale lengths, and products of two streams scale "
            "with a² and b²",
            _root_gains(lambda a, b: (np.sqrt(a), np.sqrt(b))),
        ),
        Mistake(
            "b is not squared: a branch with the gain b contributes b² to a product of two streams",
            _root_gains(lambda a, b: (a, np.sqrt(b))),
        ),
        Mistake(
            "a is not squared: the shortcut contributes a² to a product of two streams",
            _root_gains(lambda a, b: (np.sqrt(a), b)),
        ),
        Mistake(
            "in the cosine b is not squared; the factors are right",
            _with_gains(move=lambda theta, a, b: _new_angle(theta, a, np.sqrt(b))),
        ),
        Mistake(
            "in the factors b is not squared; the angles are right",
            _with_gains(lambda theta, a, b: _factor(theta, a, np.sqrt(b))),
        ),
        Mistake(
            "the factors are not divided by s = a² + b²; at the angle 0 the correlation stays 1",
            _with_gains(lambda theta, a, b: (a**2 + b**2) * _factor(theta, a, b)),
        ),
        Mistake(
            "you average the angles; it is the cosines that are averaged, and arccos makes an "
            "angle of the result",
            _with_gains(
                move=lambda theta, a, b: _mixed(
                    theta, a, b, lambda t: t, lambda t: np.arccos(_kappa(t))
                )
            ),
        ),
        Mistake(
            "you take the new cosine for the new angle: arccos is missing",
            _with_gains(move=lambda theta, a, b: _mixed(theta, a, b, np.cos, _kappa)),
        ),
        Mistake(
            "you average the angle with κ; κ(θ) is a cosine, so average it with cos θ, then take "
            "arccos",
            _with_gains(move=lambda theta, a, b: _mixed(theta, a, b, lambda t: t, _kappa)),
        ),
        Mistake(
            "the angle stays what it was; every block moves it",
            lambda theta, depth, a, b: _factor(theta, a, b) ** depth,
        ),
        Mistake(
            "the shortcut is missing everywhere: that is the plain net, a = 0",
            _root_gains(lambda a, b: (0.0, b)),
        ),
        Mistake(
            "the shortcut is missing in the factors: it passes on a² of the product whatever the "
            "units do",
            _with_gains(lambda theta, a, b: _share(theta)),
        ),
        Mistake(
            "the angle moves as in a plain layer; along the shortcut the cosine stays what it was",
            _with_gains(move=lambda theta, a, b: np.arccos(_kappa(theta))),
        ),
        Mistake(
            "you take a = 1; here it is given",
            _root_gains(lambda a, b: (1.0, b)),
        ),
        Mistake(
            "you take a = 1 in the factors; the angles are right",
            _with_gains(lambda theta, a, b: _factor(theta, 1.0, b)),
        ),
        Mistake(
            "you exchange a and b: a belongs to the shortcut, b to the branch",
            _root_gains(lambda a, b: (b, a)),
        ),
        Mistake(
            "that is the cosine between the two streams at the end; the product of the factors is "
            "asked for",
            _last_cosine,
        ),
        Mistake(
            "the factors multiply once more than there are blocks",
            lambda theta, depth, a, b: _with_gains()(theta, depth + 1, a, b),
        ),
        Mistake(
            "one block is missing: the first one multiplies too, with the angle at the start",
            lambda theta, depth, a, b: _with_gains()(theta, depth - 1, a, b),
        ),
        Mistake(
            "θ/π is the share of units that differ; the gradients agree through the others, "
            "1 − θ/π",
            _with_gains(lambda theta, a, b: _mixed(theta, a, b, np.ones_like, lambda t: t / np.pi)),
        ),
        Mistake(
            "π is missing in the factors: the share is 1 − θ/π",
            _with_gains(lambda theta, a, b: _mixed(theta, a, b, np.ones_like, lambda t: 1 - t)),
        ),
        Mistake(
            "the branch's κ stands in the factors too; there it is the share of common units, "
            "1 − θ/π",
            _with_gains(lambda theta, a, b: _mixed(theta, a, b, np.ones_like, _kappa)),
        ),
        Mistake(
            "in the factors the shortcut contributes a², not a² cos θ: it is the same for both "
            "inputs",
            _with_gains(lambda theta, a, b: _mixed(theta, a, b, np.cos, _share)),
        ),
    ),
    hints=(
        "Carry two things through a loop over the blocks: the correlation so far, which starts at "
        "1, and the angle.",
        "In each block multiply the correlation by the factor first, with the angle as it is. Then "
        "make the new cosine.",
        "correlation = correlation * (a**2 + b**2 * (1 - theta / np.pi)) / s, with s = a² + b². "
        "The new theta is np.arccos of (a² cos θ + b² κ)/s.",
    ),
)

does_it_shatter = choice(
    "does_it_shatter",
    LESSON,
    right="c",
    wrong={
        "a": "look at C: its gradients are the smallest of the four, and at the small lag they "
        "agree to 0.99",
        "b": "the correlation is divided by the mean of g², so a gradient of any size may have "
        "any correlation. C has nearly the same gradient everywhere, and it is 0.000002",
        "d": "a factor of 4000 is divided out of the correlation: D made smaller by 4000 has the "
        "same 0.05 and 0.00",
        "e": "B's mean |dy/dx| is 0.9, about that of A. A correlation near 0 says that the "
        "gradient at one input tells nothing about its neighbour's, not that either is 0",
    },
    points=1,
    required=False,
    minutes=5,
    difficulty=2,
    hints=(
        "The first column of numbers shows whether gradients vanish or explode, the other two "
        "whether they shatter.",
        "Test each sentence on all four rows. White noise has the correlation 0 at every lag but "
        "0; a straight line y = c x has 1.",
        "What happens to the correlation if every gradient is multiplied by the same number?",
    ),
)


def _rows_case(title, rows, columns, zero_W=(), zero_D=(), held_back=False):
    def draw(rng):
        W = rng.normal(size=(rows, columns)) * rng.uniform(0.2, 4, size=(rows, 1))
        D = rng.normal(size=(rows, columns)) * rng.uniform(0.5, 2, size=(rows, 1))
        W[list(zero_W)] = 0
        D[list(zero_D)] = 0
        return {"W": W, "D": D}

    return Case(title, draw, held_back)


def _scaled(W, D, length=np.linalg.norm, axis=1):
    """Scale D to the length of W along an axis; where D is 0 it stays 0."""
    has, wants = (length(M, axis=axis, keepdims=True) for M in (D, W))
    return D * wants / np.where(has == 0, 1, has)


def _squared_length(M, **how):
    return np.linalg.norm(M, **how) ** 2


def _absolute_sum(M, **how):
    return np.abs(M).sum(**how)


def _lengths_along_rows(W, D):
    if len(W) != W.shape[1] and 1 not in W.shape:
        return None
    has, wants = np.linalg.norm(D, axis=1), np.linalg.norm(W, axis=1)
    return D * wants / np.where(has == 0, 1, has)


filter_normalised = Exercise(
    name="filter_normalised",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=7,
    difficulty=1,
    kind="function",
    cases=(
        _rows_case("four rows of three", 4, 3),
        _rows_case("a row of W is 0", 3, 5, zero_W=(1,)),
        _rows_case("a square matrix, and a row of D is 0", 3, 3, zero_D=(2,)),
        _rows_case("five rows of two, one of them 0 in both", 5, 2, (0,), (0, 3), True),
    ),
    reference=_scaled,
    mistakes=(
        Mistake(
            "one number scales the whole matrix; each row has a length of its own",
            lambda W, D: _scaled(W, D, axis=None),
        ),
        Mistake(
            "you scale the columns; a filter is a row, what one unit reads, so sum over axis 1",
            lambda W, D: _scaled(W, D, axis=0),
        ),
        Mistake(
            "you multiply by the length of W's row and do not divide by that of D's",
            lambda W, D: D * np.linalg.norm(W, axis=1, keepdims=True),
        ),
        Mistake(
            "your rows have the length 1 (or 0): multiply each by the length of W's row",
            lambda W, D: _scaled(np.eye(*W.shape[:1], W.shape[1] + len(W)), D),
        ),
        Mistake(
            "those are squared lengths: the root is missing",
            lambda W, D: _scaled(W, D, _squared_length),
        ),
        Mistake(
            "you add up |entries|; the length of a row is the root of the sum of its squares",
            lambda W, D: _scaled(W, D, _absolute_sum),
        ),
        Mistake(
            "you exchange W and D: that is W with the lengths of D",
            lambda W, D: _scaled(D, W),
        ),
        Mistake(
            "the lengths have the shape (rows,) and so are spread over the columns; keepdims=True "
            "makes it (rows, 1)",
            _lengths_along_rows,
        ),
        Mistake(
            "you add W: return the direction alone",
            lambda W, D: W + _scaled(W, D),
        ),
    ),
    hints=(
        "Two lengths are needed for each row: that of W's row and that of D's.",
        "np.linalg.norm(D, axis=1, keepdims=True) has the shape (rows, 1), so it divides row by "
        "row.",
        "Where D's length is 0, divide by 1 instead, for instance with np.where: 0 stays 0.",
    ),
)

ROUNDING = 1e-5
GROWTH = 1.5
RATIO = 10


def _target_case(title, depth, theta, target, held_back=False):
    return normal_case(title, held_back, depth=depth, theta=theta, target=target)


def _gains_fault(arguments, value):
    want = (arguments["depth"],)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.shape != want:
        return f"expected an array of shape {want}, got {kind_of(value)}"
    bad = np.flatnonzero(~((value > 0) & np.isfinite(value)))
    if not len(bad):
        return ""
    return f"expected positive gains, got b[{bad[0]}] = {value[bad[0]]:.5g}"


def _ratio_fault(arguments, value):
    low, high = value.argmin(), value.argmax()
    if value[high] <= RATIO * (1 + ROUNDING) * value[low]:
        return ""
    return (
        f"expected at most {RATIO} times the smallest gain, b[{low}] = {value[low]:.5g}, got "
        f"b[{high}] = {value[high]:.5g}: a few blocks do the work of all"
    )


def _growth_fault(arguments, value):
    growth = np.prod(1 + value.astype(float) ** 2)
    if growth >= GROWTH - ROUNDING:
        return ""
    return (
        f"expected the squared length to grow by at least {GROWTH}, got {growth:.4f}: the branches "
        "add too little"
    )


def _correlation_fault(arguments, value):
    theta, target, correlation = arguments["theta"], arguments["target"], 1.0
    for b in value.astype(float):
        correlation *= _factor(theta, 1.0, b)
        theta = _new_angle(theta, 1.0, b)
    if correlation >= target - ROUNDING:
        return ""
    return (
        f"expected a correlation of at least {target:g} after all blocks, got {correlation:.4f}: "
        "the branches are too loud"
    )


def _constant(gain):
    """Compute the answer in which all gains are alike."""
    return lambda depth, theta, target: np.full(depth, float(gain(depth)))


spread_gains = Exercise(
    name="spread_gains",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _target_case("six blocks", 6, 1.2, 0.83),
        _target_case("fifty blocks, a smaller angle", 50, 0.5, 0.92),
        _target_case("24 blocks, a low target", 24, 1.5, 0.5),
        _target_case("three blocks, a wide angle", 3, 2.5, 0.7, held_back=True),
        _target_case("a hundred blocks, a wide angle", 100, 3.0, 0.66, held_back=True),
    ),
    properties=(
        Property("one positive gain per block", _gains_fault),
        Property(f"no gain more than {RATIO} times another", _ratio_fault),
        Property(f"a squared length that grows by at least {GROWTH}", _growth_fault),
        Property("gradients that stay correlated", _correlation_fault),
    ),
    mistakes=(
        Mistake(
            "1/√L lets the squared length grow by up to e = 2.7, and that is too loud for these "
            "targets. How much of it do you need?",
            _constant(lambda L: L**-0.5),
        ),
        Mistake(
            "1/L keeps the gradients alike because the branches hardly count: the squared length "
            "grows by about 1 + 1/L",
            _constant(lambda L: 1 / L),
        ),
        Mistake(
            "with b = 1 each block doubles the squared length, and half of each gradient comes "
            "through a branch",
            _constant(lambda L: 1),
        ),
        Mistake(
            "1.5^(1/L) − 1 is b², so take the root",
            _constant(lambda L: GROWTH ** (1 / L) - 1),
        ),
        Mistake(
            "1.5^(1/L) is 1 + b²: subtract the 1 before you take the root",
            _constant(lambda L: GROWTH ** (0.5 / L)),
        ),
        Mistake(
            "your b² add up to ln 1.5, and 1 + b² is a little less than exp(b²): the growth is "
            "just below 1.5",
            _constant(lambda L: np.sqrt(np.log(GROWTH) / L)),
        ),
        Mistake(
            "your b² add up to 1.5; the stream is there already, with the length 1, so the "
            "branches have to add 0.5",
            _constant(lambda L: np.sqrt(GROWTH / L)),
        ),
        Mistake(
            "your b add up to 0.5; it is the b² that count",
            _constant(lambda L: 0.5 / L),
        ),
    ),
    hints=(
        "Louder branches shatter more, so begin with the quietest ones that the growth allows. "
        "Which b does that give if all are alike?",
        "Multiplied out, prod(1 + b²) is at least 1 + the sum of the b². When does this sum reach "
        "0.5?",
        "(1 + b²)^depth = 1.5 for equal gains: solve it for b, and np.full makes depth of them. "
        "Other shapes: choose one, and scale it until the growth is 1.5.",
    ),
)

EXERCISES = (lag_correlation, with_gains, does_it_shatter, filter_normalised, spread_gains)
