# bnconform: from a clone to a verdict. `make help` lists what there is.

PYTHON ?= python3
JOBS ?= 2
ARGS ?=
EXTRAS ?= frameworks,dev,docs

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
# Checks of the code itself need no framework: where there is no environment yet, they make one without.
ALONE := quick lint types format
READY := $(if $(or $(wildcard $(STAMP)),$(filter-out $(ALONE),$(or $(MAKECMDGOALS),help))),$(STAMP),$(STAMP)-dev)
SHORT := --implementation textbook.numpy --implementation torch.nn --case 'fwd/*/float32/*' --case 'stat/*/float32/*'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install matrix quick test lint format types unit missing power short wheel docs bench clean distclean

# Without bytecode every import of a framework is compiled anew, in every process.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1:\2/p' $(MAKEFILE_LIST) | awk -F: '{ printf "%-12s %s\n", $$1, $$2 }'
	@echo "and these can be given:"
	@echo "  PYTHON=python3.12        the Python to make the environment with (3.11 to 3.13)"
	@echo "  JOBS=4                   processes at a time (default 2)"
	@echo "  ARGS='--clause STAT-3'   further options for 'bnconform run' (make matrix) or pytest (make unit)"
	@echo "  UV_TORCH_BACKEND=cpu     in the environment: the small CPU build of torch instead of the index's CUDA build"

matrix: $(STAMP) ## run every default implementation and write the HTML report
	@mkdir -p reports && rm -f reports/matrix.jsonl reports/matrix.html
	$(BIN)/bnconform run -n $(JOBS) --results reports/matrix.jsonl $(ARGS) || \
		{ status=$$?; [ $$status -eq 1 ] || exit $$status; }
	$(BIN)/bnconform report reports/matrix.jsonl -o reports/matrix.html
	@echo "Results: $(CURDIR)/reports/matrix.jsonl"
	@echo "Report:  $(CURDIR)/reports/matrix.html"

quick: lint types ## lint, types and the fast tests, one variant of each, without a framework: about a minute
	$(PY) -m pytest -n $(JOBS) --dist loadfile -m 'not slow and not framework' --variants 1 $(ARGS)

test: lint types unit power short wheel docs ## lint, types, tests, detection power, a short matrix, the built wheel, the site
	@echo "make test: all green"

lint: $(READY) ## ruff (lint and format) and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(READY) ## mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

types: $(READY) ## mypy --strict
	$(BIN)/mypy --strict

unit: $(STAMP) ## the tests of the suite itself, slow ones included
	$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

missing: $(STAMP) ## the next missing piece of a clause, case, deviation or adapter (ARGS: cases and deviations to measure)
	@$(PY) -m tests.measure.missing $(ARGS) || [ $$? -eq 1 ]

power: $(STAMP) ## which deviations the cases catch, and which of 100 conditional ones: no survivor without a reason
	@mkdir -p reports
	$(BIN)/bnconform power -n $(JOBS) -o reports/power.md --format markdown || { tail -3 reports/power.md; exit 1; }
	@tail -2 reports/power.md
	$(BIN)/bnconform power --conditional 100 --seed 1 --pairs -n $(JOBS)

short: $(STAMP) ## a narrow matrix from run to report
	@mkdir -p reports && rm -f reports/short.jsonl reports/short.html
	$(BIN)/bnconform run $(SHORT) -n $(JOBS) --results reports/short.jsonl
	$(BIN)/bnconform report reports/short.jsonl -o reports/short.html
	@grep -q '</html>' reports/short.html && echo "report made: $(CURDIR)/reports/short.html"

wheel: $(STAMP) ## build wheel and sdist into dist/, and use the wheel in an environment of its own outside the checkout
	$(PY) .ci/check_wheel.py

docs: $(STAMP) ## build the documentation site into build/docs; a warning is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet -b html -c docs -d build/doctrees . build/docs
	@echo "site built: $(CURDIR)/build/docs/index.html"

bench: $(STAMP) ## measure speed and size
	$(PY) -m tests.measure.speed
	$(PY) -m tests.measure.check_seconds --command

clean: ## remove what was built and cached, but not the environment and not the reports
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find reference conformance adapters tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## the environment and the reports of make, too
	rm -rf $(VENV) reports/matrix.jsonl reports/matrix.html reports/short.jsonl reports/short.html

install: $(STAMP) ## only make the environment, .venv

$(STAMP): pyproject.toml constraints.txt .ci/install.py
	$(PYTHON) .ci/install.py $(VENV) $(EXTRAS)
	@touch $@

$(STAMP)-dev: pyproject.toml constraints.txt .ci/install.py
	$(PYTHON) .ci/install.py $(VENV) dev
	@touch $@
