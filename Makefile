# Everything a newcomer needs. Each command sets up what it uses, in .venv, and nothing the second time.
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := .venv/bin
SET_UP := @$(PYTHON) requirements/set_up.py

.PHONY: demo up up-distributed test test-deep golden fuzz mutants lint protos bootstraps lock bench chaos clean

demo:
	$(SET_UP) demo
	$(BIN)/lightbulb demo --models examples.models

up:
	$(SET_UP) demo
	$(BIN)/lightbulb up --models examples.models

up-distributed:
	$(SET_UP) demo
	$(BIN)/lightbulb up --models examples.models --replicas 2 --hosts 4

test: lint
	$(SET_UP) demo test
	$(BIN)/python -m pytest -n auto --durations 15

# What is random tries more, and something else each time.
test-deep: lint
	$(SET_UP) demo test
	$(BIN)/python -m pytest -n auto --durations 15 --hypothesis-profile deep

golden:
	$(SET_UP) demo test
	$(BIN)/python -m pytest tests/golden --golden-update

fuzz:
	$(SET_UP) demo test fuzz
	$(BIN)/python -m tests.fuzz

# MUTANTS: groups or files, and options; none for a fifth of all.
mutants:
	$(SET_UP) demo test mutants
	$(BIN)/python -m tests.mutants $(MUTANTS)

lint:
	$(SET_UP) demo lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/python protos/generate.py --check
	$(BIN)/python -m tests.resolution_vectors --check
	$(BIN)/hadolint Dockerfile
	$(BIN)/lightbulb sidecar bootstrap | diff envoy/with-relay.yaml -
	$(BIN)/lightbulb sidecar bootstrap --without-relay | diff envoy/without-relay.yaml -

protos:
	$(SET_UP) demo lint
	$(BIN)/python protos/generate.py
	$(BIN)/python -m tests.resolution_vectors

bootstraps:
	$(SET_UP) demo
	$(BIN)/lightbulb sidecar bootstrap > envoy/with-relay.yaml
	$(BIN)/lightbulb sidecar bootstrap --without-relay > envoy/without-relay.yaml

bench:
	$(SET_UP) demo bench peers
	$(BIN)/python -m bench

chaos:
	$(SET_UP) demo
	$(BIN)/python -m chaos

lock:
	$(PYTHON) requirements/lock.py

clean:
	rm -rf .venv .lightbulb
