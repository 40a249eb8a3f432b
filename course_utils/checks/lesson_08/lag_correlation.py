"""How alike gradients are over a distance."""

import numpy as np

from course_utils.checks.lesson_08 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


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


EXERCISE = Exercise(
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
