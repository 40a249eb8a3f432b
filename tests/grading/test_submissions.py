"""Submissions are found in every layout, and names and zips cannot play tricks."""

import io
import os
import stat
import zipfile

import pytest

from course_utils.grading.submissions import MAX_BYTES, Unreadable, find

LESSONS = ["00_start_here", "01_residual_block"]


def make(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())
    return folder


def zipped(file, *paths):
    with zipfile.ZipFile(file, "w") as archive:
        for path in paths:
            archive.writestr(path, path.encode())
    return file


def names(found):
    return [(s.student, s.lesson) for s in found]


LAYOUTS = {
    "flat": (["ada_00_start_here.ipynb", "b_o_b_01_residual_block.ipynb"], ["ada", "b_o_b"]),
    "copies": (
        ["ada_00_start_here (1).ipynb", "bob_01_residual_block-Copy1.ipynb"],
        ["ada", "bob"],
    ),
    "numbers only": (["ada_00.ipynb", "bob_01.ipynb"], ["ada", "bob"]),
    "upper case": (["ada_00_start_here.IPYNB", "bob_01_residual_block.ipynb"], ["ada", "bob"]),
    "folders": (["ada/00_start_here.ipynb", "bob/work/01_residual_block.ipynb"], ["ada", "bob"]),
    "nbgrader": (
        ["submitted/ada/ps/00_start_here.ipynb", "submitted/bob/ps/01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "nbgrader, from its folder": (
        ["ada/ps/00_start_here.ipynb", "bob/ps/01_residual_block.ipynb", "bob/ps/timestamp.txt"],
        ["ada", "bob"],
    ),
    "wrapped": (
        ["export 7/ada_00_start_here.ipynb", "export 7/bob_01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "wrapped folders": (
        ["export/ada/00_start_here.ipynb", "export/bob/01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "by lesson": (["00_start_here/ada.ipynb", "01_residual_block/bob.ipynb"], ["ada", "bob"]),
    "Moodle": (
        [
            "Ada L_12_assignsubmission_file/00_start_here.ipynb",
            "Bob B_13_assignsubmission_file/01_residual_block.ipynb",
        ],
        ["Ada L_12", "Bob B_13"],
    ),
    "Canvas": (
        ["adal_123_456_00_start_here.ipynb", "bobb_LATE_124_457_01_residual_block-1.ipynb"],
        ["adal_123", "bobb_124"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_students_and_lessons_are_told_by_names(tmp_path, layout, packed):
    paths, students = LAYOUTS[layout]
    source = zipped(tmp_path / "x.zip", *paths) if packed else make(tmp_path / "x", *paths)
    found = find(source, LESSONS)
    assert names(found) == list(zip(students, LESSONS, strict=True))
    assert [s.read().decode() for s in found] == sorted(p for p in paths if "timestamp" not in p)


def test_a_renamed_notebook_belongs_to_the_student_of_the_folder_or_file(tmp_path):
    found = find(make(tmp_path, "ada/homework final.ipynb", "bob.ipynb"), LESSONS)
    assert names(found) == [("ada", ""), ("bob", "")]


def test_one_student_alone_keeps_the_name(tmp_path):
    assert names(find(make(tmp_path, "ada/00_start_here.ipynb"), LESSONS))[0][0] == "ada"
    (tmp_path / "more").mkdir()
    flat = make(tmp_path / "more", "ada/ada_00_start_here.ipynb")
    assert names(find(flat, LESSONS))[0][0] == "ada"


def test_what_systems_leave_behind_is_not_submitted(tmp_path):
    noise = [".DS_Store", "__MACOSX/._ada.ipynb", "ada/.ipynb_checkpoints/x-checkpoint.ipynb"]
    found = find(make(tmp_path, "ada/00_start_here.ipynb", *noise), LESSONS)
    assert len(found) == 1


def test_other_files_are_reported_only_where_there_is_no_notebook(tmp_path):
    found = find(make(tmp_path, "ada/00_start_here.ipynb", "ada/me.png", "bob/work.docx"), LESSONS)
    assert [s.path for s in found] == ["ada/00_start_here.ipynb", "bob/work.docx"]


def test_a_zip_of_zips_is_opened_once(tmp_path):
    inner = io.BytesIO()
    zipped(inner, "00_start_here.ipynb")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("ada/work.zip", inner.getvalue())
        archive.writestr("bob/00_start_here.ipynb", b"x")
    found = find(tmp_path / "all.zip", LESSONS)
    assert names(found) == [("ada", "00_start_here"), ("bob", "00_start_here")]
    assert found[0].read() == b"00_start_here.ipynb"


@pytest.mark.parametrize(
    "name",
    [
        "../../evil_00_start_here.ipynb",
        "/etc/evil_00_start_here.ipynb",
        "C:\\evil_00.ipynb",
        "..\\x.ipynb",
    ],
)
def test_names_that_point_elsewhere_write_nowhere(tmp_path, name):
    before = set(tmp_path.parent.iterdir())
    (one,) = find(zipped(tmp_path / "a.zip", name), LESSONS)
    assert ".." not in one.student
    assert "/" not in one.student
    assert one.read() == name.replace("\\", "/").encode() or one.read() == name.encode()
    assert set(tmp_path.parent.iterdir()) == before


def test_links_pipes_and_devices_are_not_read(tmp_path):
    (tmp_path / "ada.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "eve").symlink_to("/etc")
    os.mkfifo(tmp_path / "bob.ipynb")
    for one in find(tmp_path, LESSONS):
        with pytest.raises(Unreadable, match=r"link|pipe|folder"):
            one.read()


def test_links_in_a_zip_are_not_followed(tmp_path):
    entry = zipfile.ZipInfo("ada_00_start_here.ipynb")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    (one,) = find(tmp_path / "a.zip", LESSONS)
    with pytest.raises(Unreadable, match="link"):
        one.read()


def test_a_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada_00_start_here.ipynb", bytes(MAX_BYTES * 20))
    (one,) = find(tmp_path / "a.zip", LESSONS)
    with pytest.raises(Unreadable, match="larger than 20 MB"):
        one.read()


def test_damage_costs_one_submission(tmp_path):
    file = zipped(tmp_path / "a.zip", "ada_00_start_here.ipynb", "bob_00_start_here.ipynb")
    data = bytearray(file.read_bytes())
    at = data.index(b"ada_00_start_here.ipynb") + 25
    data[at] ^= 0xFF
    file.write_bytes(data)
    ada, bob = find(file, LESSONS)
    with pytest.raises(Unreadable, match="CRC"):
        ada.read()
    assert bob.read() == b"bob_00_start_here.ipynb"


def test_a_damaged_zip_in_a_folder_is_one_fault(tmp_path):
    make(tmp_path, "ada_00_start_here.ipynb")
    (tmp_path / "bob.zip").write_bytes(b"PK\x03\x04 nothing")
    ada, bob = find(tmp_path, LESSONS)
    assert ada.read()
    with pytest.raises(Unreadable, match="damaged"):
        bob.read()


def test_two_files_of_one_name_in_a_zip_are_both_there(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ada_00_start_here.ipynb", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("ada_00_start_here.ipynb", b"2")
    assert [s.read() for s in find(tmp_path / "a.zip", LESSONS)] == [b"1", b"2"]


def test_something_else_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for source in (tmp_path / "a.txt", tmp_path / "nothing"):
        with pytest.raises(Unreadable, match="expected a folder or a zip file"):
            find(source, LESSONS)
