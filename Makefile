# Two commands on a fresh machine: `make synth` and `make test`. They need make and Python >= 3.11, nothing else.
# Everything they use is installed into .venv from the hash-locked files in requirements/; a second run installs nothing.

PYTHON ?= python3
VENV := .venv
CHECKOV := .venv-checkov
DOCS := .venv-docs
LOCK := .venv-lock
BIN := $(VENV)/bin
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet --require-hashes --use-pep517 --no-build-isolation --only-binary=:all:
COMPILE := $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

# Both cores. A file is one worker's: its tests share servers and what was synthesized.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile
CLUSTER_PYTEST = $(BIN)/python -m pytest -o addopts= --strict-config --strict-markers --import-mode=importlib -ra --durations=0 --durations-min=20 tests/cluster

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help synth wheel test test-deep test-tools units lint lint-all prose golden graph docs docs-serve imports lock cluster-test cluster-test-all bench chaos model clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

synth: $(VENV)/.synth ## Synthesize dist/ and show what was written
	@$(BIN)/python tools/synth.py

wheel: $(VENV)/.synth ## Build the wheel into build/wheel/
	@rm -rf build/wheel
	@$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-index --no-build-isolation --no-deps --wheel-dir build/wheel .
	@ls build/wheel/*.whl

# Lint and tests both run to the end, so that one run shows all there is to mend; either fails the target.
test: $(VENV)/.test $(CHECKOV)/.installed synth ## Synthesize, lint, and run every test that needs no cluster
	@$(MAKE) --no-print-directory lint; lint=$$?; $(PYTEST) $(PYTEST_ARGS) && { [ $$lint -eq 0 ] || { echo "lint failed: see above" >&2; exit 1; }; }

test-deep: $(VENV)/.test $(CHECKOV)/.installed synth ## Before a release: the tests with new and many more generated examples, and every world of the model
	@$(PYTEST) -m '' --hypothesis-profile deep $(PYTEST_ARGS)

test-tools: ## Bring what some tests use and pip has not: PostgreSQL, PgBouncer, promtool, kubeseal, ... (apt, Go)
	@tools/test_tools

units: $(VENV)/.test ## The tests that matter for an interpreter; for a second one: make units PYTHON=python3.13 VENV=.venv-newest
	@$(PYTEST) --ignore=tests/postgres_live --ignore=tests/chaos --ignore=tests/policy --ignore=tests/postgres/fast $(PYTEST_ARGS)

# 2 is a crash of mypy, which a cache of other sources can cause: once more without.
lint: $(VENV)/.test ## ruff, mypy --strict, and textlint on our English
	@failed=0; \
	$(BIN)/ruff check --quiet --output-format=concise || failed=1; \
	$(BIN)/ruff format --check --quiet >/dev/null || { failed=1; echo "not formatted; run: $(BIN)/ruff format" >&2; }; \
	$(BIN)/mypy --no-error-summary || { [ $$? -eq 2 ] && rm -rf .mypy_cache && $(BIN)/mypy --no-error-summary; } || failed=1; \
	$(MAKE) --no-print-directory prose || failed=1; \
	exit $$failed

lint-all: lint ## The same and pyright, a second opinion on types, which editors use; CI runs it
	@$(BIN)/basedpyright --warnings

prose: $(VENV)/.test ## Check the English of pages, docstrings and messages by the rules in tools/prose_style/
	@$(BIN)/python tools/cdk8s_cli.py install || true
	@$(BIN)/python tools/prose.py

golden: $(VENV)/.test ## Rewrite the reviewed YAML in tests/; look at the diff before you commit it
	@rm -rf tests/snapshots
	@$(BIN)/python -m pytest -q --update-golden

graph: $(VENV)/.test ## Redraw docs/pictures/chart.svg from dist/, and rewrite docs/how-to/reviewing.md
	@$(BIN)/python tools/reviewing_docs.py

docs: $(VENV)/.test $(DOCS)/.installed ## Build the documentation site into build/site; a broken link or a warning fails
	@$(BIN)/python -m tools.site build/pages
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --site-dir build/site
	@echo "build/site/index.html"

docs-serve: docs ## Serve the site at 127.0.0.1:8000, and rebuild it when a page changes
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs serve

imports: $(VENV)/.test ## Regenerate imports/ from crds/ with `cdk8s import` (needs npm)
	@$(BIN)/python tools/cdk8s_cli.py install
	@rm -rf imports
	@$(BIN)/python tools/cdk8s_cli.py import --language python

cluster-test: $(VENV)/.test ## Apply dist/ to the cluster of the current kubeconfig and test there what every change must show
	@$(CLUSTER_PYTEST) -m 'not release' $(PYTEST_ARGS)

cluster-test-all: $(VENV)/.test ## Every test there is for a cluster: before a release (an hour)
	@$(CLUSTER_PYTEST) $(PYTEST_ARGS)

bench: $(VENV)/.test ## Measure start-up, cost per object and (with a cluster) the write gap per fault
	@$(BIN)/python tools/bench.py $(BENCH_ARGS)

chaos: $(VENV)/.test ## Random faults under load, with a checker, on a cluster whose nodes may be broken
	@$(BIN)/python tools/chaos.py $(CHAOS_ARGS)

model: $(VENV)/.test ## Walk every world of the fast failover's model, also with four and five members (minutes)
	@$(BIN)/python -m tests.postgres.fast.search --deep

lock: $(LOCK)/.installed ## Regenerate requirements/*.txt from *.in and pyproject.toml
	$(COMPILE) $(LOCK_ARGS) --all-extras pyproject.toml requirements/build.in requirements/test.in -o requirements/test.txt
	$(COMPILE) $(LOCK_ARGS) --extra node --extra cli pyproject.toml requirements/build.in -c requirements/test.txt -o requirements/synth.txt
	$(COMPILE) $(LOCK_ARGS) requirements/checkov.in -o requirements/checkov.txt
	$(COMPILE) $(LOCK_ARGS) requirements/docs.in -o requirements/docs.txt
	$(COMPILE) $(LOCK_ARGS) requirements/lock.in -o requirements/lock.txt

clean: ## Remove everything that was installed or cached here; dist/ stays
	rm -rf .venv .venv-* node_modules .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis build
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Stamps: one per lock file, so that a changed lock file installs and an unchanged one does not even start pip.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python >= 3.11 is needed. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "this Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.synth: requirements/synth.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing requirements/synth.txt into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) -r requirements/synth.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt | $(VENV)/.synth
	@echo "installing requirements/test.txt into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) --no-binary=ydiff -r requirements/test.txt
	@touch $@

$(CHECKOV)/.installed: requirements/checkov.txt | $(VENV)/bin/python
	@echo "installing requirements/checkov.txt into $(CHECKOV)"
	@$(PYTHON) -m venv --clear $(CHECKOV)
	@$(CHECKOV)/bin/python $(PIP_INSTALL) -r requirements/checkov.txt
	@touch $@

$(DOCS)/.installed: requirements/docs.txt | $(VENV)/bin/python
	@echo "installing requirements/docs.txt into $(DOCS)"
	@$(PYTHON) -m venv --clear $(DOCS)
	@$(DOCS)/bin/python $(PIP_INSTALL) -r requirements/docs.txt
	@touch $@

$(LOCK)/.installed: requirements/lock.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv --clear $(LOCK)
	@$(LOCK)/bin/python $(PIP_INSTALL) -r requirements/lock.txt
	@touch $@
