# Everything a developer types. The commands themselves live in tools/ and pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
C_SOURCES := $(wildcard c_kernels/CMakeLists.txt c_kernels/include/*.h c_kernels/src/* lazydiff/*/csrc/*)
PYTEST := $(RUN) -m pytest

.PHONY: help demo test test-tiny test-c test-mpy test-m4 test-oracle lint types layers gen gen-check sizes bench bench-m4 accuracy wheel clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

demo: $(BIN)/.demo ## fine-tune a digit recogniser in 64 KiB, end to end
	$(RUN) -m lazydiff.examples.digits

test: $(BIN)/.dev build/.toolchains ## every test; what a machine lacks is installed first, or skipped with a line that says so
	$(PYTEST)

test-tiny: $(BIN)/.dev ## the two-second test
	$(PYTEST) tests/test_tiny.py

test-c: $(BIN)/.dev build/.toolchains ## the C runtime and the exported C
	$(PYTEST) tests/kernels tests/run tests/export

test-mpy: $(BIN)/.dev build/.toolchains ## the MicroPython port, on real interpreters
	$(PYTEST) tests/ports -k micropython

test-m4: $(BIN)/.dev build/.toolchains ## the Cortex-M port, in QEMU
	$(PYTEST) tests/ports -k cortex

test-oracle: $(BIN)/.dev ## against torch (CPU), which is large and installed first
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev,oracle]'
	$(PYTEST) tests/oracle

lint: $(BIN)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.dev ## mypy --strict
	$(BIN)/mypy

layers: $(BIN)/.dev ## imports go one way
	$(BIN)/lint-imports

gen: $(BIN)/.dev ## write the generated files again
	$(RUN) tools/generate.py

gen-check: $(BIN)/.dev ## fail if a generated file is stale
	$(RUN) tools/generate.py --check

sizes: $(BIN)/.dev build/.toolchains ## bytes of the C library on each target
	$(RUN) tools/sizes.py

bench: $(BIN)/.dev ## the numbers in the README, beside torch and JAX where they are installed (extra `bench`)
	$(RUN) -m tools.bench
	$(RUN) -m tools.bench.planner

bench-m4: $(BIN)/.dev build/.toolchains ## instructions of a training step on a Cortex-M4F, in QEMU
	$(RUN) -m tools.bench.cortex_m

accuracy: $(BIN)/.dev ## the worst error of each function over all floats; an hour or two
	$(RUN) tools/accuracy.py

wheel: $(BIN)/.dev ## dist/lazydiff-*.whl
	$(BIN)/pip wheel -q --no-deps -w dist .

clean: ## remove what make made
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Stamps: a second run does nothing; a changed C source or pyproject.toml builds the extension again.
$(BIN)/python:
	PYTHON=$(PYTHON) sh tools/toolchains.sh base
	$(PYTHON) -m venv .venv

$(BIN)/.demo: $(C_SOURCES) pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check -e '.[examples]'
	@touch $@

$(BIN)/.dev: $(C_SOURCES) pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev,examples]'
	@touch $@ $(BIN)/.demo

build/.toolchains: tools/toolchains.sh
	PYTHON=$(PYTHON) sh tools/toolchains.sh all
	@mkdir -p build && touch $@
