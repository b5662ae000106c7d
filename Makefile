# Two commands set everything up on a machine with Python >= 3.11 and make: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# What the tests write is small, much, and thrown away: in memory where there is room, so that they wait for no disk.
TEMP   ?= $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { found = 1 } END { print found ? "/dev/shm" : "/tmp" }')
PYTEST := pytest -n auto --dist worksteal
SITE   ?= build/site

.PHONY: run test coverage lint bench bench-growth docs openapi man format dist venv manual clean help

help:            ## what there is to make
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

run: venv        ## serve on 127.0.0.1:8080 by wsgi.ini
	$(BIN)/python app.py

test: $(VENV)/.dev ## all tests, two processes on each processor
	TMPDIR=$(TEMP) $(BIN)/python -m $(PYTEST) $(ARGS)

coverage: $(VENV)/.dev ## all tests, and which statements they run: fails below the figure in pyproject.toml
	$(BIN)/coverage erase
	TMPDIR=$(TEMP) $(BIN)/coverage run -m $(PYTEST) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

lint: $(VENV)/.dev ## ruff, mypy, spelling, banned phrases, and no truth values of XML elements
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python lint/element_truth.py app.py drivers xmpp_rest tests bench release
	$(BIN)/codespell app.py drivers xmpp_rest tests bench lint release docs deploy wsgi.ini *.md
	$(BIN)/python lint/phrases.py

format: $(VENV)/.dev ## mend what ruff can mend, and format the files that are changed
	$(BIN)/ruff check --fix-only --quiet .
	git diff --name-only --diff-filter=d -z HEAD -- '*.py' | xargs -0 --no-run-if-empty $(BIN)/ruff format

bench: $(VENV)/.dev ## speed beside mod_rest, mod_data_access (PROSODY_PLUGINS=…) and ejabberd: bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

bench-growth: $(VENV)/.dev ## what grows with what is stored, at 10^3, 10^5 and 10^6: bench/GROWTH.md
	$(BIN)/python -m bench.growth $(ARGS)

docs: $(VENV)/.dev ## the pages as a site in SITE (build/site), offline; a warning is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env -d build/doctrees docs $(SITE)

venv: $(VENV)/.run ## the virtual environment with the gateway and its console scripts in it

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "xmpp-rest needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.txt requirements-fast.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	@grep -v '^#' requirements-fast.txt | while read -r wanted; do \
		$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: "$$wanted" || echo "xmpp-rest does without $$wanted"; \
	done
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

manual: $(VENV)/.run ## write wsgi.ini and docs/settings.md anew from the table of settings
	$(BIN)/python -m xmpp_rest.config.manual ini > wsgi.ini.new && mv wsgi.ini.new wsgi.ini
	$(BIN)/python -m xmpp_rest.config.manual markdown > docs/settings.md

openapi: $(VENV)/.run ## write docs/openapi.json anew: all APIs in OpenAPI 3.1
	$(BIN)/python -m xmpp_rest.api.openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json

dist: $(VENV)/.dev ## build sdist and wheel into dist/, install and try them; refuses what is not a release
	$(BIN)/python -m release.dist

man: $(VENV)/.dev ## write the manual pages of docs/man and the completions of shells anew
	$(BIN)/python -m lint.manuals

clean:           ## remove the virtual environment and caches (never data/)
	rm -rf $(VENV) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache *.egg-info build dist
