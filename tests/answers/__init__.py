"""Answers as learners would type them: one text file per exercise, right and wrong ones."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Answer:
    exercise: str
    source: str
    fragment: str  # what the message has to say; "" for a right answer

    def __str__(self):
        return f"{self.exercise}: {self.fragment or 'right'}"


def answers(folder=HERE):
    """Read every answer of every exercise."""
    found = []
    for file in sorted(folder.glob("*.txt")):
        for part in file.read_text(encoding="utf-8").split("### ")[1:]:
            head, source = part.split("\n", 1)
            kind, _, fragment = head.partition(":")
            assert kind in ("right", "wrong"), f"{file.name}: {head}"
            found.append(Answer(file.stem, source, fragment.strip()))
    return found
