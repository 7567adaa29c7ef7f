# A new machine needs Python 3.11 or later and make; everything else comes from requirements.lock.
#   make test PYTHON=python3.13 VENV=.venv313     another interpreter (read when its venv is made)
#   make test JOBS=0                              one test after the other

VENV ?= .venv
PYTHON ?=
PYTEST_ARGS ?=
JOBS ?= 2
bin := $(VENV)/bin
stamp := $(VENV)/.installed
fuzzing := $(VENV)-fuzz

# uv must not fetch an interpreter: the user's own is what this has to work with.
export UV_PYTHON_DOWNLOADS := never
# The suite starts hundreds of processes, and without bytecode each takes three times as long to begin.
export PYTHONDONTWRITEBYTECODE :=
# Otherwise pyright asks for its newest release at each start.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# 3.11 and 3.12 come first: only they have the wheel with a Redis in it.
find_python = for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done; \
	test -n "$$python" || { echo "No Python 3.11 or later found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
uv := $(or $(shell command -v uv),.tools/bin/uv)

peers := $(patsubst benchmarks/peers/%.txt,.peers/%/.installed,$(wildcard benchmarks/peers/*.txt))

.DEFAULT_GOAL := help
.PHONY: help demo test chaos fuzz bench bench-peers bench-scaling check format lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(stamp) ## Crawl a local site with workers that get killed, and count what arrived
	$(bin)/pagefleet demo

test: $(stamp) ## Run the tests; one of them: make test PYTEST_ARGS='-k commit'
	$(bin)/pytest -q -n $(JOBS) $(PYTEST_ARGS)

chaos: $(stamp) ## A storm of faults over a fleet: make chaos [SEED=1] [SECONDS=60]; for its figures: LONG=1
	$(bin)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(LONG),--long)

fuzz: $(fuzzing)/.installed ## Feed what servers may say to all that reads it: make fuzz [SECONDS=3600] [TARGETS='link walk']
	nice $(fuzzing)/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS)

bench: $(stamp) ## Measure speed and memory for docs/performance.md; only some: make bench ROWS=cpu,wall
	$(bin)/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-peers: $(stamp) $(peers) ## Our speed against dlt, Scrapy, scrapy-redis, Crawlee, Singer and Airbyte: [ROUNDS=5]
	$(bin)/python -m benchmarks.peers $(if $(ROUNDS),--rounds $(ROUNDS))

bench-scaling: $(stamp) ## Measure costs and limits for docs/scaling.md, and simulate; only some: PARTS=memory,simulation
	$(bin)/python -m benchmarks.scaling $(if $(PARTS),--parts $(PARTS)) $(if $(RUN),--run $(RUN))

check: $(stamp) ## Lint, formatting and types, as CI does
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/pyright --pythonpath $(bin)/python

format: $(stamp) ## Put imports in order and format the code
	$(bin)/ruff check --select I --fix
	$(bin)/ruff format

lock: $(uv) ## Write requirements.lock after a change of dependencies; newer releases: make lock UPGRADE=--upgrade
	@# UV_NO_CONFIG and no index: nobody's mirror belongs in the lock.
	@# fewest: one release of each package for all Pythons, so that the demo has the same data everywhere.
	UV_NO_CONFIG=1 $(uv) pip compile pyproject.toml --quiet --all-extras --group dev --group servers --group benchmarks --universal \
	  --python-version 3.11 --fork-strategy fewest --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' $(UPGRADE) --output-file requirements.lock
	UV_NO_CONFIG=1 $(uv) pip compile --quiet --group fuzz --universal --python-version 3.11 --fork-strategy fewest \
	  --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(UPGRADE) --output-file tests/fuzz/requirements.lock

clean: ## Remove what make has made
	rm -rf $(VENV) $(fuzzing) .fuzz .peers .tools dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(stamp): requirements.lock pyproject.toml | $(uv)
	@$(find_python); test -x $(bin)/python || $(uv) venv --quiet --python "$$python" $(VENV)
	$(uv) pip sync --quiet --python $(bin)/python --require-hashes requirements.lock
	@# No build isolation: the lock holds the build's packages too, with their hashes.
	$(uv) pip install --quiet --python $(bin)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Each has an environment of its own, with the versions that it gets when it is installed alone.
.peers/%/.installed: benchmarks/peers/%.txt | $(uv)
	@$(find_python); $(uv) venv --quiet --clear --python "$$python" .peers/$*
	$(uv) pip install --quiet --python .peers/$*/bin/python --requirement $<
	@touch $@

# The library's own packages and atheris; pagefleet itself is read from here.
$(fuzzing)/.installed: requirements.lock tests/fuzz/requirements.lock | $(uv)
	@$(find_python); test -x $(fuzzing)/bin/python || $(uv) venv --quiet --python "$$python" $(fuzzing)
	$(uv) pip install --quiet --python $(fuzzing)/bin/python --require-hashes --constraint requirements.lock \
	  --constraint tests/fuzz/requirements.lock --extra markup --group fuzz -r pyproject.toml
	@touch $@

.tools/bin/uv:
	@$(find_python); "$$python" -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv
