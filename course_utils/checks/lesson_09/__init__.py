"""Lesson 09: attention and rank."""

LESSON = "09_attention_and_rank"
EXERCISES = (
    "attend_causally",
    "temperature_gradient",
    "what_is_lost",
    "collapse_after",
    "keeps_tokens_apart",
)
