import importlib

import pytest

import course_utils
from course_utils import lazy, plots, probes
from tests import house

PACKAGES = [course_utils, probes, plots]
HELPERS = {  # what the files of plots share
    "Look", "CUT_PATH", "LOUD", "NO_PATH", "WHOLE_PATH", "against", "leave_room", "move_names",
    "name_end", "name_ends", "smooth",
}  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_name_is_found_and_listed(package):
    assert package.__all__ == dir(package)
    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_name_that_is_not_there_is_told_with_its_module(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'new'"):
        package.new  # noqa: B018
    with pytest.raises(ImportError, match="new"):
        exec(f"from {package.__name__} import new")


@pytest.mark.parametrize(("package", "helpers"), [(probes, set()), (plots, HELPERS)])
def test_what_a_subject_defines_is_offered_by_its_package(package, helpers):
    defined = house.subjects(package.__name__.split(".")[-1])
    assert set.union(*defined.values()) - helpers == set(package.__all__)
    for subject, names in defined.items():
        module = importlib.import_module(f"{package.__name__}.{subject}")
        for name in names - helpers:
            assert getattr(package, name) is getattr(module, name)


def test_a_module_is_imported_when_a_name_of_it_is_wanted_and_not_before():
    find, names, every = lazy.attach("course_utils", {"no_such_module": ["one"]})
    assert names() == every == ["one"]
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        find("one")
