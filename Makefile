# Shortfall: the commands of the house. `make` alone lists them. Every target runs in .venv, which is made when first
# needed and again only when pyproject.toml or constraints.txt change. ARGS="…" goes to the target's command, PIP_ARGS="…"
# to pip install.

PYTHON ?= python3
CONFIG ?= configs/quick.yaml
ARGS ?=
PIP_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.shortfall-installed
NOTEBOOKS := analysis/notebooks

# Nets this small are slowed by a second thread, and the workers already use every core.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
export RAY_USAGE_STATS_ENABLED := 0
# Progress is shown as it happens, into a file or a pipe too.
export PYTHONUNBUFFERED := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup experiment train curves validate compare benchmarks report watch calibrate
.PHONY: impact signals explain frontier transfer backtest realism regimes lobster sweep notebooks reproduce
.PHONY: test test-slow test-browser lint type bench bench-guard clean

help: ## List the targets
	@echo 'make TARGET [CONFIG=configs/quick.yaml] [ARGS="options of the command"] [PYTHON=python3]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Make .venv and install everything into it; done once, the other targets call it

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "No Python at '$(PYTHON)': give one of 3.11 or newer, as in 'make setup PYTHON=python3.12'" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version 2>&1) is too old: Shortfall needs 3.11 or newer, as in 'make setup PYTHON=python3.12'" >&2; exit 2; }
	@echo "Installing Shortfall into $(VENV): about 500 MB to download with the CPU build of torch; this happens once."
	@# A folder without pip is left of an interrupted attempt: it is made afresh.
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --constraint constraints.txt $(PIP_ARGS) --editable '.[harness,dev]'
	@touch $@
	@echo "Ready. 'make help' lists what can be done."

experiment: $(STAMP) ## Train a policy, compare it with TWAP on the same markets, say where the report lies
	$(PY) -m experiments.experiment $(CONFIG) $(ARGS)

train: $(STAMP) ## Train a policy as CONFIG says; resumes; ARGS=--quick for a trial run
	$(PY) -m experiments.train $(CONFIG) $(ARGS)

curves: $(STAMP) ## Draw the learning curves of trainings, as in ARGS="results/five/quick-*"
	$(PY) -m experiments.curves $(ARGS)

validate: $(STAMP) ## Judge trainings on validation markets against TWAP, as in ARGS="results/five/quick-*"
	$(PY) -m experiments.validate $(ARGS)

compare: $(STAMP) ## Compare strategies on the same markets, as in ARGS="--strategies twap,passive --seeds 0:20"
	$(PY) -m experiments.compare $(CONFIG) $(ARGS)

benchmarks: $(STAMP) ## Compare all benchmarks in all regimes (1 to 2 hours; ARGS=--quick: minutes); resumes
	$(PY) -m experiments.benchmarks $(ARGS)

report: $(STAMP) ## Build a run's report again, as in ARGS=results/latest
	$(PY) -m analysis.report $(ARGS)

watch: $(STAMP) ## Play one episode in the browser: book, trades, decisions, as in ARGS="--seed 7 --strategy twap"
	$(PY) -m experiments.watch $(CONFIG) $(ARGS)

calibrate: $(STAMP) ## Measure the market's volume, volatility and impact, which benchmark strategies read
	$(PY) -m experiments.calibrate $(CONFIG) $(ARGS)

impact: $(STAMP) ## Measure how the order moves the market, against the same market without it
	$(PY) -m experiments.impact $(CONFIG) $(ARGS)

signals: CONFIG = configs/tactical.yaml
signals: $(STAMP) ## Measure how far what a policy sees foretells the price, before training on it
	$(PY) -m experiments.signals $(CONFIG) $(ARGS)

explain: CONFIG = configs/tactical.yaml
explain: $(STAMP) ## Say what a policy does and why it wins: maps, importance, a small tree; ARGS=--quick
	$(PY) -m experiments.explain $(CONFIG) $(ARGS)

frontier: CONFIG = configs/tactical.yaml
frontier: $(STAMP) ## Train with several risk aversions; risk against return beside Almgren and Chriss; resumes; ARGS=--quick
	$(PY) -m experiments.frontier $(CONFIG) $(ARGS)

transfer: CONFIG = configs/tactical.yaml
transfer: $(STAMP) ## Trade a policy in every regime, against TWAP and the best schedule of each
	$(PY) -m experiments.transfer $(CONFIG) $(ARGS)

backtest: $(STAMP) ## Measure by how much a backtest, in which nobody reacts, flatters each strategy
	$(PY) -m experiments.backtest $(CONFIG) $(ARGS)

regimes: $(STAMP) ## Measure what the market of each regime is like
	$(PY) -m experiments.regimes $(CONFIG) $(ARGS)

realism: $(STAMP) ## Hold the market against upstream's and against what is known of real ones
	$(PY) -m experiments.realism $(CONFIG) $(ARGS)

lobster: $(STAMP) ## Write a simulated market as a LOBSTER day, as in ARGS="--seed 7"
	$(PY) -m experiments.lobster $(CONFIG) $(ARGS)

sweep: CONFIG = configs/sweep.yaml
sweep: $(STAMP) ## Search for training settings; resumes; ARGS=--quick for a trial run
	$(PY) -m experiments.sweep $(CONFIG) $(ARGS)

notebooks: $(STAMP) ## Run every notebook from top to bottom
	$(PY) -m pytest --nbmake --nbmake-timeout=600 $(NOTEBOOKS) $(ARGS)

reproduce: $(STAMP) ## Rebuild the numbers of README and docs and compare (6 hours; ARGS=--quick: minutes); resumes
	$(PY) -m experiments.reproduce $(ARGS)

test: $(STAMP) ## Run the tests, but for the slow ones
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: $(STAMP) ## Run the slow tests
	$(PY) -m pytest -m slow $(ARGS)

test-browser: $(STAMP) ## Open the pages in headless Chromium, which must be installed; screenshots in build/browser/
	$(PY) -m pytest -m browser $(ARGS)

lint: $(STAMP) ## Check style, format and the direction of imports
	$(PY) -m ruff check $(ARGS)
	$(PY) -m ruff format --check $(ARGS)
	$(VENV)/bin/lint-imports

type: $(STAMP) ## Check types
	$(PY) -m mypy $(ARGS)

bench: $(STAMP) ## Measure the speed of both engines, of the environments and of training
	$(PY) -m benchmarks.reference $(ARGS)
	$(PY) -m benchmarks.compiled $(ARGS)
	$(PY) -m benchmarks.environment $(ARGS)
	$(PY) -m benchmarks.gym $(ARGS)
	$(PY) -m benchmarks.training $(ARGS)

bench-guard: $(STAMP) ## Fail if the compiled engine has become slower by a third than what is stored
	$(PY) -m benchmarks.guard $(ARGS)

clean: ## Remove build products and caches; .venv and results stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -path ./results -prune -o -name __pycache__ -type d -exec rm -rf {} +
