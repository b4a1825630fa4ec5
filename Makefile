# make run: search programs for CartPole. make test: the whole suite; what needs learned perception is skipped and says so.
# make test-all: the same with learned perception (PyTorch). All set up what they need, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-all lint clean

run: $(VENV)/.core
	$(BIN)/run-agent --env cartpole --budget 20

test: $(VENV)/.extras
	$(BIN)/python -m pytest -n auto

test-all: $(VENV)/.vision
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.extras
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.core: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.extras: $(VENV)/.core requirements-extras.lock
	$(PIP) install -r requirements-extras.lock
	touch $@

$(VENV)/.vision: $(VENV)/.extras requirements-vision.lock
	$(PIP) install -r requirements-vision.lock
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
