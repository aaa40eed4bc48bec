# make demo | test | lint | bench | install | clean      RUNTIME=cpu (default) or gpu
PYTHON ?= python3.11
RUNTIME ?= cpu
# torch's own wheel index for CPU builds, where its default build would bring gigabytes of CUDA.
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(RUNTIME)
PIP_FLAGS := --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test lint format bench install install-synthesis clean

demo: install data/test
	DEMIX_SYSTEM=starter $(BIN)/python predict.py

test: install
	$(BIN)/python -m pytest --cov --cov-report=term

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python -m benchmarks

# The demo songs are kept as FLAC stems; the challenge's layout is WAV files with the mixture.
data/test: install data/songs
	$(BIN)/python -m evaluator.demo_songs data/songs data/test
	@touch data/test

install: $(STAMP)

# What `python -m training.synthesis` needs from Python; pyworld is compiled, so it needs g++.
install-synthesis: install
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[$(RUNTIME),synthesis]'

$(STAMP): pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo 'error: no $(PYTHON): make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@test -x $(BIN)/python -a -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'error: $(PYTHON) cannot make virtual environments: install the package python3.11-venv' >&2; exit 1; }
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[$(RUNTIME),score,train,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $(STAMP)

clean:
	rm -rf $(VENV) data/test data/results separated .coverage .mypy_cache .pytest_cache .ruff_cache build *.egg-info
