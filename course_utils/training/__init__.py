"""Train many copies of a network at once: every learning rate with every seed."""

from course_utils import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "copies": ["BATCH_SEED", "Run", "fit"],
        "divergence": ["Divergence"],
        "losses": ["accuracy", "cross_entropy", "mse"],
        "rates": ["at_best_rate", "search", "soonest"],
    },
)
