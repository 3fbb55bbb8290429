# Two commands are enough: `make run` and `make test`. Both need Python 3.11+ and make, no more.
.DEFAULT_GOAL := help
.PHONY: help run test lint types check format lock vendor clean
BIN := .venv/bin

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## Install what is missing and run everything; Ctrl-C stops it and keeps the data
	@.ci/setup run
	@exec $(BIN)/ringledger up

test: ## Install what is missing and run the whole test suite
	@.ci/setup dev
	@exec $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

lint: ## Check style and formatting
	@.ci/setup dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: ## Check types
	@.ci/setup dev
	$(BIN)/mypy

check: lint types test ## Everything that has to be green before a commit

format: ## Put the code into the house's format
	@.ci/setup dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## After a change in pyproject.toml: pin versions anew (needs uv)
	uv lock
	.ci/constraints > constraints.txt

vendor: ## Fetch the pinned web assets anew and check them (needs npm)
	@.ci/setup dev
	$(BIN)/python assets/vendor.py

clean: ## Remove the virtual environment and caches; the data under var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
