"""Settings of every test run, notebooks included."""

import os

# before anything of the course is imported: show nothing live, write nothing, one thread
os.environ["COURSE_STATIC"] = "1"
os.environ["MPLBACKEND"] = "Agg"
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

if os.name == "nt":  # submissions are marked on Linux alone; there it is tested
    collect_ignore = ["tests/grading", "course_utils/grading"]

pytest_plugins = ["tests.budget", "tests.one_kernel", "tests.parallel", "tests.sandboxed"]
