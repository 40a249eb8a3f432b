"""Run all of `exercises/` in one kernel, emptied before each notebook.

Unsolved notebooks only say "not written yet"; a kernel for each costs more than their cells.
"""

import pytest
from nbval.plugin import IPyNbFile

KERNEL = pytest.StashKey()


class Unsolved(IPyNbFile):
    """An exercise notebook, run by nbval in the kernel that the ones before it have used."""

    row = "exercises, in one kernel"  # of the table of budgets

    def setup(self):
        self.kernel = self.session.stash.get(KERNEL, None)
        if self.kernel is None or not self.kernel.is_alive():
            super().setup()
            self.session.stash[KERNEL] = self.kernel
            self.session.addfinalizer(super().teardown)
        else:
            self.setup_sanitize_files()
            self.kernel.await_reply(self.kernel.execute_cell_input("%reset -f"), timeout=60)

    def teardown(self):
        if self.timed_out:  # what a stuck cell has left is not handed on
            super().teardown()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    found = yield
    if file_path.parent != parent.config.rootpath / "exercises":
        return found
    return [
        Unsolved.from_parent(parent, path=file_path) if isinstance(one, IPyNbFile) else one
        for one in found
    ]
