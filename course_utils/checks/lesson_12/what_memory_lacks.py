"""What the memory lacks without the encoder's skips, told from a table."""

from course_utils.checks.lesson_12 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "what_memory_lacks",
    LESSON,
    right="d",
    wrong={
        "a": "the mean of the words opens such a way as well, from each row straight to the "
        "vectors of the words, and brings 0.45 to 0.67, without it there was 0.55 to 0.84",
        "b": "each row was told its place again, and the net writes 0.58 to 0.81 of the "
        "numbers: about what it wrote without",
        "c": "the mean of its words tells each row which ones occur, and brings 0.45 to "
        "0.67: no more than the net wrote without",
        "e": "what was added came once, behind the last block and outside all of them, and the "
        "own word brings 0.72 to 0.97",
    },
    points=1,
    required=False,
    minutes=6,
    difficulty=2,
    hints=(
        "Only the last rows of the table can tell explanations apart: each of them hands the "
        "memory one thing that it may lack.",
        "If a row lacks a thing, handing it that thing has to help. Which addition helps, in "
        "nearly every seed, and which ones leave the net where it was?",
        "Two additions contain the words, and both open a direct way for the gradient to the "
        "vectors of the words. They differ in which row gets which word.",
    ),
)
