# Every target makes .venv when it is missing. Needs Python 3.11, 3.12 or 3.13, git and make.
#   make demo              trains, measures and reports on five products, into demo/
#   make test              runs the tests, in two processes
#   make lint              style, types and import rules
#   make docs              the documentation site, into site/
#   make bench             every benchmark; BENCHMARKS=benchmarks/NAME.py for one
#   make constraints       pins what .venv holds into constraints.txt
#   make clean             removes what the other targets made, but not .venv and not runs/
# PYTHON=/path/to/python chooses the interpreter .venv is made with.

BIN := .venv/bin
PYTHON ?=
BENCHMARKS ?= $(sort $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)))
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint docs bench constraints clean
.DEFAULT_GOAL := test

demo: .venv/installed
	$(BIN)/mintad demo --out demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/installed
	@test -n "$(BENCHMARKS)" || { echo "There is no benchmark yet."; exit 1; }
	set -e; for benchmark in $(BENCHMARKS); do $(BIN)/python $$benchmark; done

constraints: .venv/installed .venv/installed-docs
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable \
	| grep -Ev '^(nvidia-|cuda-|triton|mintad|pip=|#)'; } > constraints.txt.new
	mv constraints.txt.new constraints.txt

clean:
	rm -rf demo site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src lab tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: pyproject.toml lab/pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing mintad and what it needs into .venv; the first time takes some minutes."
	$(INSTALL) -e '.[train,demo,dev,tables,export,video]' -e lab
	@touch $@

.venv/installed-docs: pyproject.toml constraints.txt | .venv/installed
	$(INSTALL) -e '.[docs]'
	@touch $@

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "Making .venv with $$($$python --version)."; \
	    $$python -m venv .venv && exit 0; \
	    rm -rf .venv; \
	    echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv." >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 was found. Install one, or name it: make PYTHON=/path/to/python" >&2; \
	exit 1
