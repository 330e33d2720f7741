# Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
JOBS ?= auto

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
INSTALL := -m pip install -qq --disable-pip-version-check --retries 5 --prefer-binary -c constraints.txt
CONTRACTS := chain_bridge/contracts
CODE := parity_flwr strategies clients chain_bridge docs examples tests

export PYTHONUTF8 := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export FLWR_TELEMETRY_ENABLED := 0
export FLWR_DISABLE_UPDATE_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test anvil check format coverage wheel bench drill clean
.PHONY: contracts contracts-test contracts-audit contracts-drill

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.all ## Set up, then run a federation with three attackers
	$(BIN)/parity demo $(ARGS)

test: $(VENV)/.dev ## Set up, then run every test (ARGS="-k journal" selects)
	$(RUN) pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

anvil: ## Install the chain node that some tests need and skip without (needs npm)
	npm install --no-save --no-package-lock --silent @foundry-rs/anvil@1.7.1

check: $(VENV)/.dev ## Format, lint, types, layers, layout
	$(RUN) ruff format --check $(wildcard $(CODE))
	$(RUN) ruff check $(wildcard $(CODE))
	$(RUN) mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(RUN) pytest --quiet tests/test_layout.py tests/test_packaging.py

format: $(VENV)/.dev ## Rewrite the code in the house format
	$(RUN) ruff check --fix-only $(wildcard $(CODE))
	$(RUN) ruff format $(wildcard $(CODE))

coverage: $(VENV)/.dev ## Run the tests and list the lines that none reached
	$(RUN) coverage run -m pytest $(ARGS)
	$(RUN) coverage report

wheel: $(VENV)/.dev ## Build sdist and wheel, install the wheel elsewhere, test it there
	rm -rf build dist
	$(RUN) build --outdir dist . >/dev/null
	.ci/wheel $(BIN)/python dist/*.whl

bench: $(VENV)/.dev ## Time aggregation beside Flower's and byzfl's; writes bench.json
	$(BIN)/parity bench aggregate --json $(ARGS) >bench.json
	@cat bench.json

drill: $(VENV)/.dev contracts-drill ## Run the long drills: kills, schedules, mutations, a million inputs
	@for each in tests/drill_*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

contracts: $(CONTRACTS)/node_modules ## Compile the contracts again (needs node and npm)
	node $(CONTRACTS)/tools/build.mjs

contracts-test: $(CONTRACTS)/node_modules ## Fuzz the contracts, check invariants and coverage
	cd $(CONTRACTS) && FOUNDRY_PROFILE=ci tools/forge test
	$(CONTRACTS)/tools/coverage

contracts-audit: $(CONTRACTS)/node_modules $(VENV)-contracts ## Run slither and halmos on the contracts
	$(CONTRACTS)/tools/audit $(VENV)-contracts/bin/python

contracts-drill: contracts-audit # One million inputs a property; every mutation is noticed
	cd $(CONTRACTS) && FOUNDRY_PROFILE=drill tools/forge test
	node $(CONTRACTS)/tools/mutate.mjs

clean: ## Remove the environment and everything that was built
	rm -rf $(VENV) $(VENV)-contracts build dist *.egg-info bench.json .coverage htmlcov
	rm -rf $(CONTRACTS)/node_modules $(CONTRACTS)/out $(CONTRACTS)/cache
	rm -rf .grimp_cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make needs Python >= 3.11; got $$($(PYTHON) --version 2>&1); set PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "make needs Python's venv module; got none; run: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.all: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing parity-flwr with all extras into $(VENV) (one to two minutes the first time)"
	@$(BIN)/python $(INSTALL) -e '.[all]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing parity-flwr with all extras and the tools into $(VENV) (one to two minutes the first time)"
	@$(BIN)/python $(INSTALL) -e '.[all,dev]'
	@touch $(VENV)/.all $@

$(CONTRACTS)/node_modules: $(CONTRACTS)/package-lock.json
	cd $(CONTRACTS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Slither and halmos pin libraries of their own, so they live beside the project's.
$(VENV)-contracts: $(CONTRACTS)/tools/requirements.txt | $(BIN)/python
	$(BIN)/python -m venv $@
	$@/bin/python -m pip install -qq --disable-pip-version-check --retries 5 -r $<
	@touch $@
