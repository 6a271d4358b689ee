# Needs make and a Python 3.11 or newer with venv; everything else is fetched into .venv at first use.

VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.understudy-installed
CODE  := $(wildcard src tests examples benchmarks tools)

# A slow index is waited for; what the caller's environment says wins.
PIP_DEFAULT_TIMEOUT ?= 180
PIP_RETRIES ?= 10
export PIP_DEFAULT_TIMEOUT PIP_RETRIES
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Of each part of the core that speaks through sockets, what is quickly told: the same tests, by TCP on the loopback.
TCP_TESTS := $(addprefix tests/, messages/test_speaking.py messages/test_handling.py messages/test_groups.py \
	messages/test_dying.py messages/test_trust.py lives/test_lives.py lives/test_killing.py parent/test_post.py \
	families/test_spawning.py observe/test_requests.py observe/test_outsiders.py faults/test_large_results.py)

# Two workers unless told otherwise: tests start processes of their own.
WORKERS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test test-tcp lint bench bench-peers docs soak clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP)  ## run examples/demo.py
	@$(PY) examples/demo.py

test: $(STAMP)  ## run the tests (not the soak rows), two at a time
	@$(PY) -m compileall -q src  # or, where bytecode is not written, each zygote of each test compiles it all
	@$(PY) -m pytest -n $(WORKERS)

test-tcp: $(STAMP)  ## run the core's tests with the sockets on the loopback
	@UNDERSTUDY_TRANSPORT=tcp $(PY) -m pytest -n $(WORKERS) $(TCP_TESTS)

lint: $(STAMP)  ## ruff, the format, mypy
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy $(CODE)

bench: $(STAMP)  ## time each figure beside its floor
	@$(PY) -m compileall -q src benchmarks
	@$(PY) -m benchmarks

bench-peers: $(STAMP)  ## the same beside other packages, installed into .venv-peers
	@$(PY) -m benchmarks.others.environment
	@$(PY) -m benchmarks --peers

docs: $(STAMP)  ## regenerate the pages that are derived from the code
	@$(PY) tools/requirements_table.py
	@$(PY) tools/reference.py

soak: $(STAMP)  ## run the rows that take minutes, one at a time
	@$(PY) -m pytest -m soak --timeout 3600

clean:  ## remove what was built (not .venv and .venv-peers)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path './$(VENV)*' -prune -o -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv that works is kept; one that doesn't (half built, or its Python is gone) is built anew.
$(STAMP): pyproject.toml
	@set -eu; \
	fit='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	if ! $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		found=; \
		for candidate in $(PYTHON) python3.11 python3; do \
			if "$$candidate" -c "$$fit" >/dev/null 2>&1; then found=$$candidate; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo 'understudy needs Python 3.11 or newer with venv (on Debian: apt install python3.11-venv).' >&2; \
			echo "Neither python3.11 nor python3 on PATH will do; name one with: make PYTHON=/path/to/python3.11" >&2; \
			exit 1; \
		fi; \
		echo "building $(VENV) with $$found, once"; \
		"$$found" -m venv --clear $(VENV); \
	fi; \
	echo 'installing understudy and its tools into $(VENV)'; \
	$(PY) -m pip install --quiet --editable '.[metrics,test,lint,bench]'
	@touch $@
