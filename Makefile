# make run: search programs for CartPole. make test: the whole suite. Both set up what they need, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test lint clean

run: $(VENV)/.core
	$(BIN)/run-agent --env cartpole --budget 20

test: $(VENV)/.extras
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.core
	$(BIN)/ruff check .

$(VENV)/.core: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.extras: $(VENV)/.core requirements-extras.lock
	$(PIP) install -r requirements-extras.lock
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
