# make demo   from a real checkpoint to the speedup table
# make test   everything that must hold
# make docs   the documentation as a site, in build/docs
# make package   the wheel in build/wheel, tried from another directory
# make docs-run   every command of the documentation that takes long, about an hour
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := requirements/everything.lock
LOCKED := dev dask docs eval frames gpu onnx ray recover

.PHONY: demo test check docs docs-run package format bench gpu results lock clean

demo: $(READY)
	$(BIN)/sslc demo --out runs/demo

test: check docs

check: $(READY)
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

# needs no network; a dead link or any other warning is an error
docs: $(READY)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs build/docs
	@echo open build/docs/index.html

# the tests run the others; the tutorial runs on the real model, and its page gets what it prints
docs-run: $(READY)
	SSLC_DOCS_RUN=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/docs/test_pages_run.py
	$(BIN)/python -m docs.programs.tutorial runs/tutorial

# build/lib would bring modules of an earlier build into the wheel
package: $(READY)
	rm -rf build/wheel build/lib
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	SSLC_WHEEL=build/wheel $(BIN)/python -m pytest -n 0 tests/package

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m benchmarks.compiled_engine
	$(BIN)/python -m benchmarks.llama2_7b_whole
	$(BIN)/python -m benchmarks.tile_growth
	$(BIN)/python -m benchmarks.plan_once
	$(BIN)/python -m benchmarks.decode_kernels --quick
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.engines_agree 2000 1

# on a machine with a CUDA device and torch for it; docs/measured/ keeps what was measured where
GPU_PYTHON ?= $(BIN)/python
gpu:
	$(GPU_PYTHON) -m benchmarks.gpu runs/gpu.json --seconds 420

# docs/results.md, hours on 2 cores; GENERAL is a text's name on the hub or a file, ABOUT its words
GENERAL ?= wikitext2
results: $(READY)
	$(BIN)/python -m docs.programs.results $(GENERAL) "$(ABOUT)"

# torch apart: its builds differ (with CUDA or without), so no hash can stand for all of them
$(READY): pyproject.toml $(LOCK) requirements/torch.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement $(LOCK)
	$(BIN)/pip install --quiet --requirement requirements/torch.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/sslc doctor --compile
	touch $(READY)

# after a change of dependencies in pyproject.toml; versions that still fit stay as they are
UV ?= $(BIN)/uv
lock:
	$(UV) pip compile --quiet --config-file requirements/lock.toml --universal \
	  --python-version 3.11 $(LOCKED:%=--extra %) --constraint requirements/torch.txt \
	  --no-emit-package torch --generate-hashes --no-annotate \
	  --custom-compile-command 'make lock' --output-file $(LOCK) pyproject.toml \
	  requirements/demo.txt

clean:
	rm -rf $(VENV) runs build *.egg-info
