# Each target is a function of tools/make.py; `make help` lists them. PYTHON names the Python to build on; ARGS go to the target.
PYTHON ?=
RUNNER = $(or $(PYTHON),python3)
TARGETS = setup dev run test lint types laws windows soak bench golden-update docs fmt lock help

.DEFAULT_GOAL := test
.PHONY: $(TARGETS)
export PYTHON

$(TARGETS):
	@command -v $(RUNNER) >/dev/null || { echo "set-up stopped: $(RUNNER) is not on the path; install Python 3.11 or newer, or name one with PYTHON=/path/to/python3" >&2; exit 2; }
	@$(RUNNER) -m tools.make $@ $(ARGS)
