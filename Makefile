PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: run install test lint bench bench-storage bench-serve benchmark-quality benchmark-ablations benchmark-classification

run: install
	$(BIN)/lstm-search run

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

.venv/installed_for_tests: .venv/installed
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

lint: .venv/installed_for_tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal

bench: .venv/installed_for_tests
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python tests/bench/speed.py $(if $(DATA),--data $(DATA))

bench-storage: .venv/installed_for_tests
	$(BIN)/python -m tests.bench.database

bench-serve: .venv/installed_for_tests
	$(BIN)/python -m tests.bench.serving $(BUNDLE) $(if $(MLFLOW),--mlflow $(MLFLOW)) $(if $(MLSERVER),--mlserver $(MLSERVER))

DATA_DIR ?= ../shared/data

benchmark-quality: .venv/installed_for_tests
	$(BIN)/python -m tests.bench.quality $(DATA_DIR)

benchmark-ablations: .venv/installed_for_tests
	$(BIN)/python -m tests.bench.ablations $(DATA_DIR) $(SEEDS)

benchmark-classification: .venv/installed_for_tests
	$(BIN)/python -m tests.bench.classification $(DATA_DIR)
