# SPDX-License-Identifier: GPL-2.0-only
# Needs python3 (3.11 or later) with venv, and make.  Everything else goes into .venv.
#   make demo    set-up, then the main job: what the RFC's policy does to fork and to faults
#   make test    set-up, then the tests
#   make lint    ruff and mypy

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGUMENTS ?=

.PHONY: demo test lint clean

demo: $(VENV)/installed
	$(BIN)/faultlock compare

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest $(PYTEST_ARGUMENTS)

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/mypy src/faultlock tests scripts

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'faultlock needs Python 3.11 or later: make PYTHON=python3.12 ...'; exit 4; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo 'venv is missing: apt-get install python3-venv'; rm -rf $(VENV); exit 4; }

$(VENV)/installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
