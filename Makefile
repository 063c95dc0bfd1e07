# Everything a developer runs. Needs make and Python 3.11 or 3.12; the rest goes into .venv.
# No root, nothing outside this folder.

PYTHON := .venv/bin/python
PACKAGES := models alerts dataflow dashboard
BENCH_SECONDS ?= 120
BENCH_ENTITIES ?= 1000000
SOAK_EVENTS ?= 2000000
CHAOS_ROUNDS ?= 200
ARGS ?=
LOCK_ARGS ?=
COMPILE = uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --python-version 3.11

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help install run test bench soak chaos lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/'

# The stamp holds the place, the lock and pyproject.toml as they were installed, so a second call costs
# nothing and a changed lock, a changed project or a moved folder installs again.
install: ## make .venv and install the locked dependencies and Tidegate itself
	@if [ -x $(PYTHON) ] && { pwd; cat requirements.lock pyproject.toml; } | cmp -s - .venv/installed; then exit 0; fi; \
	set -e; \
	if ! $(PYTHON) -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
		found=; \
		for candidate in python3.12 python3.11 python3; do \
			if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
				found=$$candidate; break; \
			fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Tidegate needs Python 3.11 or 3.12, and neither python3.12, python3.11 nor python3 is one here" >&2; \
			echo "(python3 is: $$(python3 --version 2>/dev/null || echo missing)). To get it:" >&2; \
			echo "  Debian, Ubuntu   sudo apt install python3.12 python3.12-venv    (or python3.11 python3.11-venv)" >&2; \
			echo "  macOS            brew install python@3.12" >&2; \
			echo "  anywhere         pyenv install 3.12 && pyenv local 3.12" >&2; \
			exit 1; \
		fi; \
		if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
			version=$$($$found -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
			echo "$$found is there, but its venv module is not (Debian and Ubuntu package it apart). To get it:" >&2; \
			echo "  sudo apt install python$$version-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making .venv with $$($$found --version)"; \
		rm -rf .venv; \
		$$found -m venv .venv; \
	fi; \
	rm -f .venv/installed; \
	echo "Installing the locked dependencies (a few minutes the first time)"; \
	$(PYTHON) -m pip install --quiet --require-hashes --requirement requirements.lock; \
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	{ pwd; cat requirements.lock pyproject.toml; } > .venv/installed

run: install ## start everything: store, scorer, learner, webhooks, simulator and console (ARGS="--no-simulator")
	@.venv/bin/tidegate up $(ARGS)

test: lint ## every check: style, types and the whole test suite (ARGS="tests/test_layout.py")
	$(PYTHON) -m pytest $(ARGS)

soak: install ## run 2 million events and show that memory stays bounded (SOAK_EVENTS); then the long tests
	@.venv/bin/tidegate soak --events $(SOAK_EVENTS) --json
	$(PYTHON) -m pytest -m long

chaos: install ## kill processes and store at random, with and without Kafka, against an undisturbed run (CHAOS_ROUNDS)
	@.venv/bin/tidegate chaos --rounds $(CHAOS_ROUNDS) --json
	@.venv/bin/tidegate chaos --rounds $(CHAOS_ROUNDS) --kafka --seed 2 --json

lint: install ## style and types without the tests
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict $(addprefix --package=,$(PACKAGES))

format: install ## put the code into house style
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: install ## measure everything and write docs/benchmarks.md (BENCH_SECONDS each, BENCH_ENTITIES)
	@.venv/bin/tidegate bench --what all --seconds $(BENCH_SECONDS) --entities $(BENCH_ENTITIES) --console \
		--report var/bench --page docs/benchmarks.md
	@cp var/bench/bench-*.png docs/images/ && sed -i.bak 's|\.\./var/bench/|images/|' docs/benchmarks.md && rm docs/benchmarks.md.bak

# For the one who changes a dependency; needs the `uv` command. Versions stay as they are unless a dependency asks
# for others or LOCK_ARGS is --upgrade; one version for all Pythons, so that they compute the same.
lock: ## bring the lock files in line with pyproject.toml (LOCK_ARGS="--upgrade")
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv" >&2; exit 1; }
	@cp requirements.lock requirements.new
	@$(COMPILE) --extra dev $(LOCK_ARGS) pyproject.toml requirements-build.in --output-file requirements.new
	@{ sed -n '/^#/p;/^#/!q' requirements.lock; sed '/^#/d' requirements.new; } > requirements.tmp
	@mv requirements.tmp requirements.lock && rm requirements.new
	@$(COMPILE) --extra kafka --extra traces --constraint requirements.lock pyproject.toml requirements-build.in \
		--output-file requirements.new
	@{ sed -n '/^#/p;/^#/!q' requirements-run.lock; sed '/^#/d' requirements.new; } > requirements.tmp
	@mv requirements.tmp requirements-run.lock && rm requirements.new

clean: ## remove caches and build leftovers; .venv and var stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
