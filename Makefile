# make run: search programs for CartPole. make test: the whole suite; what needs learned perception is skipped and says so.
# make test-all: the same with learned perception (PyTorch). All set up what they need, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes -r requirements.lock

.PHONY: run test test-all lint docs audit clean

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

# The site, in docs/_build; a broken link or reference is an error.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build

# Known weaknesses of what is locked, in a virtual environment of its own; needs a way to the advisory service.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-extras.lock

$(VENV)/.core: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(LOCKED)
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.extras: $(VENV)/.core requirements-extras.lock
	$(LOCKED) -r requirements-extras.lock
	touch $@

$(VENV)/.vision: $(VENV)/.extras requirements-vision.lock
	$(LOCKED) -r requirements-vision.lock
	touch $@

$(VENV)/.docs: $(VENV)/.core requirements-docs.lock
	$(LOCKED) -r requirements-docs.lock
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-audit build docs/_build *.egg-info
