PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help doctor install dev test fuzz check fix golden explain-score docs benchmark benchmark-plans benchmark-explain benchmark-transactions benchmark-verify benchmark-bench benchmark-ci clean

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

doctor: install  ## install and examine this machine (ARGS="--venv DIR" for another environment)
	$(BIN)/attn-doctor check $(ARGS)

install: $(VENV)/.installed  ## install into .venv

dev: $(VENV)/.dev  ## install with all that tests and checks need

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

test: dev check  ## install, lint, type-check and run every test
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder $(ARGS)

fuzz: dev  ## the properties on fresh random examples
	HYPOTHESIS_PROFILE=fresh $(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder -m hypothesis $(ARGS)

check: dev  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: dev  ## mend what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: dev  ## write the golden reports anew; read the difference before you commit it
	$(BIN)/python -m pytest -q tests/reporters --golden -n 0

explain-score: dev  ## how often `explain` names the right cause, per stage
	$(BIN)/python scripts/explain_score.py

docs: dev  ## generate the pages of rules and backends, the schemas, and the help in README.md
	$(BIN)/python scripts/generate_docs.py

benchmark: dev  ## measure what a check costs on this machine; writes docs/benchmark.md
	$(BIN)/python scripts/benchmark.py

benchmark-plans: dev  ## measure what a plan costs beside a check; writes docs/benchmark-plans.md
	$(BIN)/python scripts/benchmark_plans.py

benchmark-explain: dev  ## measure what explaining a log costs; writes docs/benchmark-explain.md
	$(BIN)/python scripts/benchmark_explain.py

benchmark-transactions: dev  ## measure keeping and putting back an environment; writes docs/benchmark-transactions.md
	$(BIN)/python scripts/benchmark_transactions.py

benchmark-verify: dev  ## measure verify --quick beside import torch (TORCH_PYTHON=...); writes docs/benchmark-verify.md
	$(BIN)/python scripts/benchmark_verify.py $(TORCH_PYTHON)

benchmark-bench: dev  ## hold the times of bench against torch's timer (TORCH_PYTHON=...); writes docs/benchmark-bench.md
	$(BIN)/python scripts/benchmark_bench.py $(TORCH_PYTHON)

benchmark-ci: dev  ## measure the step in CI beside collect_env (TORCH_PYTHON=...); writes docs/benchmark-ci.md
	$(BIN)/python scripts/benchmark_ci.py --target $(TORCH_PYTHON)

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist
