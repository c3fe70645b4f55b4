# Everything a newcomer needs. `make demo` and `make test` set up what they use.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo up up-distributed test lint protos lock bench chaos clean

demo: $(READY)
	$(BIN)/lightbulb demo

up: $(READY)
	$(BIN)/lightbulb up

up-distributed: $(READY)
	$(BIN)/lightbulb up --replicas 2 --hosts 4

test: lint
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/python protos/generate.py --check

protos: $(READY)
	$(BIN)/python protos/generate.py

bench: $(READY)
	$(BIN)/python -m bench

chaos: $(READY)
	$(BIN)/python -m chaos

$(READY): requirements/all.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --all-extras --group test --group lint --group bench pyproject.toml requirements/build.in -o requirements/all.txt

clean:
	rm -rf $(VENV) .lightbulb
