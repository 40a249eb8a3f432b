"""The house rules, as functions that list faults. Each says what was expected and what came."""

import ast
import base64
import graphlib
import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "course_utils"


def stems(folder):
    return sorted(path.stem for path in (ROOT / folder).glob("[0-9]*.ipynb"))


def read(folder, stem):
    return nbformat.read(ROOT / folder / f"{stem}.ipynb", as_version=4)


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def prose(nb):
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def outputs(nb):
    return [(cell, output) for cell in code_cells(nb) for output in cell.outputs]


# rules for every notebook


def valid(nb):
    """The format is valid and ids are unique."""
    ids = [cell.get("id") for cell in nb.cells]
    faults = [f"cell id {i!r} is used {ids.count(i)} times" for i in set(ids) if ids.count(i) > 1]
    if faults:
        return faults
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {error.message}"]
    return []


def plain_metadata(nb):
    """The metadata names the kernel and the language, nothing else."""
    allowed = {"kernelspec", "language_info"}
    return [f"metadata {key!r} is not wanted" for key in nb.metadata if key not in allowed]


def clean_source(nb):
    """No path tricks, shell lines, star imports or silenced outputs."""
    patterns = {
        r"sys\.path": "sys.path",
        r"^\s*[!%]": "a shell or magic line",
        r"import \*": "a star import",
        r";\s*$": "a trailing semicolon, which nbval does not honour",
    }
    return [
        f"cell {cell.id}: {what}"
        for cell in code_cells(nb)
        for pattern, what in patterns.items()
        if re.search(pattern, cell.source, re.M)
    ]


def folded_answers(nb):
    """Markdown inside <details> is rendered only after an empty line."""
    found = re.findall(r"</summary>(?!\n\n).{0,20}", prose(nb))
    return [f"an empty line is missing after </summary>: {text!r}" for text in found]


def links(nb, folder="notebooks"):
    """Relative links lead to a file, and a #heading in it exists."""
    faults = []
    for target in re.findall(r"\]\(([^)]+)\)", prose(nb)):
        if target.startswith("http"):
            continue
        name, _, heading = target.partition("#")
        path = (ROOT / folder / name).resolve()
        if not path.is_file():
            faults.append(f"link to {target}: there is no {name}")
        elif heading:
            text = prose(nbformat.read(path, as_version=4))
            if not re.search(rf"^#+ {heading.replace('-', ' ')}$", text, re.M):
                faults.append(f"link to {target}: there is no heading {heading!r}")
    return faults


EVERY_NOTEBOOK = (valid, plain_metadata, clean_source, folded_answers, links)

# rules for lessons


def executed(nb):
    """The cells were run once, from top to bottom."""
    counts = [cell.execution_count for cell in code_cells(nb)]
    expected = list(range(1, len(counts) + 1))
    return [] if counts == expected else [f"execution counts are {counts}: run `make lessons`"]


def quiet(nb):
    """No stored output holds an error, a warning, an address, a path, a date or a timing."""
    faults = []
    pattern = r"0x[0-9a-f]{6,}|/(home|root|tmp|work|Users)/|\d{4}-\d\d-\d\d|\d ?(ms|µs|seconds?)\b"
    for cell, output in outputs(nb):
        if output.output_type == "error" or output.get("name") == "stderr":
            faults.append(f"cell {cell.id}: stored {output.output_type} {output.get('name', '')}")
        text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        if match := re.search(pattern, text):
            faults.append(f"cell {cell.id}: {match[0]!r} in its output changes from run to run")
    return faults


def figures(nb):
    """One to six figures, each a PNG with a sentence."""
    faults, images = [], []
    for cell, output in outputs(nb):
        data = output.get("data", {})
        if "image/svg+xml" in data:
            faults.append(f"cell {cell.id}: SVG output, which nbval compares; use plots.show")
        if "application/vnd.jupyter.widget-view+json" in data:
            faults.append(f"cell {cell.id}: a stored widget view; run with COURSE_STATIC=1")
        if "image/png" in data:
            images.append(base64.b64decode(data["image/png"]))
            sentence = data.get("text/plain", "")
            if len(sentence) < 40 or sentence.startswith("<"):
                faults.append(f"cell {cell.id}: the figure has no sentence, but {sentence!r}")
    if not 1 <= len(images) <= 6:
        faults.append(f"1 to 6 figures are expected, got {len(images)}")
    return faults


def size(nb):
    """At most 500 kB, 30 to 65 cells."""
    faults = []
    kilobytes = len(nbformat.writes(nb).encode()) / 1000
    if kilobytes > 500:
        faults.append(f"at most 500 kB, got {kilobytes:.0f}")
    if not 30 <= len(nb.cells) <= 65:
        faults.append(f"30 to 65 cells, got {len(nb.cells)}")
    return faults


def short_cells(nb):
    """Nine of ten code cells have at most 15 lines, none over 30."""
    lines = {
        cell.id: sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(nb)
    }
    faults = [f"cell {i}: at most 30 lines, got {n}" for i, n in lines.items() if n > 30]
    long = [i for i, n in lines.items() if n > 15]
    if len(long) > len(lines) / 10:
        faults.append(f"{len(long)} of {len(lines)} code cells have over 15 lines: {long}")
    return faults


def prose_between(nb):
    """No three code cells in a row."""
    kinds = "".join("c" if cell.cell_type == "code" else "m" for cell in nb.cells)
    place = kinds.find("ccc")
    return [] if place < 0 else [f"three code cells in a row from cell {nb.cells[place].id}"]


def title_card(nb):
    """The first cell holds number, question, aims, needs and minutes."""
    card = nb.cells[0].source
    wanted = {
        r"^# \d\d · ": "a title such as '# 01 · The residual block'",
        r"^\*\*.+\?\*\*$": "the question in bold, ending with '?'",
        r"^3\. ": "three numbered things you will be able to do",
        r"\*\*You need\*\*": "'**You need**'",
        r"\*\*Time\*\* \d+ minutes": "'**Time** NN minutes'",
    }
    return [
        f"the title card lacks {what}"
        for pattern, what in wanted.items()
        if not re.search(pattern, card, re.M)
    ]


def recall(nb):
    """Two questions about earlier lessons, answers folded, before the Setup heading."""
    before = prose(nb).split("## Setup")
    count = (before[0] if before[0].count("<details>") else before[-1]).count("<details>")
    return [] if count >= 2 else [f"two folded recall questions are expected, got {count}"]


def setup_cell(nb):
    """The first code cell is called setup, has at most 8 lines and calls setup()."""
    first = code_cells(nb)[0]
    faults = [] if first.id == "setup" else [f"the first code cell is {first.id!r}, not 'setup'"]
    if "setup(seed=" not in first.source:
        faults.append("the Setup cell does not call setup(seed=…)")
    lines = [line for line in first.source.splitlines() if line.strip()]
    if len(lines) > 8:
        faults.append(f"the Setup cell has at most 8 lines, got {len(lines)}")
    imports = [
        cell.id
        for cell in code_cells(nb)[1:]
        if re.search(r"^\s*(import|from) ", cell.source, re.M)
    ]
    return faults + [f"cell {i} imports; imports stand in the Setup cell" for i in imports]


def headings(nb):
    """The parts that are there stand in the order of the anatomy."""
    order = ["Setup", "Predict", "Derive", "Build", "Break", "Summary", "Exercises", "Sources"]
    found = re.findall(r"^## ([A-Z][a-z]+)", prose(nb), re.M)
    ranks = [order.index(word) for word in found if word in order]
    faults = [
        f"there is no '## {word}'"
        for word in ("Setup", "Predict", "Summary", "Exercises", "Sources")
        if word not in found
    ]
    if ranks[-3:] != [5, 6, 7]:
        faults.append("a lesson ends with Summary, Exercises, Sources")
    if ranks[:2] != [0, 1]:
        faults.append("a lesson starts with Setup, Predict")
    return faults


def closing_cells(nb):
    """Summary, Exercises and Sources are cells of their own."""
    parts = [f"## {word}" for word in ("Summary", "Exercises", "Sources")]
    first = [cell.source.partition("\n")[0] for cell in nb.cells[-3:]]
    return [] if first == parts else [f"the last three cells begin with {first}, not {parts}"]


def no_marks(nb):
    """No mark for a linter stands before a learner."""
    marked = [cell.id for cell in code_cells(nb) if re.search(r"# (noqa|fmt:)", cell.source)]
    return [f"cell {i} has a mark for ruff; settle it in pyproject.toml" for i in marked]


def short_chains(nb):
    """No comparison chains more than two signs: a reader has to see which part fails."""
    return [
        f"cell {cell.id}: split {ast.unparse(node)!r}"
        for cell in code_cells(nb)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Compare) and len(node.ops) > 2
    ]


def asserts(nb):
    """Claims are asserted: at least four cells do."""
    count = sum("assert " in cell.source for cell in code_cells(nb))
    return [] if count >= 4 else [f"at least 4 cells assert something, got {count}"]


LESSONS = (
    executed, quiet, figures, size, short_cells, prose_between, title_card, recall, setup_cell,
    headings, closing_cells, no_marks, short_chains, asserts,
)  # fmt: skip

# rules for exercises


def stripped(nb):
    """No outputs and no execution counts."""
    return [f"cell {c.id} has outputs" for c in code_cells(nb) if c.outputs or c.execution_count]


def few_imports(nb):
    """Exercises use what a sandbox can offer: numpy, torch, data, check, hint, scorecard."""
    allowed = {"numpy", "torch", "course_utils.data"}
    names = {"check", "hint", "scorecard"}
    faults = []
    for cell in code_cells(nb):
        for node in ast.walk(ast.parse(cell.source)):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                modules = [node.module]
                if node.module == "course_utils" and {a.name for a in node.names} <= names:
                    continue
            faults += [f"cell {cell.id} imports {m}" for m in modules if m not in allowed]
    return faults


def complete_exercises(nb, exercises):
    """Each exercise has its task, answer and check cell, and the task tells its data."""
    faults = []
    cells = {cell.id: cell for cell in nb.cells}
    for exercise in exercises:
        for part in ("task", "answer", "check", "hint"):
            if f"{exercise.name}-{part}" not in cells:
                faults.append(f"there is no cell {exercise.name}-{part}")
        if faults:
            continue
        points = f"{exercise.points} point{'s' if exercise.points > 1 else ''}"
        card = f"ifficulty {exercise.difficulty} of 3 · {exercise.minutes} minutes · {points}*"
        task = cells[f"{exercise.name}-task"].source
        if card not in task or ("*Required" in task) != exercise.required:
            required = " and '*Required'" if exercise.required else ""
            faults.append(f"the task of {exercise.name} does not say '{card}'{required}")
        if f'check("{exercise.name}")' not in cells[f"{exercise.name}-check"].source:
            faults.append(f'cell {exercise.name}-check does not call check("{exercise.name}")')
    return faults


def exercise_set(stem, mine):
    """3 to 5 exercises, two required, a choice or a number; the last judged by properties."""
    faults = []
    if not 3 <= len(mine) <= 5:
        faults.append(f"3 to 5 exercises are expected, got {len(mine)}")
    required = [exercise.name for exercise in mine if exercise.required]
    if len(required) != 2:
        faults.append(f"two required exercises are expected, got {required}")
    kinds = [exercise.kind for exercise in mine]
    if not {"choice", "number"} & set(kinds):
        faults.append(f"one exercise is a choice or a number, got {kinds}")
    if mine and not mine[-1].properties:
        faults.append(f"the last exercise, {mine[-1].name}, is judged by properties")
    faults += [
        f"{exercise.name} has 3 hints, got {len(exercise.hints)}"
        for exercise in mine
        if len(exercise.hints) != 3
    ]
    return [f"checks/lesson_{stem[:2]}: {fault}" for fault in faults]


def same_order(nb, names):
    """The lesson names its exercises in the order of their notebook."""
    tasks = [cell.id.removesuffix("-task") for cell in nb.cells if cell.id.endswith("-task")]
    return [] if tasks == names else [f"the tasks come as {tasks}, EXERCISES names {names}"]


def edition(stem, nb, ids):
    """Cells of exercises keep their ids: a learner's are found by them after an update."""
    now = {f"{stem}/{cell.id}" for cell in nb.cells}
    before = {line for line in ids if line.startswith(f"{stem}/")}
    gone = [f"{i} was a learner's cell; bring it back" for i in sorted(before - now)]
    return gone + [f"add {i} to tests/edition.txt" for i in sorted(now - before)]


# rules for what is written about lessons


def manuscripts():
    """Every text that an author writes, by its place; each cell of a notebook by itself."""
    texts = {
        f"{folder}/{stem}.ipynb, cell {cell.id}": cell.source
        for folder in ("notebooks", "solutions")
        for stem in stems(folder)
        for cell in read(folder, stem).cells
    }
    for pattern in (
        "README.md",
        "course_utils/checks/lesson_*/*.py",
        "course_utils/widgets/*.py",
        "tests/answers/*.txt",
    ):
        for path in sorted(ROOT.glob(pattern)):
            texts[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    return texts


def written(place, text):
    """No stub of `course new` is left; each says what belongs there."""
    found = re.findall(r"TO WRITE: ([^\"\n|<]+)", text)
    return [f"{place}: to be written: {what.strip()}" for what in found]


def readme_rows(readme, stem, card, mine):
    """The README tells a lesson's question, minutes, exercises and memory."""
    times = re.search(r"\*\*Time\*\* (\d+) minutes here, (\d+) for", card)
    question = re.search(r"^\*\*(.+\?)\*\*$", card, re.M)
    if not (times and question):
        return [f"{stem}: the title card lacks question or '**Time** NN minutes here, NN for'"]
    reading, practice = times.groups()
    minutes, faults = sum(exercise.minutes for exercise in mine), []
    if int(practice) != minutes:
        faults.append(f"{stem}: exercises take {minutes} minutes, the title card says {practice}")
    wanted = (
        f"| {question[1]} | {reading} min | [{len(mine)}, {minutes} min](exercises/{stem}.ipynb)"
    )
    rows = [line for line in readme.splitlines() if f"(notebooks/{stem}.ipynb) |" in line]
    if len(rows) != 1 or wanted not in rows[0]:
        faults.append(f"README.md: run `make exercises`; expected a row with {wanted}, got {rows}")
    memory = rf"^\| {stem[:2]} \| \d+ MB \| \d+ MB \| \d+ s \| (\d+ to )?\d+ s \|$"
    if not re.search(memory, readme, re.M):
        faults.append(
            f"README.md: expected what `python -m benchmarks.memory {stem}` measures as "
            f"| {stem[:2]} | NN MB | NN MB | N s | N s |"
        )
    return faults


# rules for the package

RIGHTS = {  # who may import what of the course; a module may always import itself
    "lazy": set(),
    "wiring": set(),
    "asserts": set(),
    "environment": {"asserts", "plots"},
    "data": {"environment"},
    "backprop": {"wiring", "lazy"},
    "blocks": {"wiring", "lazy"},
    "resnets": {"wiring"},
    "transformers": {"blocks", "wiring", "lazy"},
    "fast": {"backprop", "blocks", "transformers", "wiring"},
    "training": {"fast", "data", "environment", "lazy"},
    "recipes": {"fast", "wiring"},
    "probes": {"data", "backprop", "wiring", "lazy"},
    "plots": {"lazy"},
    "diagrams": {"wiring", "plots"},
    "judging": set(),
    "checks": {"judging", "backprop"},
    "practice": {"judging", "checks", "environment"},
    "widgets": {
        "probes", "plots", "training", "blocks", "wiring", "data", "diagrams", "checks",
        "practice", "environment", "backprop", "recipes", "resnets", "transformers", "fast",
    },
    "grading": {"judging", "checks", "data", "environment"},
    "authoring": {"asserts", "diagrams", "wiring", "judging"},
    "cli": {"authoring", "grading"},
    "__init__": {"lazy"},
}  # fmt: skip
LIBRARIES = {  # a library and the only modules that may import it
    "ipywidgets": {"widgets"},
    "matplotlib": {"plots", "diagrams", "widgets"},
    "anywidget": {"widgets"},
    "typer": {"cli"},
}
NO_TORCH = {"wiring", "plots", "diagrams", "judging", "checks", "practice", "backprop"}
LINES = 500  # of one file


def imports(source):
    """Every module that a source text imports, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dependencies(room, source):
    """Faults of one module's imports; `room` is its first name below course_utils."""
    if room not in RIGHTS:
        return [f"course_utils.{room} is new: say in tests/house.py what it may import"]
    faults = []
    for name in imports(source):
        top, *rest = name.split(".")
        if top == "course_utils" and rest and rest[0] not in RIGHTS[room] | {room}:
            faults.append(f"{room} imports {rest[0]}, it may import {sorted(RIGHTS[room])}")
        if top in LIBRARIES and room not in LIBRARIES[top]:
            faults.append(f"{room} imports {top}, which is left to {sorted(LIBRARIES[top])}")
        if top == "torch" and room in NO_TORCH:
            faults.append(f"{room} imports torch; it has to stay free of it")
    return faults


def texts(tree):
    """Every string in a source that is no docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node for node in constants if isinstance(node.value, str) and id(node) not in docs]


def code_in_strings(source):
    """No string holds lines of Python: what runs elsewhere is a file too, so that ruff reads it."""
    faults = []
    for node in texts(ast.parse(source)):
        try:
            lines = ast.parse(node.value).body if "\n" in node.value else []
        except SyntaxError:
            continue
        if any(isinstance(line, (ast.FunctionDef, ast.ClassDef, ast.Import)) for line in lines):
            faults.append(f"line {node.lineno}: a string holds code; make a file of it")
    return faults


def exercise_file(stem, source, named):
    """A lesson names its exercises; each is the EXERCISE of a file that is named as it is."""
    found = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXERCISE"
    ]
    if (stem in named) != (len(found) == 1):
        wanted = "one EXERCISE" if stem in named else "a name in the lesson's EXERCISES"
        return [f"{stem}.py defines {len(found)} EXERCISE: expected {wanted}"]
    faults = []
    for call in found:
        names = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
        name = ast.literal_eval((call.args or names)[0])
        if name != stem:
            faults.append(f"{stem}.py: expected the exercise {stem!r}, got {name!r}")
    return faults


def probe(source):
    """A probe imports NumPy and torch alone and knows no right value: it runs beside an answer."""
    faults = [
        f"a probe imports {name}; it may import numpy and torch"
        for name in sorted(imports(source))
        if name.split(".")[0] not in ("numpy", "torch")
    ]
    functions = [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    if "probe" not in functions:
        faults.append(f"a probe defines `probe`, got {functions}")
    return faults + [
        f"a probe says {word!r}; right values stay with the judge"
        for word in ("reference", "expected", "EXERCISE")
        if word in source
    ]


def no_lesson(source, names):
    """What judges names no lesson and no exercise."""
    words = re.findall(r"\w+", source)
    found = [word for word in words if re.match(r"lesson_\d|\d\d_[a-z]", word) or word in names]
    return [f"judging says {word!r}; it knows no lesson and no exercise" for word in found]


def cycles(rights):
    """The rooms of one cycle, if there is one."""
    try:
        graphlib.TopologicalSorter(rights).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def short_file(name, source):
    """No file of the package has over 500 lines; `name` is its path below course_utils."""
    count = len(source.splitlines())
    return [] if count <= LINES else [f"{name}: at most {LINES} lines, got {count}"]


def public(source):
    """The names without an underscore that a source text defines at its top level."""
    nodes = ast.parse(source).body
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    names |= {each.id for target in targets for each in ast.walk(target) if hasattr(each, "id")}
    return {name for name in names if not name.startswith("_")}


def subjects(room):
    """The names that each file of a room defines, by its stem."""
    files = [path for path in (PACKAGE / room).glob("*.py") if path.stem != "__init__"]
    return {path.stem: public(path.read_text(encoding="utf-8")) for path in files}


def one_subject(probes, plots):
    """What is measured and drawn under one name has one subject, in both a file of that name.

    `probes` and `plots` map the stem of each file to the names that it defines. No file bears the
    name of what another defines: the package could not offer both.
    """
    faults, homes = [], []
    for room, files in (("probes", probes), ("plots", plots)):
        homes.append({name: stem for stem, names in files.items() for name in names})
        both = sorted(set(files) & set(homes[-1]))
        faults += [f"{room}/{stem}.py bears the name of what {room} offers" for stem in both]
    for name in sorted(homes[0].keys() & homes[1].keys()):
        measured, drawn = homes[0][name], homes[1][name]
        if measured != drawn:
            faults.append(f"{name} is measured in probes/{measured}.py, drawn in plots/{drawn}.py")
    return faults


# rules for panels


def no_hidden_panel(name, source):
    """A file that `widgets.PARTS` names makes no panel: no test would reach it."""
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)}
    return [
        f"widgets/{name}.py makes a {kind} and is in PARTS, so no test reaches it"
        for kind in ("Panel", "TrainingPanel")
        if kind in calls
    ]


def own_tests(names, files):
    """A panel that is drawn in another way than others has tests of its own."""
    return [
        f"widgets/{name}.py is not drawn by panel.py, what its moves show is tested nowhere: "
        f"expected tests/test_{name}.py"
        for name in names
        if f"test_{name}.py" not in files
    ]


# rules for the ledger of claims


def claim(row, lessons):
    """A claim is complete, and one or more cells of the lesson assert it."""
    wanted = {"id", "statement", "verdict", "precise", "lesson", "cell", "source"}
    if set(row) != wanted:
        return [f"a claim has the fields {sorted(wanted)}, got {sorted(row)}"]
    if row["verdict"] not in ("true", "half-true", "wrong"):
        return [f"{row['id']}: the verdict is true, half-true or wrong, got {row['verdict']!r}"]
    nb = lessons.get(row["lesson"])
    if nb is None:
        return [f"{row['id']}: there is no lesson {row['lesson']!r}"]
    sources = {cell.get("id"): cell.source for cell in nb.cells}
    for cell in row["cell"].split(", "):
        if "assert " not in sources.get(cell, ""):
            return [f"{row['id']}: cell {cell!r} does not assert anything"]
    if row["source"] not in prose(nb):
        return [f"{row['id']}: {row['source']} is not among the lesson's sources"]
    return []
