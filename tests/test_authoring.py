import nbformat
import nbformat.v4 as v4
import pytest

from course_utils.authoring import exercises, lessons, notebooks


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
