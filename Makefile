# Two commands: `make lab` to learn, `make test` to prove. ARGS= passes options through.
PYTHON      ?= python3
VENV        ?= .venv
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
ARGS        ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# one thread: on shared cores two are slower, and results stay the same to the last bit
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1

# run a set-up step; where it fails, say which one and how to go on
step = @echo "==> $(1)"; $(2) || { \
	echo >&2; echo "Set-up stopped at: $(1)." >&2; \
	echo "$(3) Then type the same make command again: it goes on from here." >&2; exit 1; }
NETWORK = Check the network connection and that this folder has 2 GB of free disk space.

.PHONY: help lab test test-fast browser browser-all grade lint new lessons exercises results stress lock clean
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

$(VENV)/.python:
	$(call step,check Python,$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit((v < (3, 11) or v > (3, 13)) and f"Python 3.11 to 3.13 is needed; {sys.executable} is {v[0]}.{v[1]}")',Name another Python: make PYTHON=python3.12 lab.)
	$(call step,create the environment $(VENV),$(PYTHON) -m venv $(VENV),On Debian and Ubuntu: apt install python3-venv.)
	@touch $@

# two steps, so that PyTorch comes from its CPU index alone and never brings CUDA along
$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/.python
	$(call step,install PyTorch (CPU; about 200 MB),$(PIP) --no-deps --retries 1 --index-url $(TORCH_INDEX) torch,$(NETWORK))
	$(call step,install JupyterLab and the course,$(PIP) --editable '.[lab]',$(NETWORK))
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	$(call step,install the test tools,$(PIP) --editable '.[lab$(comma)test]',$(NETWORK))
	@touch $@

$(VENV)/.browser: $(VENV)/.test
	$(call step,install the browser driver,$(PIP) --editable '.[lab$(comma)test$(comma)browser]',$(NETWORK))
	@touch $@
comma := ,

lab: $(VENV)/.lab ## open JupyterLab on lesson 00
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(ARGS)

test: $(VENV)/.test ## run every test on all cores: units, doctests, house rules, all notebooks
	$(BIN)/python -m pytest -n auto $(ARGS)

test-fast: $(VENV)/.test ## run the part that takes under 90 seconds on two cores
	$(BIN)/python -m pytest -n auto -m "not slow" tests course_utils $(ARGS)

browser: $(VENV)/.browser ## test one lesson and one exercise notebook in JupyterLab and Chromium
	$(BIN)/python -m pytest -m "not slow" tests/browser $(ARGS)

browser-all: $(VENV)/.browser ## the same with every notebook
	$(BIN)/python -m pytest tests/browser $(ARGS)

grade: $(VENV)/.test ## mark notebooks (ARGS="submissions/ --out results/"); see INSTRUCTORS.md
	@$(BIN)/course grade $(ARGS)

lint: $(VENV)/.test ## check style and format of code and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

new: $(VENV)/.test ## begin one: ARGS="lesson 13_noun_phrase", "exercise 13 name", "panel name"
	@$(BIN)/course new $(ARGS)

lessons: $(VENV)/.test ## run the lessons and store their outputs (ARGS=01 for one)
	$(BIN)/course lessons $(ARGS)

exercises: $(VENV)/.test ## write exercises/ from solutions/, README's lesson table, figure.svg
	$(BIN)/course exercises

results: $(VENV)/.test ## measure what lessons read, minutes each (ARGS=04 for one, ARGS=--check compares)
	$(BIN)/course results $(ARGS)

stress: $(VENV)/.test ## run lessons under 3 arithmetics and 5 seeds, up to an hour (ARGS=05 for one)
	$(BIN)/course stress $(ARGS)

lock: $(VENV)/.python ## renew constraints.txt
	$(BIN)/python -m pip --disable-pip-version-check install --quiet uv
	echo 'torch==2.13.0' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--constraint - --no-annotate --no-header pyproject.toml \
		| grep -v -E '^(nvidia-|triton|cuda-)' > constraints.tmp
	mv constraints.tmp constraints.txt

clean: ## remove the environment
	rm -rf $(VENV)
