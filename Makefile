# `make` lists the targets. Everything they need is installed into .venv and .services.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := $(PYTHON) tests/services/services.py
LOCK := uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes \
	--no-emit-index-url --no-header --quiet -p 3.11
COVERED := streams/windows inference/fusion storage
# Tests that share no service and no screen run side by side, each on one thread.
SIDE_BY_SIDE := unit or laws
COUNTED := --cov --cov-branch --cov-report=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-inference bench-live services-up services-down lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: $(VENV)/installed ## play the bundled call on http://127.0.0.1:8080
	@$(BIN)/affectstream demo

test: $(VENV)/installed $(VENV)/browser $(VENV)/node $(VENV)/promtool ## run every test, on real Kafka, PostgreSQL and Redis
	@started=; partly=; test -e .services/state.json || started=yes; \
	$(SERVICES) up || { partly=yes; \
		echo "make: without services, only tests that need none run, and no floor is checked"; }; \
	trap 'test -z "$$started" || $(SERVICES) down' EXIT; \
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "$(SIDE_BY_SIDE)" -n auto --maxprocesses 4 $(COUNTED) $(PYTEST); \
	first=$$?; \
	$(BIN)/pytest -m "not ($(SIDE_BY_SIDE))" $(COUNTED) --cov-append $(PYTEST); \
	second=$$?; \
	case $$first$$second in 00|05|50) ;; *) exit 1;; esac; \
	{ test -n "$$partly" || $(BIN)/python tests/branch_floor.py 95 $(COVERED); }

check: $(VENV)/installed ## lint, types, imports, spelling, lock
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/typos
	@cp requirements.lock $(VENV)/checked.lock && $(BIN)/$(LOCK) -o $(VENV)/checked.lock && \
		diff -q requirements.lock $(VENV)/checked.lock || { echo "run: make lock"; exit 1; }
	@! grep -nE 'https?://' requirements.lock
	@! grep -nE '"resolved"|//registry' tests/node/package-lock.json

bench: $(VENV)/installed ## measure speed and memory, as ratios against a baseline
	@for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

bench-inference: $(VENV)/installed ## measure what a score costs, and how many calls a core carries
	@$(BIN)/python benchmarks/bench_inference.py $(BENCH)
	@$(BIN)/python benchmarks/bench_fusion.py

bench-live: $(VENV)/installed $(VENV)/browser ## measure 200 live calls: the page, and 100 readers
	@$(BIN)/python benchmarks/bench_live_page.py

services-up: ## start Kafka, PostgreSQL and Redis for the tests
	@$(SERVICES) up

services-down: ## end those that services-up started
	@$(SERVICES) down

lock: | $(BIN)/uv ## resolve pyproject.toml into requirements.lock
	@$(BIN)/$(LOCK) -o requirements.lock

$(BIN)/uv:
	@$(MAKE) --no-print-directory $(VENV)/installed

# One pip call: installed one after the other, the packages break each other's click. The lock names
# all there is to install; left to resolve, pip takes extras (coverage[toml]) from newer releases.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "make: on Debian, install python3-venv"; exit 1; }
	@echo "make: installing into $(VENV); the first time takes some minutes"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		-r requirements.lock
	@$(BIN)/pip check --quiet --disable-pip-version-check
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Browser tests drive Debian's Chromium; elsewhere they use one that is there, or are skipped.
$(VENV)/browser: $(VENV)/installed
	@command -v chromium >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get -o DPkg::Lock::Timeout=120 -qq update && DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=120 -qq -y install --no-install-recommends \
		chromium fonts-dejavu-core >/dev/null; }
	@touch $@

# A parser of AsyncAPI documents and a checker of accessibility. What fails here is tried again next
# time; tests that miss it are skipped, but in CI they fail.
$(VENV)/node: tests/node/package-lock.json $(VENV)/installed
	@if ! command -v npm >/dev/null; then echo "make: no npm: tests that need it are skipped"; \
	elif (cd tests/node && npm ci --silent --fetch-retry-maxtimeout=10000); then touch $@; \
	else echo "make: npm ci failed: tests that need it are skipped"; fi

# Prometheus' own checker, and Alertmanager to send alerts to: unpacked, never installed.
$(VENV)/promtool: tests/services/unpack.sh $(VENV)/installed
	@if ! command -v apt-get >/dev/null; then \
		echo "make: no apt-get: tests that need promtool look for one on the path"; \
	elif tests/services/unpack.sh $(VENV)/tools prometheus prometheus-alertmanager; then touch $@; \
	else echo "make: no promtool from Debian: tests that need it are skipped"; fi
