"""Submissions are found in every layout, and names and zips cannot play tricks."""

import contextlib
import inspect
import io
import json
import os
import random
import resource
import stat
import struct
import sys
import time
import tracemalloc
import unicodedata
import zipfile

import pytest

from course_utils.grading import files, graft, submissions
from course_utils.grading.files import MAX_BYTES, MAX_UPLOAD, Unreadable
from course_utils.grading.names import clean, parts_of
from course_utils.grading.submissions import find

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
    "Canvas, late and with short numbers": (
        ["adal_LATE_9_10_00_start_here.ipynb", "bobb_LATE_11_12_01_residual_block.ipynb"],
        ["adal_9", "bobb_11"],
    ),
    "Canvas folders": (
        ["adal_123_456_my.work/00_start_here.ipynb", "bobb_124_457_x/01_residual_block.ipynb"],
        ["adal_123", "bobb_124"],
    ),
    "a year and a number are no Canvas numbers": (
        ["a_2024_1_00_start_here.ipynb", "a_2024_22_01_residual_block.ipynb"],
        ["a_2024_1", "a_2024_22"],
    ),
    "Moodle, with dots and without folders": (
        [
            "A. B. L_12_assignsubmission_file_/00_start_here.ipynb",
            "Bob_13_assignsubmission_file_01_residual_block.ipynb",
        ],
        ["A. B. L_12", "Bob_13"],
    ),
    "sections": (
        ["section A/ada_00_start_here.ipynb", "section A/bob_01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "folders of no known name that hold several students": (
        ["physics/ada_00_start_here.ipynb", "physics/bob_01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "a section each": (
        ["section A/ada_00_start_here.ipynb", "section B/bob/01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "one student by weeks": (
        ["ada/week 1/00_start_here.ipynb", "ada/week 2/01_residual_block.ipynb"],
        ["ada", "ada"],
    ),
    "one student, twice the same": (
        ["ada/attempt 1/00_start_here.ipynb", "ada/attempt 2/01_residual_block.ipynb"],
        ["ada", "ada"],
    ),
    "weeks of students": (
        ["week 1/ada_00_start_here.ipynb", "week 2/ada_01_residual_block.ipynb"],
        ["ada", "ada"],
    ),
    "folders in a folder called as the zip": (
        ["x/ada/00_start_here.ipynb", "x/bob/01_residual_block.ipynb"],
        ["ada", "bob"],
    ),
    "folders of lessons": (
        ["00_start_here/ada/work.ipynb", "01_residual_block/bob/work.ipynb"],
        ["ada", "bob"],
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


def test_folders_that_hold_the_same_file_are_students(tmp_path):
    paths = ["24th of May/ada/00_start_here.ipynb", "24th of May/bob/00_start_here.ipynb"]
    assert [s.student for s in find(make(tmp_path, *paths), LESSONS)] == ["ada", "bob"]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Ada Lovelace - 00_start_here", "Ada Lovelace"),
        ("FRED_00_START_HERE", "FRED"),
        ("ada_00_start_here (copy)", "ada"),
        ("ada_00_start_here - Kopie", "ada"),
        ("ada_00_start_here(2)", "ada"),
        ("ada_00_start_here_final_FINAL", "ada"),
        ("ada_00_start_here ", "ada"),
        ("ada_00_start_here.ipynb", "ada"),
        ("ada 00-start-here", "ada"),
        ("00_start_here_ada_final", "ada"),
        ("Copy of ada_00_start_here", "ada"),
        ("Copy of Copy of 00_start_here", "unknown"),
        ("00_start_here_final (1)", "unknown"),
        ("J. Doe_00_start_here", "J. Doe"),
    ],
)
def test_copies_and_decorations_are_no_part_of_a_student(tmp_path, name, student):
    make(tmp_path, f"{name}.ipynb", f"carl/{name}.ipynb")
    assert names(find(tmp_path, LESSONS)) in (
        [(student, LESSONS[0]), ("carl", LESSONS[0])],
        [("carl", LESSONS[0]), (student, LESSONS[0])],
    )


def test_a_zip_belongs_to_the_student_in_its_name(tmp_path):
    for name in ("ada.zip", "bobb_124_457_work.ZIP", "carl_00_start_here.zip", "team_01.zip"):
        zipped(tmp_path / name, "00_start_here.ipynb")
    students = [s.student for s in find(tmp_path, LESSONS)]
    assert students == ["ada", "bobb_124", "carl", "team_01"]


def test_files_of_several_students_in_one_folder_are_told_apart(tmp_path):
    paths = ["A level/ada_00_start_here.ipynb", "A level/bob_00_start_here.ipynb"]
    paths += ["A level/00_start_here.ipynb", "B level/00_start_here.ipynb"]
    found = find(make(tmp_path, *paths), LESSONS)
    assert {s.path: s.student for s in found} == dict(
        zip(paths, ["ada", "bob", "A level", "B level"], strict=True)
    )


def test_nobody_hands_in_for_others_by_the_names_in_a_zip(tmp_path):
    zipped(tmp_path / "eve.zip", "ada_00_start_here.ipynb", "bob_00_start_here.ipynb")
    make(tmp_path, "ada/00_start_here.ipynb")
    assert [s.student for s in find(tmp_path, LESSONS)] == ["ada", "eve", "eve"]


def test_one_student_alone_with_a_zip_keeps_the_name(tmp_path):
    zipped(tmp_path / "ada.zip", *(f"{who}_00_start_here.ipynb" for who in ("ada", "x", "y")))
    assert {s.student for s in find(tmp_path, LESSONS)} == {"ada"}


def test_a_folder_with_its_own_students_name_in_a_file_stays_theirs(tmp_path):
    paths = ["ada/ada_00_start_here.ipynb", "ada/thing_01_residual_block.ipynb"]
    moodle = "Bob_13_assignsubmission_file_"
    paths += [f"{moodle}/eve_00_start_here.ipynb", f"{moodle}/ada_01_residual_block.ipynb"]
    students = {s.student for s in find(make(tmp_path, *paths), LESSONS)}
    assert students == {"ada", "Bob_13"}


def test_one_student_is_one_however_their_name_is_composed(tmp_path):
    for form, lesson in (("NFC", "00"), ("NFD", "01")):
        make(tmp_path, f"{unicodedata.normalize(form, 'über')}/{lesson}.ipynb")
    assert {s.student for s in find(tmp_path, LESSONS)} == {"über"}
    persian = "می\u200cروم"
    assert clean(persian) == persian


def test_of_a_whole_repository_only_the_exercises_are_listed(tmp_path):
    course = ["exercises", "notebooks", "solutions"]
    paths = [f"ada/course-main/{folder}/00_start_here.ipynb" for folder in course]
    paths += ["bob/solutions/00_start_here.ipynb"]
    found = find(make(tmp_path, *paths), LESSONS)
    assert [s.path for s in found] == [paths[0], "bob/solutions/00_start_here.ipynb"]


def test_names_as_long_as_a_zip_allows_cost_no_time(tmp_path):
    size = 60_000
    parts = ["-_" * (size // 2), "-1" * (size // 2), "_final" * (size // 6), "copy of " * 8000]
    parts += ["a\u0301\u0316" * (size // 5), ".ipynb" * (size // 6), "exercises/" * (size // 10)]
    long = [f"{part}00_start_here{part[:5]}.ipynb" for part in parts]
    source = zipped(tmp_path / "a.zip", *long)
    start = time.perf_counter()
    assert len(find(source, LESSONS)) == len(parts)
    assert time.perf_counter() - start < 0.5 * len(parts)
    start = time.perf_counter()
    for part in parts:
        submissions._named(("x" * 100_000, part * 2), LESSONS, set())
        submissions._named(parts_of(part * 2), LESSONS, set())
    assert time.perf_counter() - start < 0.5 * len(parts)


def test_one_student_alone_keeps_the_name(tmp_path):
    assert names(find(make(tmp_path, "ada/00_start_here.ipynb"), LESSONS))[0][0] == "ada"
    (tmp_path / "more").mkdir()
    flat = make(tmp_path / "more", "ada/ada_00_start_here.ipynb")
    assert names(find(flat, LESSONS))[0][0] == "ada"


def test_what_systems_leave_behind_is_not_submitted(tmp_path):
    noise = [".DS_Store", "__MACOSX/._ada.ipynb", "ada/.ipynb_checkpoints/x-checkpoint.ipynb"]
    found = find(make(tmp_path, "ada/00_start_here.ipynb", *noise), LESSONS)
    assert len(found) == 1


def test_only_known_dot_names_are_left_out(tmp_path):
    paths = [".hidden/00_start_here.ipynb", "ada/.00_start_here.ipynb", "bob/.ipynb"]
    assert [s.path for s in find(make(tmp_path, *paths, "bob/.git/x.ipynb"), LESSONS)] == paths
    (one,) = find(zipped(tmp_path / "a.zip", "./../ada/./00_start_here.ipynb"), LESSONS)
    assert one.read()


def test_empty_folders_are_reported_once(tmp_path):
    make(tmp_path, "ada/00_start_here.ipynb", "carl/.ipynb_checkpoints/00_start_here.ipynb")
    for folder in ("ada/more", "bob", "carl/deep/er", "x/y"):
        (tmp_path / folder).mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "dan.zip", "w") as archive:
        archive.writestr("work/", b"")
    found = find(tmp_path, LESSONS)
    assert [s.student for s in found] == ["ada", "bob", "carl", "dan", "x"]
    for one in found[1:]:
        with pytest.raises(Unreadable, match="the folder is empty"):
            one.read()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads it all")
def test_a_folder_that_cannot_be_read_is_reported(tmp_path):
    make(tmp_path, "ada/00_start_here.ipynb", "ada/more/01_residual_block.ipynb")
    (tmp_path / "ada" / "more").chmod(0)
    try:
        _, more = find(tmp_path, LESSONS)
        assert (more.student, more.path) == ("ada", "ada/more/")
        with pytest.raises(Unreadable, match="Permission denied"):
            more.read()
    finally:
        (tmp_path / "ada" / "more").chmod(0o700)


def test_a_folder_that_the_system_does_not_list_is_reported(tmp_path, monkeypatch):
    make(tmp_path, "ada/00_start_here.ipynb", "J. Doe/00_start_here.ipynb")
    scandir = os.scandir

    def refuse(folder):
        if folder.name == "J. Doe":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    fault, _ = find(tmp_path, LESSONS)
    assert fault.student == "J. Doe"
    with pytest.raises(Unreadable, match="folder cannot be read: Permission denied"):
        fault.read()
    with pytest.raises(Unreadable, match=r"J\. Doe cannot be read"):
        find(tmp_path / "J. Doe", LESSONS)


def test_a_very_deep_folder_is_no_reason_to_stop(tmp_path):
    make(tmp_path, "ada/00_start_here.ipynb", f"bob/{'d/' * 400}x.txt")
    before, here = sys.getrecursionlimit(), len(inspect.stack())
    sys.setrecursionlimit(here + 200)
    try:
        found = find(tmp_path, LESSONS)
    finally:
        sys.setrecursionlimit(before)
    assert [s.student for s in found] == ["ada", "bob"]


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


def test_no_two_submissions_share_a_path(tmp_path):
    listed = ["x.ipynb", "x.ipynb", "x.ipynb", "x #2.ipynb"]
    listed += ["x\u202e.ipynb", "x\u202d.ipynb", "x\n.ipynb"]
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(tmp_path / "a.zip", *listed)
    paths = [s.path for s in find(tmp_path / "a.zip", LESSONS)]
    assert len(set(paths)) == len(paths) == 7
    assert paths == [s.path for s in find(tmp_path / "a.zip", LESSONS)]
    assert not any(set(path) & set("\n\u202e\u202d") for path in paths)
    assert all(path.endswith(".ipynb") for path in paths)


def test_names_that_are_no_text_stay_apart(tmp_path):
    for name in (b"ada\xff.ipynb", b"ada\xfe.ipynb"):
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    found = find(tmp_path, LESSONS)
    assert len({s.path for s in found}) == 2
    before = {s.read(): s.path for s in found}
    (tmp_path / os.fsdecode(b"ada\xfe.ipynb")).unlink()
    (one,) = find(tmp_path, LESSONS)
    assert before[b"ada\xff.ipynb"] == one.path  # named by itself, not by its neighbours


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_cannot_be_unpacked_in_part_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("ada_00_start_here.ipynb", bytes(2**16))
    (one,) = find(tmp_path / "a.zip", LESSONS)
    with pytest.raises(Unreadable, match=r"packed with (bzip2|lzma) .* expected deflate"):
        one.read()


def test_a_bomb_that_understates_its_size_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada_00_start_here.ipynb", bytes(MAX_BYTES * 10))
    data = (tmp_path / "a.zip").read_bytes()
    told = struct.pack("<I", MAX_BYTES * 10)
    (tmp_path / "a.zip").write_bytes(data.replace(told, struct.pack("<I", MAX_BYTES)))
    (one,) = find(tmp_path / "a.zip", LESSONS)
    tracemalloc.start()
    with pytest.raises(Unreadable):
        one.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_BYTES


def test_a_locked_entry_says_so(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", "ada.ipynb").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    (one,) = find(tmp_path / "a.zip", LESSONS)
    with pytest.raises(Unreadable, match="password"):
        one.read()


def test_an_entry_without_a_name_is_one_row(tmp_path):
    data = zipped(tmp_path / "a.zip", "QQ", "ada_00_start_here.ipynb").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"QQ", b"\0\0"))
    found = find(tmp_path / "a.zip", LESSONS)
    assert [s.path for s in found] == ["ada_00_start_here.ipynb", "no name"]


@pytest.mark.parametrize("error", [ValueError, MemoryError, AttributeError, struct.error])
def test_whatever_an_archive_sets_off_is_a_reason(tmp_path, monkeypatch, error):
    make(tmp_path, "bob_00_start_here.ipynb")
    zipped(tmp_path / "ada.zip", "00_start_here.ipynb")

    def fail(*_, **__):
        raise error

    found = find(tmp_path, LESSONS)
    monkeypatch.setattr(zipfile.ZipFile, "open", fail)
    with pytest.raises(Unreadable, match=f"zip file: {error.__name__}"):
        found[0].read()
    monkeypatch.setattr(zipfile, "ZipFile", fail)
    ada, _ = find(tmp_path, LESSONS)
    with pytest.raises(Unreadable, match="damaged"):
        ada.read()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_random_damage_stops_nothing(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("ada/00_start_here.ipynb", "x" * 500)
        archive.writestr("ü/01_residual_block.ipynb", "y" * 300)
    whole, rng = (tmp_path / "a.zip").read_bytes(), random.Random(method)
    (tmp_path / "in").mkdir()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
        (tmp_path / "in" / "ada.zip").write_bytes(data)
        for one in find(tmp_path / "in", LESSONS):
            with contextlib.suppress(Unreadable):
                one.read()


def test_zips_in_a_zip_are_not_kept_in_memory(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("pad", bytes(4 * 2**20))
        archive.writestr("00_start_here.ipynb", b"{}")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(12):
            archive.writestr(f"s{i:02d}.zip", inner.getvalue())
    del inner
    tracemalloc.start()
    found = find(tmp_path / "a.zip", LESSONS)
    assert [s.read() for s in found] == [b"{}"] * 12
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 6 * 2**20
    assert peak < 20 * 2**20


def test_many_zips_need_few_open_files(tmp_path):
    for i in range(300):
        zipped(tmp_path / f"s{i:03d}.zip", "00_start_here.ipynb")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        assert all(s.read() for s in find(tmp_path, LESSONS))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("nested", [False, True])
def test_a_zip_of_a_whole_year_is_read_in_no_time(tmp_path, nested):
    paths = [f"s{i:04d}/00_start_here.ipynb" for i in range(5000)]
    if nested:
        paths = [f"s{i:04d}.zip" for i in range(1000)]
        inner = zipped(tmp_path / "inner.zip", "00_start_here.ipynb").read_bytes()
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for path in paths:
                archive.writestr(path, inner)
    else:
        zipped(tmp_path / "a.zip", *paths)
    start = time.perf_counter()
    found = find(tmp_path / "a.zip", LESSONS)
    assert all(s.read() for s in found)
    assert time.perf_counter() - start < 2
    assert len(found) == len(paths)


def test_a_zip_that_changes_while_it_is_read_is_a_reason(tmp_path):
    file = zipped(tmp_path / "a.zip", "ada.ipynb", "bob.ipynb")
    ada, bob = find(file, LESSONS)
    zipped(tmp_path / "b.zip", "x.ipynb")
    ada.read.func.__self__._held.clear()
    os.replace(tmp_path / "b.zip", file)
    for one in (ada, bob):
        with pytest.raises(Unreadable):
            one.read()


def test_one_student_cannot_fill_the_table(tmp_path):
    many = [f"{i:03d}.ipynb" for i in range(MAX_UPLOAD + 10)]
    (tmp_path / "in").mkdir()
    zipped(tmp_path / "in" / "ada.zip", *many)
    found = find(tmp_path / "in", LESSONS)
    assert len(found) == MAX_UPLOAD + 1
    assert {s.student for s in found} == {"ada"}
    with pytest.raises(Unreadable, match="60 notebooks, expected at most 50"):
        found[-1].read()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "in" / "ada.zip", "ada.zip")
        archive.writestr("bob/00_start_here.ipynb", b"{}")
    assert len(find(tmp_path / "all.zip", LESSONS)) == MAX_UPLOAD + 2
    # what an instructor gives is a class, not a student
    assert len(find(tmp_path / "in" / "ada.zip", LESSONS)) == len(many)


def test_zips_in_one_students_zip_are_counted(tmp_path):
    (tmp_path / "in").mkdir()
    inner = zipped(tmp_path / "inner.zip", "readme.txt").read_bytes()
    with zipfile.ZipFile(tmp_path / "in" / "ada.zip", "w") as archive:
        for i in range(MAX_UPLOAD + 10):
            archive.writestr(f"{i:03d}.zip", inner)
    found = find(tmp_path / "in", LESSONS)
    assert len(found) == MAX_UPLOAD + 1
    with pytest.raises(Unreadable, match="60 zip files, expected at most 50"):
        found[-1].read()


def test_entries_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_ENTRIES", 5)
    (tmp_path / "in").mkdir()
    for file in ("a.zip", "in/ada.zip"):
        zipped(tmp_path / file, *(f"s{i}/00_start_here.ipynb" for i in range(8)))
        found = find((tmp_path / file) if file == "a.zip" else tmp_path / "in", LESSONS)
        with pytest.raises(Unreadable, match="entries, expected at most 5"):
            found[-1].read()
        assert len(found) == 6


def test_cells_are_not_lost_because_they_are_long_or_many():
    def cells(*sources):
        found = [{"cell_type": "code", "source": source} for source in sources]
        return [source for _, source in graft.code_cells(json.dumps({"cells": found}).encode())]

    image = f"x = '{'A' * 300_000}'"
    assert cells(image) == [image]
    (said,) = cells("y" * 2_000_001)
    with pytest.raises(RuntimeError, match="too long to be marked: 2000001 characters"):
        exec(said)
    assert cells(*map(str, range(2100))) == [str(i) for i in range(100, 2100)]


def test_something_else_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for source in (tmp_path / "a.txt", tmp_path / "nothing"):
        with pytest.raises(Unreadable, match="expected a folder or a zip file"):
            find(source, LESSONS)


def test_a_link_to_itself_is_one_fault(tmp_path):
    make(tmp_path, "ada_00_start_here.ipynb")
    link = tmp_path / "eve_00_start_here.ipynb"
    link.symlink_to(link)
    ada, eve = find(tmp_path, LESSONS, skip=tmp_path / "out")
    assert ada.read()
    with pytest.raises(Unreadable, match="link"):
        eve.read()


def test_results_in_the_folder_are_neither_listed_nor_a_student(tmp_path):
    make(tmp_path, *(f"course/{s}/00_start_here.ipynb" for s in ("ada", "ben")))
    make(tmp_path, "results/marks/x.json", "results/feedback/ada_00.html")
    assert [s.student for s in find(tmp_path, LESSONS, tmp_path / "results")] == ["ada", "ben"]


def test_names_in_a_zip_cannot_hide_an_entry(tmp_path):
    paths = ("../out/mal_00_start_here.ipynb", f"{tmp_path}/out/eve_00_start_here.ipynb")
    found = find(zipped(tmp_path / "a.zip", *paths), LESSONS, tmp_path / "out")
    assert len(found) == 2


def test_a_flat_name_that_looks_like_decoration_is_a_student(tmp_path):
    make(tmp_path, "v3_00_start_here.ipynb", "final_00_start_here.ipynb")
    assert [s.student for s in find(tmp_path, LESSONS)] == ["final", "v3"]
