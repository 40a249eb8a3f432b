"""What attention without skips loses, told from a table."""

from course_utils.checks.lesson_09 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "what_is_lost",
    LESSON,
    right="c",
    wrong={
        "a": "the rows keep a third of their length. A norm divides a row by one number, and rows "
        "that agree have the same one: they agree afterwards as well",
        "b": "change one digit, and all rows change by a third of their length. They know of the "
        "digits; they agree on what they know",
        "d": "that holds without positions. Here they were added, and two digits that change "
        "places move all rows by half of their length",
        "e": "it is the same map for every row, and equal rows leave it equal. To tell the fourth "
        "row from the fifth it would need a slope of about a million",
    },
    points=1,
    required=True,
    minutes=5,
    difficulty=2,
    hints=(
        "The last column compares the rows of one output with each other. The two experiments "
        "below the table compare two outputs.",
        "Test each sentence on a number: do the lengths go to 0? Does the output react to a "
        "digit? To the order?",
        "To reverse the digits, row 1 has to say another digit than row 8. What do the two rows "
        "have to go by?",
    ),
)
