import nbformat
import nbformat.v4 as v4
import pytest

from course_utils.authoring import exercises, lessons, notebooks, readme


def notebook(*cells):
    return v4.new_notebook(cells=list(cells), metadata={"widgets": {}, **notebooks.METADATA})


def answer(source):
    return v4.new_code_cell(source, id="f-answer")


def test_an_answer_in_a_function_becomes_a_line_that_raises():
    source = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    (cell,) = exercises.exercise(notebook(answer(source))).cells
    assert cell.source == 'def f(x):\n    raise NotImplementedError("your turn")'
    assert cell.id == "f-answer"


def test_an_answer_at_top_level_leaves_nothing():
    source = "f = None  # your turn\n### BEGIN SOLUTION\nf = 1\n### END SOLUTION"
    (cell,) = exercises.exercise(notebook(answer(source))).cells
    assert cell.source == "f = None  # your turn"


def test_a_class_loses_each_of_its_answers_and_keeps_what_stands_between():
    body = "        ### BEGIN SOLUTION\n        self.x = 1\n        ### END SOLUTION"
    source = f"class F:\n    def one(self):\n{body}\n\n    def two(self):\n{body}"
    (cell,) = exercises.exercise(notebook(answer(source))).cells
    stub = '        raise NotImplementedError("your turn")'
    assert cell.source == (f"class F:\n    def one(self):\n{stub}\n\n    def two(self):\n{stub}")


BEGIN, END = "    ### BEGIN SOLUTION", "    ### END SOLUTION"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([BEGIN, "    return x"], "BEGIN SOLUTION' in line 2, with no '### END SOLUTION' after it"),
        ([BEGIN, BEGIN, END], "BEGIN SOLUTION' in line 3, inside that of line 2"),
        ([BEGIN, "    y = x", END, END], "END SOLUTION' in line 5, with no '### BEGIN SOLUTION'"),
        ([END, BEGIN], "END SOLUTION' in line 2, with no '### BEGIN SOLUTION' before it"),
        (["    return x"], "there is no '### BEGIN SOLUTION', learners would read the answer"),
    ],
    ids=["not ended", "nested", "ended twice", "reversed", "not marked"],
)
def test_markers_that_are_amiss_are_refused_with_notebook_and_cell(tmp_path, lines, message):
    for folder in ("solutions", "exercises"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "solutions" / "00_a.ipynb"
    nbformat.write(notebook(answer("\n".join(["def f(x):", *lines]))), path)
    with pytest.raises(ValueError, match=f"^solutions/00_a.ipynb, cell f-answer: .*{message}"):
        exercises.write_all(tmp_path)
    assert not (tmp_path / "exercises" / "00_a.ipynb").exists()


def test_explanations_stay_with_the_solution():
    why = v4.new_markdown_cell("because", metadata={"tags": ["solution"]})
    solution = notebook(v4.new_markdown_cell("task"), why)
    assert [cell.source for cell in exercises.exercise(solution).cells] == ["task"]
    assert len(solution.cells) == 2


def test_exercises_are_written_once_and_strangers_removed(tmp_path):
    for folder in ("solutions", "exercises"):
        (tmp_path / folder).mkdir()
    nbformat.write(notebook(v4.new_markdown_cell("task")), tmp_path / "solutions" / "00_a.ipynb")
    (tmp_path / "exercises" / "99_old.ipynb").write_text("{}")
    first = {path.name for path in exercises.write_all(tmp_path)}
    assert first == {"00_a.ipynb", "99_old.ipynb"}
    assert exercises.write_all(tmp_path) == []


@pytest.mark.slow
def test_running_a_lesson_twice_gives_the_same_bytes(tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "00_a.ipynb"
    slowly = "import time\nfor n in (6, 7):\n    print(n, flush=True)\n    time.sleep(0.4)"
    cells = v4.new_code_cell("print(6 * 7)"), v4.new_code_cell("2 + 2"), v4.new_code_cell(slowly)
    nbformat.write(notebook(*cells), path)
    lessons.run(["00"], root=tmp_path)
    first = path.read_bytes()
    lessons.run(root=tmp_path)
    assert path.read_bytes() == first
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[0].outputs[0].text == "42\n"
    assert [output.text for output in stored.cells[2].outputs] == ["6\n7\n"]
    assert [cell.execution_count for cell in stored.cells] == [1, 2, 3]
    assert "widgets" not in stored.metadata


def test_a_lesson_that_raises_is_left_as_it_was(tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "00_a.ipynb"
    nbformat.write(notebook(v4.new_code_cell("1 / 0")), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lessons.run(root=tmp_path)
    assert path.read_bytes() == before


def test_an_unknown_lesson_is_named(tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(FileNotFoundError, match="no lesson starts with '07'"):
        lessons.run(["07"], root=tmp_path)


CARD = "# 99 · Small gains\n\n**What is left?**\n\n**Time** 20 minutes here, 12 for the rest."
README = """Before.

| lesson | question | reading | exercises |
|---|---|---|---|
| [98 Gone](notebooks/98_gone.ipynb) | What? | 1 min | [0, 0 min](exercises/98_gone.ipynb) |

| lesson | memory of the lesson | of its exercises |
|---|---|---|
| 99 | 400 MB | 300 MB |
"""


@pytest.fixture
def course_of_one(tmp_path):
    for folder in ("notebooks", "solutions"):
        (tmp_path / folder).mkdir()
    tasks = [
        v4.new_markdown_cell(f"*Difficulty 1 of 3 · {n} minutes · 1 point*", id=f"f{n}-task")
        for n in (5, 7)
    ]
    for folder, cells in (("notebooks", [v4.new_markdown_cell(CARD)]), ("solutions", tasks)):
        nbformat.write(notebook(*cells), tmp_path / folder / "99_small_gains.ipynb")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    return tmp_path


def test_the_lesson_table_is_written_and_what_was_measured_stays(course_of_one):
    row = (
        "| [99 Small gains](notebooks/99_small_gains.ipynb) | What is left? | 20 min "
        "| [2, 12 min](exercises/99_small_gains.ipynb) |"
    )
    assert readme.write(course_of_one) == [course_of_one / "README.md"]
    stale = next(line for line in README.splitlines() if "Gone" in line)
    assert (course_of_one / "README.md").read_text(encoding="utf-8") == README.replace(stale, row)
    assert readme.write(course_of_one) == []


@pytest.mark.parametrize("part", ["# 99 · Small gains", "**What is left?**", "20 minutes"])
def test_a_title_card_that_lacks_a_part_is_named(course_of_one, part):
    path = course_of_one / "notebooks" / "99_small_gains.ipynb"
    nbformat.write(notebook(v4.new_markdown_cell(CARD.replace(part, "..."))), path)
    with pytest.raises(ValueError, match=r"^notebooks/99_small_gains.ipynb: the title card lacks"):
        readme.write(course_of_one)
    assert (course_of_one / "README.md").read_text(encoding="utf-8") == README


def test_a_readme_without_its_table_is_named(course_of_one):
    (course_of_one / "README.md").write_text("# A course\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"no table that begins with '\| lesson \| quest"):
        readme.write(course_of_one)
