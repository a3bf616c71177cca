# Two commands do all the set-up on a fresh machine with Python 3.11+, git and make:
#   make demo    makes .venv, installs retest, and compares two recorded prompt versions: no key, no network service
#   make test    makes .venv with what the tests need, installs PostgreSQL and Chromium where it may, runs the tests
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Without compiled files each of the tests' many `retest` processes would compile its imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-live test test-full lint bench fuzz clean debian-packages prepared

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-tests: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[local,embeddings,postgres,parquet,thai,plot]' --group dev
	touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/retest run evals/support.yaml
	$(BIN)/retest compare prompts/intent-v1.md prompts/intent-v2.md --suite evals/support.yaml

demo-live: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[local]'
	$(BIN)/retest compare prompts/intent-v1.md prompts/intent-v2.md --suite evals/_live/support.yaml \
	  --until-decided --concurrency 1

debian-packages:
	@sh .ci/debian-packages

$(VENV)/.installed-ray: pyproject.toml | $(VENV)/.installed-tests
	$(BIN)/python -m pip install --quiet -e '.[ray]'
	touch $@

# The one downloads while the other computes.
prepared: $(VENV)/.installed-tests
	@$(MAKE) --no-print-directory -j2 debian-packages lint

test: prepared
	$(BIN)/python -m pytest -m 'not slow and not statistics_full and not ray' $(PYTEST_ARGS)

test-full: $(VENV)/.installed-ray prepared
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-tests
	@sh .ci/debian-bench
	$(BIN)/python -m benchmarks

# FUZZ_ARGS: readers by name, --seconds for each of them
fuzz: $(VENV)/.installed-tests
	$(BIN)/python -m pip install --quiet --group fuzz
	PYTHONPATH=tests $(BIN)/python -m support.guided_fuzzing $(FUZZ_ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
