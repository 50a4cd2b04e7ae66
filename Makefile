# Postroom's everyday commands. `make` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN = .venv/bin
OURS = src tests bench tools

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
# Every process that starts would compile all of Postroom anew, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: ## make .venv with Postroom and all that development needs (PYTHON=… chooses the interpreter)
	@tools/venv "$(PYTHON)"

.PHONY: servers
servers: ## install the real servers that the tests meet: Dovecot, Cyrus, Courier, Postfix, PostgreSQL, isync, chromium
	@tools/servers

.PHONY: check
check: setup gates ## the quick checks: format, lint, types, who imports whom, layout, and the tests of core
	$(BIN)/pytest tests/core

.PHONY: test
test: setup servers gates ## everything: the checks, then every test in one run (as root, for the mail servers)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder  # most tests wait for servers, so three share two cores well

.PHONY: gates
gates:
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/ruff check $(OURS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/layout.py

.PHONY: accuracy
accuracy: setup ## how often the diagnosis of a failure is right, on the corpus
	$(BIN)/python tools/accuracy.py

.PHONY: demo
demo: setup ## start Postroom with a mail provider that fails on command
	@exec $(BIN)/postroom demo

.PHONY: demo-oauth
demo-oauth: setup ## a mailbox signed in to with OAuth in a headless browser, broken and mended (needs chromium)
	@exec $(BIN)/python -m tools.demo_oauth

.PHONY: bench
bench: setup servers ## measure: every program in bench/, one after the other
	@for program in bench/[!_]*.py; do echo "== $$program"; $(BIN)/python "$$program" || exit 1; done

.PHONY: clean
clean: ## remove caches and built packages (not .venv)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(OURS) -name __pycache__ -type d -prune -exec rm -rf {} +
