"""Begin a lesson, an exercise or a panel: write every file that the tests ask for, as stubs.

A stub says TO WRITE and what belongs there. Its code raises, and the tests name it, until it is
replaced. Nothing that exists is overwritten.
"""

import ast
import keyword
import re
from pathlib import Path

import nbformat.v4 as v4

from course_utils.authoring import exercises, notebooks, readme

TEMPLATES = Path(__file__).parent / "templates"
KINDS = ("function", "module", "choice", "number", "free")  # free: judged by properties
WRONG = 5  # wrong answers that an exercise is tried with, at least


def lesson(stem, root=notebooks.ROOT):
    """Begin a lesson that has no exercises yet.

    Parameters
    ----------
    stem : str
        Two digits and a noun phrase, such as ``"13_residual_stream"``.
    root : Path
        The course.

    Returns
    -------
    written : list of Path
    todo : str
        What to do next, in order.

    Raises
    ------
    ValueError
        If the stem is none.
    FileExistsError
        If a lesson of that number is there; it names its files.
    """
    if not re.fullmatch(r"\d\d(_[a-z0-9]+)+", stem):
        raise ValueError(
            "expected two digits and a noun phrase in snake_case, such as 13_residual_stream, "
            f"got {stem!r}"
        )
    words = {"stem": stem, "NN": stem[:2], "title": stem[3:].replace("_", " ").capitalize()}
    folder = root / "course_utils" / "checks" / f"lesson_{stem[:2]}"
    rooms = ("notebooks", "solutions", "exercises")
    _refuse_what_is_there(
        f"lesson {stem!r}",
        [path for room in rooms for path in (root / room).glob(f"{stem[:2]}_*.ipynb")]
        + [folder / "__init__.py"],
        root,
    )
    folder.mkdir(exist_ok=True)
    written = [folder / "__init__.py", root / "notebooks" / f"{stem}.ipynb"]
    written[0].write_text(_template("checks", words), encoding="utf-8")
    page = v4.new_notebook(cells=_cells("lesson", words))
    notebooks.write(page, written[1], keep_output=True)
    written += _store_solution(v4.new_notebook(cells=_cells("solution", words)), stem, root)
    memory = f"| {stem[:2]} | TO WRITE: what python -m benchmarks.memory {stem} measures | | | |"
    readme.add(readme.MEMORY, memory, root)
    return written, _template("after_lesson", words)


def exercise(
    number,
    name,
    kind="function",
    required=False,
    minutes=5,
    difficulty=1,
    points=1,
    root=notebooks.ROOT,
):
    """Begin an exercise, behind those that its lesson has.

    Parameters
    ----------
    number : str
        Of the lesson: two digits.
    name : str
        What a learner defines: a class in CapWords for a module, else snake_case.
    kind : {"function", "module", "choice", "number", "free"}
        A free exercise is a function that properties judge, the last of its lesson.
    required : bool
    minutes, difficulty, points : int
    root : Path
        The course.

    Returns
    -------
    written : list of Path
    todo : str
        What to do next, in order.

    Raises
    ------
    ValueError
        If number, name or kind is none.
    FileNotFoundError
        If there is no such lesson.
    FileExistsError
        If an exercise or a file has that name; it says which.
    """
    _refuse_bad_words(number, name, kind)
    found = notebooks.lessons((f"{number}_",), root)  # raises where there is none
    stem, checks = found[0].stem, root / "course_utils" / "checks"
    files = {
        "data": checks / f"lesson_{number}" / f"{name}.py",
        "probe": checks / f"lesson_{number}" / f"{name}_probe.py",
        "answers": root / "tests" / "answers" / f"{name}.txt",
    }
    using = [init for init in checks.glob("lesson_*/__init__.py") if name in _named(init)]
    _refuse_what_is_there(f"exercise {name!r}", [*using, *files.values()], root)

    init = checks / f"lesson_{number}" / "__init__.py"
    solution = notebooks.read(root / "solutions" / f"{stem}.ipynb")
    points_said = f"{points} point{'s' if points > 1 else ''}"
    card = f"ifficulty {difficulty} of 3 · {minutes} minutes · {points_said}"
    words = {
        "stem": stem,
        "NN": number,
        "name": name,
        "required": required,
        "minutes": minutes,
        "difficulty": difficulty,
        "points": points,
        "place": len(readme.tasks(solution)) + 1,
        "card": f"Required · d{card}" if required else f"D{card}",
    }
    parts = _sections(kind, words)
    parts["answers"] = parts["answers"].replace("«wrong»", _wrong_answers(parts["wrong"]))

    written = [init]
    init.write_text(_with_name(init.read_text(encoding="utf-8"), name), encoding="utf-8")
    for part, path in files.items():
        if part in parts:
            path.write_text(parts[part] + "\n", encoding="utf-8")
            written.append(path)
    end = next((i for i, cell in enumerate(solution.cells) if cell.id == "end"), None)
    solution.cells[end:end] = _cells("exercise", {**words, **parts})
    written += _store_solution(solution, stem, root)
    words["sum"] = sum(readme.tasks(solution))
    return written, _template("after_exercise", words)


def panel(name, root=notebooks.ROOT):
    """Begin a panel.

    Parameters
    ----------
    name : str
        Of its file and of the function that makes it, such as ``"stream_size"``.
    root : Path
        The course.

    Returns
    -------
    written : list of Path
    todo : str
        What to do next, in order.

    Raises
    ------
    ValueError
        If the name is none.
    FileExistsError
        If a file has that name.
    """
    _refuse_bad_name(name)
    path = root / "course_utils" / "widgets" / f"{name}.py"
    _refuse_what_is_there(f"panel {name!r}", [path], root)
    path.write_text(_template("panel", {"name": name}), encoding="utf-8")
    return [path], _template("after_panel", {"name": name})


def _refuse_bad_words(number, name, kind):
    if not re.fullmatch(r"\d\d", number):
        raise ValueError(f"expected two digits for the lesson, such as 13, got {number!r}")
    if kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}")
    if kind != "module":
        _refuse_bad_name(name)
    elif not re.fullmatch(r"([A-Z][a-z0-9]*)+", name):
        raise ValueError(
            f"expected the name of a class in CapWords, such as SkipBlock, got {name!r}"
        )
    if name.endswith("_probe"):
        raise ValueError(f"expected a name that does not end like a probe's file, got {name!r}")


def _refuse_bad_name(name):
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ValueError(f"expected a name in snake_case, such as stream_size, got {name!r}")


def _refuse_what_is_there(wanted, paths, root):
    there = [str(path.relative_to(root)) for path in paths if path.exists()]
    if there:
        raise FileExistsError(f"{wanted} would meet what is there: {', '.join(there)}")


def _sections(name, words):
    """Read a template: what stands below each of its lines ``=== head``."""
    parts = re.split(r"^=== (.+)\n", _template(name, words), flags=re.M)[1:]
    return {head: body.rstrip("\n") for head, body in zip(parts[::2], parts[1::2], strict=True)}


def _template(name, words):
    text = (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"«{word}»", str(value))
    return text


def _cells(name, words):
    """Make the cells of a template; each head names id, kind and tags."""
    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    cells = []
    for head, source in _sections(name, words).items():
        cell_id, kind, *tags = head.split()
        cells.append(make[kind](source, id=cell_id, metadata={"tags": tags} if tags else {}))
    return cells


def _wrong_answers(source):
    head = "### wrong: TO WRITE: words that its message has to contain"
    return "\n".join(f"{head} ({i} of {WRONG})\n{source}" for i in range(1, WRONG + 1))


def _named(init):
    """Read the exercises that a lesson names."""
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXERCISES":
            return ast.literal_eval(node.value)
    return ()


def _with_name(source, name):
    head, opening, rest = source.partition("EXERCISES = (")
    named, closing, tail = rest.partition(")")
    names = [*re.findall(r'"(\w+)"', named), name]
    lines = "".join(f'\n    "{each}",' for each in names) + "\n"
    listed = lines if names[1:] else f'"{name}",'  # as ruff has it
    return f"{head}{opening}{listed}{closing}{tail}"


def _store_solution(solution, stem, root):
    """Write solution, exercises, their ids and the row of the README that follow from it."""
    made, edition = exercises.exercise(solution), root / "tests" / "edition.txt"
    written = [root / room / f"{stem}.ipynb" for room in ("solutions", "exercises")]
    for path, notebook in zip(written, (solution, made), strict=True):
        notebooks.write(notebook, path, keep_output=False)
    ids = edition.read_text(encoding="utf-8").split()
    ids += [new for cell in made.cells if (new := f"{stem}/{cell.id}") not in ids]
    ids.sort(key=lambda line: line.split("/")[0])  # stable: new cells behind those of their lesson
    edition.write_text("\n".join(ids) + "\n", encoding="utf-8")
    row = readme.row(stem, notebooks.read(root / "notebooks" / f"{stem}.ipynb"), solution)
    return [*written, edition, *readme.add(readme.LESSONS, row, root)]
