# Everything is kept in this folder: .venv (Python packages) and .cache. Only 'make system' installs elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_PYTHON_VERSION_WARNING := 1
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy

.PHONY: help demo install test lint format bench bench-live bench-sensor bench-compact system kafka clean

help:
	@echo "make demo     the whole story in half a minute, on a Kafka broker inside the demo's own process"
	@echo "make test     run every test (CI=true: install what is missing first, skip nothing)"
	@echo "make install  the command, in $(BIN)/threathunting"
	@echo "make lint     ruff, mypy --strict, import-linter"
	@echo "make bench    the benchmark of docs/performance.md (some minutes, 2 GB of disk in .cache)"
	@echo "make bench-live  the benchmark of the live service, on a real Kafka (some minutes)"
	@echo "make bench-sensor  the same inside a real Zeek, with THREATHUNTING_ZEEK=PREFIX (some minutes, as root)"
	@echo "make bench-compact  ten million indicators armed compactly (half an hour, as root)"
	@echo "make kafka    fetch Apache Kafka with Maven into .cache, for the tests that need a broker"
	@echo "make system   install Suricata, a Java runtime and Maven with apt (Debian, Ubuntu)"

demo: $(VENV)/.installed
	@$(BIN)/threathunting demo

install: $(VENV)/.installed
	@echo "The command is $(BIN)/threathunting"

test: $(VENV)/.developed
	@if [ "$$CI" = true ]; then $(MAKE) --no-print-directory system kafka; \
	elif command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory kafka || true; fi
	@$(BIN)/python tools/missing.py
	@$(BIN)/python -m pytest -n auto --dist loadgroup --ignore tests/faults -o cache_dir=.cache/pytest
	@# Alone: who waits for a broker's timers must not wait for other tests, too.
	@$(BIN)/python -m pytest tests/faults -o cache_dir=.cache/pytest

lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import-linter

format: $(VENV)/.developed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.developed
	$(BIN)/python bench/hunt.py

bench-live: $(VENV)/.developed kafka
	$(BIN)/python bench/live.py

bench-sensor: $(VENV)/.developed kafka
	$(BIN)/python bench/sensor.py

bench-compact: $(VENV)/.developed kafka
	$(BIN)/python bench/compact.py

system:
	@bash tools/system.sh

kafka: $(VENV)/.developed
	@$(BIN)/python tools/kafka/broker.py fetch

clean:
	rm -rf $(VENV) .cache demo-out

$(VENV)/bin/python:
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null \
	  || { rm -rf $(VENV); echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing threathunting and the packages it needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[stix]'
	@touch $@

$(VENV)/.developed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing threathunting with all its extras, and the tools for tests, into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable '.[stix,warninglists]' --group dev
	@touch $@ $(VENV)/.installed
