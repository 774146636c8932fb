# Everything a person or CI runs. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= $(firstword $(foreach v,python3 python3.14 python3.13 python3.12 python3.11,$(if $(shell $v -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$v)))
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard contracts/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml))
NAMES := $(addprefix interlock-,$(subst _,-,$(notdir $(MEMBERS))))
BOOT := .interlock/boot
AUDIT := .interlock/audit
BIN := .venv/bin
STAMP := .venv/.installed
UV = $(shell uv --version >/dev/null 2>&1 && command -v uv || echo $(BOOT)/bin/uv)
LOCK = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11

# Python writes no compiled files where this is set, and Ray's head then starts too slowly for its own time limits.
unexport PYTHONDONTWRITEBYTECODE
# A project environment of the shell's would be changed instead of ours.
unexport VIRTUAL_ENV
export UV_PYTHON_DOWNLOADS := never
# Looking for plugins of pydantic among all packages takes every process a tenth of a second.
export PYDANTIC_DISABLE_PLUGINS := __all__
# Like pip, uv trusts whom the system trusts, a company's proxy for instance; the second is the name that uv < 0.10 knows.
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1

FAST_TESTS := $(wildcard tests/unit tests/contract tests/architecture)
# By the servers that they use: queues have fixed names, so what shares a broker runs one after another; the clients
# come last, for their gateway stays until the end.
STACK_TESTS := $(wildcard tests/security/test_stolen_*.py tests/security/test_attacks.py tests/e2e tests/browser)
LOCAL_TESTS := $(wildcard tests/integration/localstack tests/integration/trainer tests/deployment/ci)
GATEWAY_TESTS := $(wildcard tests/journey $(addprefix tests/integration/,artifacts benchmarks console gateway) tests/clients)
SERVICE_TESTS := $(filter-out $(LOCAL_TESTS) $(GATEWAY_TESTS),$(patsubst %/__init__.py,%,$(wildcard tests/integration/*/__init__.py)))
CHAOS_TESTS := tests/chaos/test_chaos.py
CRASH_TESTS := $(filter-out $(CHAOS_TESTS),$(wildcard tests/chaos/test_*.py))

# Tests on servers wait for a good part, so several kinds run side by side, the longest first. What only computes runs
# before: beside it Ray's workers, which have the least priority, would not get on.
DEPLOYMENT_TESTS := $(filter-out $(LOCAL_TESTS),$(patsubst %/__init__.py,%,$(wildcard tests/deployment/*/__init__.py)))
REAL := real-stack real-services real-gateway real-deployment real-chaos real-local real-crashes

# Debian packages that tests need besides what `interlock up` fetches by itself; installed when root, else named.
TEST_PACKAGES := wrk chromium-headless-shell prometheus nginx-light docker-registry groovy rsync podman buildah runc netavark aardvark-dns iptables mmdebstrap

.PHONY: help setup demo down test quick checks lint types contracts contracts-check unit security real real-stack real-services real-gateway real-deployment real-local real-crashes real-chaos clients images test-packages proto lock audit sbom bench trust bench-serving bench-reliability bench-parity bench-gate chaos

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 25

setup: $(STAMP) ## Make the environment in .venv: locked versions with hashes, our own packages editable

demo: $(STAMP) ## Run the whole story on real data, on this machine: a file goes in, a proven model serves
	$(BIN)/python -m interlock_cli demo

down: ## Stop everything that `make demo` or `interlock up` started, and nothing else
	@if [ -x $(BIN)/interlock ]; then $(BIN)/interlock down; fi

test: test-packages checks unit security real ## Run everything CI runs

quick: checks unit ## Inner loop: lint, types and the tests that need no server

checks: $(STAMP) ## Everything that is found without running the code: lint, types, contracts
	$(MAKE) --jobs=2 --keep-going --output-sync=target types lint contracts-check

lint: $(STAMP) ## Style, format and the boundaries between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --config pyproject.toml
	DENO_DIR=.interlock/deno DENO_NO_UPDATE_CHECK=1 $(BIN)/deno lint --quiet --config services/console/deno.json services/console/interlock_console/static

types: $(STAMP) ## mypy, strict, over every package and test
	$(BIN)/mypy $(MEMBERS) tests

contracts: $(STAMP) ## Write schemas, OpenAPI and AsyncAPI documents, docs/map.md and the table of decisions anew
	$(BIN)/python -m interlock_contracts.render
	$(BIN)/python -m interlock_deployment.render
	$(BIN)/python -m tests.support.openapi
	$(BIN)/python -m tests.support.immutable_files
	$(BIN)/python -m tests.support.decisions

contracts-check: $(STAMP) ## Fail when schemas or docs are not what the catalog says, or break what a release promised
	$(BIN)/python -m interlock_contracts.render --check
	$(BIN)/python -m interlock_deployment.render --check
	$(BIN)/python -m interlock_contracts.released

unit: $(STAMP)
	$(BIN)/pytest -q -n 2 --dist worksteal $(FAST_TESTS)

security: $(STAMP) ## Attack it: everything in tests/security that needs no server
	$(BIN)/pytest -q -n 2 -m "not e2e" tests/security

real: $(STAMP) ## Everything that needs real servers, three kinds of tests side by side
	$(MAKE) --jobs=3 --keep-going --output-sync=target $(REAL)

real-stack: $(STAMP)
	$(BIN)/pytest -q $(STACK_TESTS)

real-services: $(STAMP)
	$(BIN)/pytest -q $(SERVICE_TESTS)

real-gateway: $(STAMP)
	$(BIN)/pytest -q --servers=test-gateway $(GATEWAY_TESTS)

real-deployment: $(STAMP)
	$(BIN)/pytest -q $(DEPLOYMENT_TESTS)

real-local: $(STAMP)
	$(BIN)/pytest -q $(LOCAL_TESTS)

real-crashes: $(STAMP)
	$(BIN)/pytest -q $(CRASH_TESTS)

real-chaos: $(STAMP)
	$(BIN)/pytest -q $(CHAOS_TESTS)

trust: $(STAMP) ## Simulate lives of models whose retrains are never better, plant leaks, and publish what the gate and the check say
	$(BIN)/python -m tests.benchmarks.trust $(ARGUMENTS)
	$(BIN)/python -m tests.benchmarks.trust.leaks

bench: $(STAMP) ## Measure: throughput, latency, and the time from an event to the new version's first answer
	$(BIN)/pytest -q -s tests/benchmarks

bench-serving: $(STAMP) ## Serve beside eight other servers and write docs/results/serving.md; ARGUMENTS=--quick for less
	$(BIN)/python -m tests.benchmarks.serving run $(ARGUMENTS)

chaos: $(STAMP) ## Kill, pause and cut off services and servers for ten minutes under load, and count what is lost
	$(BIN)/python -m tests.chaos run $(or $(ARGUMENTS),--seconds 600 --events 10000)

bench-reliability: $(STAMP) ## Chaos, outages and a soak, written to docs/results/reliability.md; ARGUMENTS=--quick for less
	$(BIN)/python -m tests.benchmarks.reliability run $(ARGUMENTS)

bench-parity: $(STAMP) ## Ask 500 random pipelines in every way in, and write docs/results/parity.md; ARGUMENTS="--until 20 --results FILE" for less
	$(BIN)/python -m tests.benchmarks.parity run $(ARGUMENTS)

bench-gate: $(STAMP) ## Judge a million held-out rows of each task, and write docs/results/gate.md: seconds and memory
	$(BIN)/python -m tests.benchmarks.gate $(ARGUMENTS)

proto: $(STAMP) ## Write the gRPC messages anew from the protocol's definition
	cd services/gateway && ../../$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. interlock_gateway/protocols/open_inference.proto

images: $(STAMP) ## Build the container images, with Docker or Podman; ARGUMENTS=--base=IMAGE builds on another than python:3.11-slim
	$(BIN)/interlock images build $(ARGUMENTS)

clients: $(STAMP) ## Ask a gateway with other projects' own clients, each in an environment of its own
	$(BIN)/pytest -q tests/clients

audit: $(AUDIT)/ready ## Look every locked version up in the database of known weaknesses; needs the network
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements.lock

sbom: $(STAMP) $(AUDIT)/ready ## Write .interlock/sbom.cdx.json: what is locked and what is vendored, as CycloneDX
	$(AUDIT)/bin/cyclonedx-py requirements requirements.lock --output-reproducible --output-file .interlock/sbom.cdx.json
	$(BIN)/python -m tests.support.vendored

$(AUDIT)/ready: requirements.audit.lock $(BOOT)/ready
	@rm -rf $(AUDIT)
	$(UV) venv --quiet --python "$(PYTHON)" $(AUDIT)
	$(UV) pip sync --quiet --python $(AUDIT)/bin/python --require-hashes requirements.audit.lock
	touch $@

lock: $(BOOT)/ready ## Choose versions anew and write every lock file
	$(LOCK) --upgrade pyproject.toml --group pyproject.toml:dev $(addprefix --no-emit-package ,$(NAMES)) -o requirements.lock
	for tool in tests/clients/*/requirements.in tests/deployment/*/requirements.in; do $(LOCK) --upgrade $$tool -o $${tool%.in}.lock; done
	$(LOCK) --no-deps --upgrade tests/deployment/chart/programs.in -o tests/deployment/chart/programs.lock
	for client in tests/clients/*/package.json; do npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --prefix "$$(dirname "$$client")"; done
	echo 'uv>=0.9,<1' | $(LOCK) --upgrade - -o requirements.boot.lock
	printf 'pip-audit>=2.9\ncyclonedx-bom>=7\n' | $(LOCK) --upgrade - -o requirements.audit.lock

test-packages:
	@missing=$$(for name in $(TEST_PACKAGES); do dpkg -s "$$name" 2>/dev/null | grep -q '^Status: install ok installed' || echo "$$name"; done)
	if [ -z "$$missing" ]; then exit 0; fi
	if [ "$$(id -u)" != 0 ]; then
		echo "Some tests are skipped without: sudo apt-get install -y --no-install-recommends" $$missing >&2
		exit 0
	fi
	# Of prometheus, nginx and docker-registry only programs are wanted: no daemon is started, now or at the next boot.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
	fi
	apt-get -o Acquire::Retries=3 update -qq
	DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends $$missing
	for daemon in prometheus nginx docker-registry; do if [[ "$$missing" == *"$$daemon"* ]]; then systemctl disable --quiet "$$daemon" 2>/dev/null || true; fi; done

# uv: the one on PATH, else our own in a small environment.
$(BOOT)/ready: requirements.boot.lock
	@if uv --version >/dev/null 2>&1; then mkdir -p $(BOOT); touch $@; exit 0; fi
	if [ -z "$(PYTHON)" ]; then echo "Interlock needs Python 3.11 or newer: sudo apt-get install -y python3 python3-venv" >&2; exit 1; fi
	if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			apt-get -o Acquire::Retries=3 update -qq
			DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq python3-venv
		elif ! $(PYTHON) -m pip --version >/dev/null 2>&1; then
			echo "This Python has no ensurepip. Run this, then make again:" >&2
			echo "    sudo apt-get install -y python3-venv" >&2
			exit 1
		fi
	fi
	echo "Installing uv into $(BOOT)"
	rm -rf $(BOOT)
	if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then
		$(PYTHON) -m venv $(BOOT)
		$(BOOT)/bin/python -m pip install --quiet --require-hashes -r requirements.boot.lock
	else
		$(PYTHON) -m venv --without-pip $(BOOT)
		$(PYTHON) -m pip --python $(BOOT)/bin/python install --quiet --require-hashes -r requirements.boot.lock
	fi
	touch $@

KERNEL := libs/modeling/hatch_build.py $(wildcard libs/modeling/interlock_modeling/*.[ch] libs/modeling/interlock_modeling/engines/*.[ch])

$(STAMP): requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS)) $(KERNEL) $(BOOT)/ready
	@echo "Installing the locked packages into .venv"
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		$(UV) venv --quiet --clear --python "$(PYTHON)" .venv
	fi
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	touch $@
