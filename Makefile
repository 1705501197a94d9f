# `make` alone lists what there is. Variables: PYTHON (3.11 or later), ARGS (handed to `run`, `test`).
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FLEET := $(VENV)/.fleet
CODE := $(wildcard src tests tools examples benchmarks experiments deploy)

.DEFAULT_GOAL := help
.PHONY: help install run test fleet fuzz study check lint types layers snippets clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv with the tested versions (again only when they change)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "baffle needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

run: install ## a first federated run; make run ARGS="--rounds 10"
	$(BIN)/baffle run $(ARGS)

test: install ## the fast tests; make test ARGS="-k replay"
	$(BIN)/pytest $(ARGS)

$(FLEET): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,flower]'
	@touch $(FLEET)

fleet: $(FLEET) ## a real federation on loopback: TLS, keys, three nodes, kills; same digest?
	$(BIN)/python -m tools.fleet.demo $(ARGS)

fuzz: install ## a million hostile inputs to each decoder; about ten minutes
	$(BIN)/python -m tools.fuzz --inputs 1000000 --jobs 2 --out fuzz.jsonl

study: install ## what is missing of a study; make study NAME=quantisation ARGS=--list
	$(BIN)/python -m experiments $(NAME) $(ARGS)

check: lint types layers snippets ## everything below; make -k check goes on after a failure

lint: install ## ruff: rules and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: install ## mypy, strict for the core
	$(BIN)/mypy

layers: install ## import-linter: imports go down only
	$(BIN)/lint-imports --no-logo

snippets: install ## run what the documents show
	$(BIN)/python tools/snippets.py

clean: ## remove .venv, builds and caches (never runs/)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
