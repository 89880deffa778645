# Two commands matter: `make demo` and `make test`. Each installs what it needs, into .venv and a cache folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER ?= onenode
export PYTHONPATH := tests

.DEFAULT_GOAL := help
.PHONY: help setup check lint types unit test demo bench chaos crashes fuzz soak sbom audit cluster cluster-down crds manifests dashboards screenshots lock clean

help: ## What there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## The virtual environment, from the locked and hashed requirements

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	scripts/venv $(PYTHON) $(VENV)
	@touch $@

check: lint types ## The fast inner loop: lint, types, unit tests, and the properties tried lightly
	HYPOTHESIS_PROFILE=quick $(BIN)/pytest -q tests/unit tests/property

lint: setup ## ruff, import-linter, yamllint, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint Dockerfile

types: setup ## mypy, strict
	$(BIN)/mypy

unit: setup ## Unit and property tests; every branch of the core must be covered
	$(BIN)/pytest -q tests/unit tests/property --cov=healthheartbeat.core --cov-branch --cov-fail-under=100

test: lint types unit ## Everything: all tiers, set-up included
	$(BIN)/python -m harness build
	$(BIN)/pytest -v --no-header tests/api tests/chaos tests/fuzz tests/cluster --cluster=$(CLUSTER)

demo: setup ## 97 bots: one dies, one hangs, one turns zombie, one crash-loops. On a cluster with CLUSTER=onenode|kind|current
	$(BIN)/python -m demo $(if $(filter command environment,$(firstword $(origin CLUSTER))),--cluster=$(CLUSTER))

bench: setup ## Figures: sweep of 97 bots, time from verdict to DELETE, cost of a probe
	$(BIN)/python -m bench

chaos: setup ## Faults injected into a real one-node cluster, with what was expected and seen. One of them: SCENARIO=BOT_CRASH
	$(BIN)/python -m chaos.scenarios $(SCENARIO)

crashes: setup ## Killed at each write, each call failing in each way, the leader frozen at each write (short form: in make test)
	CHAOS=long $(BIN)/pytest -v -s --no-header tests/chaos

fuzz: setup ## What bots, reports, pauses and statuses may hold, by a coverage-guided fuzzer, for MINUTES=10 in all
	$(BIN)/python -m fuzz $(if $(MINUTES),--minutes=$(MINUTES))

soak: setup ## 97 bots that die at random for MINUTES=60: nothing may grow, drift or be forgotten. The same again: SEED=…
	$(BIN)/python -m soak $(if $(MINUTES),--minutes=$(MINUTES)) $(if $(SEED),--seed=$(SEED))

sbom: setup ## Bill of materials of what the image holds (CycloneDX), into dist/
	scripts/sbom requirements/runtime.txt dist/sbom.json

audit: setup ## Known vulnerabilities of the locked requirements (asks the package index)
	scripts/audit requirements/runtime.txt

cluster: setup ## A real one-node Kubernetes cluster on this machine, without Docker
	$(BIN)/python -m harness up

cluster-down: setup ## End it and remove what it left
	$(BIN)/python -m harness down

crds: setup ## Render crds/ from the Python types
	$(BIN)/python -m healthheartbeat.api.crd > crds/healthheartbeats.gov.polytraders.io.yaml

manifests: setup ## Render manifests/install.yaml from the chart, and the chart's copies and table of values
	$(BIN)/python scripts/manifests
	$(BIN)/python scripts/prometheusrule > manifests/prometheus/prometheusrule.yaml

dashboards: setup ## Render the Grafana dashboards into the chart
	PYTHONPATH=scripts $(BIN)/python -m dashboards helm/healthheartbeat/dashboards

screenshots: setup ## Take the documents' pictures of the status page: 97 bots, one down
	$(BIN)/python -m screenshots docs/images

lock: ## Lock the requirements anew, with hashes, for every platform (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

clean: ## Remove the virtual environment and caches of tools (not the cluster's programs)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
