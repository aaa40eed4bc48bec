# make demo | test | lint | bench | bench-train | install | clean      RUNTIME=cpu (default) or gpu
PYTHON ?= $(shell command -v python3.11 || echo python3)
# torch's own wheel index for CPU builds, where its default build would bring gigabytes of CUDA.
TORCH_INDEX ?=

VENV := .venv
# What is installed stays, until another RUNTIME is asked for.
RUNTIME ?= $(if $(wildcard $(VENV)/.installed-gpu),gpu,cpu)
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(RUNTIME)
OTHER_RUNTIME := $(if $(filter gpu,$(RUNTIME)),cpu,gpu)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test lint format bench bench-train install install-synthesis clean

demo: install data/test
	DEMIX_SYSTEM=starter $(BIN)/python predict.py
	@# Once more, for what a report tells beside the challenge's score.
	@$(BIN)/demix evaluate data/test -o data/results --metrics global > /dev/null
	@$(BIN)/demix report data/results/starter

test: install
	$(BIN)/python -m pytest --cov --cov-report=term

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hours; BENCH= gives options, such as --resume: `python -m benchmarks --help` lists them.
bench: install
	$(BIN)/python -m benchmarks $(BENCH)

# Minutes; BENCH= gives options: `--device cuda` measures a GPU.
bench-train: install
	$(BIN)/python -m benchmarks.training $(BENCH)

# The demo songs are kept as FLAC stems; the challenge's layout is WAV files with the mixture.
data/test: install data/songs
	$(BIN)/python -m evaluator.demo_songs data/songs data/test
	@touch data/test

install: $(STAMP)

# What `python -m training.synthesis` needs from Python; pyworld is compiled, so it needs g++.
install-synthesis: install
	$(PIP) install $(INDEX) --editable '.[$(RUNTIME),synthesis]'

$(STAMP): pyproject.toml | $(BIN)/pip
	@# onnxruntime and onnxruntime-gpu overwrite each other's files.
	@test ! -e $(VENV)/.installed-$(OTHER_RUNTIME) || \
		$(PIP) uninstall --yes onnxruntime onnxruntime-gpu
	$(PIP) install $(INDEX) --editable '.[$(RUNTIME),score,train,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

# Debian has Python without the package that makes virtual environments; virtualenv needs only pip.
$(BIN)/pip:
	@command -v $(PYTHON) > /dev/null || \
		{ echo 'error: no $(PYTHON): give PYTHON=, a Python 3.11 or later' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) > /dev/null 2>&1 || { rm -rf $(VENV); \
		$(PYTHON) -m pip --quiet install --target build/virtualenv virtualenv && \
		PYTHONPATH=build/virtualenv $(PYTHON) -m virtualenv --quiet $(VENV); } || \
		{ rm -rf $(VENV); echo 'error: $(PYTHON) has neither venv nor pip: install one of' \
		'python3-venv and python3-pip, or give PYTHON= another Python' >&2; exit 1; }

clean:
	rm -rf $(VENV) data/test data/results evaluator_outputs separated .coverage .mypy_cache .pytest_cache .ruff_cache build *.egg-info
