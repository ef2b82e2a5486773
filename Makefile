# make demo   set up what is missing and run the whole story on this machine, then serve it until Ctrl-C
# make test   set up what is missing and run every check
# make screens pictures of the pages in each of their states, in build/screens
# None needs root. PHOTOS names a larger photo collection for the tests that want one.

PHOTOS ?= $(CURDIR)/../shared/data/photos
PYTEST_FLAGS ?=

# The first Python that is new enough and can make environments. Each candidate is run, not looked up: version
# managers leave names on the path that answer nothing.
PYTHON ?= $(firstword $(foreach p,python3.12 python3.13 python3.11 python3,$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(p))))

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test screens setup setup-dev chromium constraints golden clean

demo: .venv/.installed
	$(BIN)/hibs demo

test: .venv/.installed-dev chromium
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	# The cores are shared by as many test processes: threads of matrix products in each would wait for each other.
	# Compiled modules are kept, whatever the environment says: the tests start hibs many hundred times.
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 PHOTOS="$(PHOTOS)" $(BIN)/python -m pytest --numprocesses auto --dist worksteal $(PYTEST_FLAGS)

screens: .venv/.installed-dev chromium
	$(BIN)/python benchmarks/screens.py build/screens

setup: .venv/.installed
setup-dev: .venv/.installed-dev

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no usable Python 3.11 or newer found; on Debian: sudo apt-get install python3 python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv .venv || { echo "make: $(PYTHON) could not make .venv; is the disk full or this folder read-only?" >&2; exit 2; }

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing into .venv (a minute or so, once)"
	@$(INSTALL) -e . || { echo "make: pip could not install the project; is a package index reachable?" >&2; exit 2; }
	@touch $@

.venv/.installed-dev: .venv/.installed
	@$(INSTALL) -e '.[dev]' || { echo "make: pip could not install the test tools; is a package index reachable?" >&2; exit 2; }
	@touch $@

# The browser tests want Debian's Chromium. It is installed only where no question has to be asked.
chromium:
	@command -v chromium >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
	  && echo "installing Chromium from Debian's packages" \
	  && apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null 2>&1; } \
	  || echo "make: Chromium is missing, so the browser tests are skipped; sudo apt-get install chromium brings it" >&2

# Pins for every supported Python, without the name of any index. Needs a Python 3.11 and a Python 3.12.
PYTHON311 ?= python3.11
PYTHON312 ?= python3.12
constraints: export LC_ALL = C
constraints: build/pins-3.11.txt build/pins-3.12.txt
	@{ echo "# Written by make constraints."; comm -12 $^; \
	  comm -23 $^ | sed 's/$$/; python_version < "3.12"/'; \
	  comm -13 $^ | sed 's/$$/; python_version >= "3.12"/'; } > constraints.txt

build/pins-3.11.txt build/pins-3.12.txt: build/pins-%.txt: pyproject.toml
	rm -rf build/pins-$* && mkdir -p build && $(PYTHON$(subst .,,$*)) -m venv build/pins-$*
	build/pins-$*/bin/python -m pip install --quiet '.[dev,bench]'
	build/pins-$*/bin/python -m pip freeze --exclude haveibeenscraped | sort > $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
