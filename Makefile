# Each sets up .venv by itself and touches nothing else; CI runs lint and test, which together hold all of check.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-cache-dir --constraint constraints.txt

.PHONY: demo test lint check proofs docs

demo: .venv/ready
	$(BIN)/atrous demo

test: .venv/ready-dev
	$(BIN)/pytest --numprocesses auto --dist worksteal

proofs: .venv/ready-dev
	$(BIN)/pytest -m long

check: lint
	$(BIN)/pytest --numprocesses auto --dist worksteal -m "not slow and not long"

docs: .venv/ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Look at site/index.html, or, to search in it: $(BIN)/python -m http.server --directory site"

lint: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "atrous needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing atrous into .venv (torch is large: a few minutes at most) ..."
	$(PIP) --editable .
	@touch $@

.venv/ready-dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing atrous with its checks and oracles into .venv (a few minutes at most) ..."
	$(PIP) --editable ".[dev,docs]"
	@touch .venv/ready .venv/ready-docs $@

.venv/ready-docs: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing what makes the site into .venv ..."
	$(PIP) --editable ".[docs]"
	@touch .venv/ready $@
