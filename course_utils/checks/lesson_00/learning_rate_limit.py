"""The learning rate at which gradient descent on ½ · 8 w² gives up."""

from course_utils.checks.lesson_00 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake

EXERCISE = Exercise(
    name="learning_rate_limit",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=5,
    difficulty=1,
    kind="number",
    cases=(Case("your number", lambda rng: {}),),
    reference=lambda: 0.25,
    mistakes=(
        Mistake(
            "0.125 = 1/c is the rate that arrives in one step; at slightly larger rates w "
            "changes sign and still shrinks",
            lambda: 0.125,
        ),
        Mistake("2 is the limit for c = 1; a steeper parabola needs smaller steps", lambda: 2.0),
        Mistake("that is the factor's slope, 8; set |1 − 8η| equal to 1", lambda: 8.0),
        Mistake("at 0 nothing moves at all; look for the other end", lambda: 0.0),
        Mistake("check the factor: 1 − 8·0.5 = −3, far outside −1 to 1", lambda: 0.5),
    ),
    hints=(
        "One step multiplies w by 1 − η c.",
        "The error stops shrinking when that factor reaches 1 or −1.",
        "Solve 1 − 8η = −1.",
    ),
)
