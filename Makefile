# The one task file. `make demo` and `make test` need python3 alone: they make .venv on demand.
PYTHON ?= python3
VENV   ?= .venv
RUN    := $(VENV)/bin/python
PIP    := $(RUN) -m pip install --disable-pip-version-check -c constraints.txt
export OMP_NUM_THREADS ?= 1

.PHONY: demo tutorial test quick lint format types docs bench compat aarch64 ci clean

demo: $(VENV)/.core          ## plan, apply, verify and report on three real models
	$(RUN) examples/quickstart.py

tutorial: $(VENV)/.core      ## the classic lesson on parameters, step by step
	$(RUN) examples/tutorial.py

test: $(VENV)/.dev           ## every test, doctests and examples included
	$(RUN) -m pytest -q -n 2

quick: $(VENV)/.dev          ## the tests that need no foreign models
	$(RUN) -m pytest -q -x -m "not models and not slow"

lint: $(VENV)/.dev
	$(RUN) -m ruff check . && $(RUN) -m ruff format --check .

format: $(VENV)/.dev
	$(RUN) -m ruff check --fix . ; $(RUN) -m ruff format .

types: $(VENV)/.dev
	$(RUN) -m mypy

docs: $(VENV)/.dev           ## warnings are errors; look at docs/_build/html/index.html
	$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/.dev          ## apply_init against torch.nn.init, in one table
	$(RUN) benchmarks/run.py

compat aarch64: $(VENV)/.dev ## under every torch and Python: long; the C extensions under qemu
	$(RUN) .ci/$@.py

ci:                          ## what CI runs: builds a wheel and tests that, in its own environments
	bash .ci/run

clean:
	rm -rf $(VENV) build dist docs/_build docs/_generated docs/recipes .ci/work .ci/work-aarch64 .ci/compat src/*.egg-info

# numpy, since torch opens with a warning where it is missing
$(VENV)/.core: pyproject.toml constraints.txt $(wildcard setup.py)
	@echo "making $(VENV) with torch and numpy: some 200 MB where pip finds a CPU build of torch,"
	@echo "and 2 to 3 GB where it brings CUDA libraries along; what is cached is not fetched again"
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) -e . numpy
	touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "adding what tests, docs and checks need: transformers, timm, Sphinx and others, some 400 MB"
	$(PIP) -e '.[test,models,docs,lint]'
	touch $@
