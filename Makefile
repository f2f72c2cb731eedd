# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer: each creates .venv
# and installs what it needs.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check-data lint bench train-nano clean

demo: .venv/demo
	PICTURES="$(PICTURES)" $(BIN)/python demo/demo.py

test: .venv/test
	$(BIN)/python -m pytest -q

check-data: .venv/test
	@test -d ../shared/data || { echo "check-data needs the real pictures in ../shared/data"; exit 1; }
	$(BIN)/python -m pytest -q -m data

lint: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/test
	PYTHONPATH=tests $(BIN)/python benchmarks/speed.py
	PYTHONPATH=tests $(BIN)/python benchmarks/start.py
	PYTHONPATH=tests $(BIN)/python benchmarks/memory.py
	PYTHONPATH=tests $(BIN)/python benchmarks/runs.py
	PYTHONPATH=tests $(BIN)/python benchmarks/ablations.py
	PYTHONPATH=tests $(BIN)/python benchmarks/engines.py
	PYTHONPATH=tests $(BIN)/python benchmarks/serve.py
	PYTHONPATH=tests $(BIN)/python benchmarks/cluster.py
	PYTHONPATH=tests $(BIN)/python benchmarks/scaling.py
	PYTHONPATH=tests $(BIN)/python benchmarks/report_page.py

train-nano: .venv/test
	@test -d "$(PRISTINE)" || { echo "train-nano needs PRISTINE=DIR, see training/README.md"; exit 1; }
	$(BIN)/python training/train.py "$(PRISTINE)" $(TRAIN)

clean:
	rm -rf .venv .cache

.venv/python:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/demo: .venv/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[report]" "scikit-image>=0.25"
	@touch $@

.venv/test: .venv/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[test]"
	@touch $@
