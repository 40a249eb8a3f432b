import os

# before anything of the course is imported: store nothing, show nothing live, one thread
os.environ["COURSE_STATIC"] = "1"
os.environ["MPLBACKEND"] = "Agg"
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
