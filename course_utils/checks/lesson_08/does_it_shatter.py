"""Small, large or torn: gradients of four nets, to be told apart."""

from course_utils.checks.lesson_08 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
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
