# `make` alone prints this help. Everything sets itself up in $(VENV); nothing is done twice.

PYTHON ?= python3
VENV ?= .venv
# Where torch comes from; for the small CPU build: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

# Registry and version of the images, for containers and for Kubernetes: see deploy/k8s/base/images.env
include deploy/k8s/base/images.env
REGISTRY ?= $(DONNA_REGISTRY)
VERSION ?= $(DONNA_VERSION)
SERVICES := distiller finetuner predictor searcher profiler

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROTOS := $(wildcard protos/donna/v1/*.proto)

.DEFAULT_GOAL := help
.PHONY: help setup demo test wheel images push test-slow test-compose test-chaos test-fuzz check audit format protos release-protos docs clean bench-predict bench-search bench-improve bench-profile bench-distill bench-controls bench-scale bench-load

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "; print "usage: make TARGET\n"} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv (TORCH_INDEX chooses torch's build)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "DONNA needs Python 3.11 to 3.13, $(PYTHON) is %d.%d; set PYTHON=" % v)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch torchvision --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install --quiet --editable '.[local,dev]' --constraint constraints.txt
	@touch $@

demo: $(READY) ## Run all of DONNA on bundled data with this machine as the device
	$(BIN)/donna run examples/digits.yaml --output runs/digits

# One more than there are processors: many tests wait for processes that they started.
TEST_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

PYTEST := $(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

test: $(READY) ## Run the tests (TEST_WORKERS at a time)
	$(PYTEST)

test-slow: $(READY) ## Run the tests that take longest: bad days, fuzzing, all examples
	$(PYTEST) -m slow

check: $(READY) ## Run the linter with its security rules, the type checker, and look for secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy donna services bench
	git ls-files | grep -v -e _pb2 -e 'dashboard.json' -e '^docs/contract.md' | xargs $(BIN)/detect-secrets-hook \
	  --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString \
	  --exclude-lines 'secretName|secret:|from a file:|secret_key=|Makes random secrets'
	$(BIN)/pip check

audit: $(READY) ## Ask for known vulnerabilities of the pinned dependencies (needs a network)
	$(BIN)/python .ci/audit.py

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(READY) ## Generate donna/v1 from protos/
	$(BIN)/python -m grpc_tools.protoc -I protos --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

release-protos: $(READY) ## Freeze the contract of a release: what later changes are compared with
	$(BIN)/buf build protos --exclude-source-info --output protos/released.binpb

wheel: $(READY) ## Build dist/donna-*.whl: the SDK and the command, with extras for what runs services
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

images: ## Build the images of the five services (REGISTRY, VERSION, TORCH_INDEX)
	set -e; for service in $(SERVICES); do \
	  docker build --file services/$$service/Dockerfile --tag $(REGISTRY)/donna/$$service:$(VERSION) \
	    --build-arg VERSION=$(VERSION) --build-arg TORCH_INDEX=$(TORCH_INDEX) .; done

push: images ## Build the images and push them (REGISTRY, VERSION)
	set -e; for service in $(SERVICES); do docker push $(REGISTRY)/donna/$$service:$(VERSION); done

ENGINE ?= $(DONNA_CONTAINER_ENGINE)
test-compose: $(READY) ## Run all of DONNA in containers, and kill one in every phase (ENGINE=command that starts docker)
	DONNA_CONTAINER_ENGINE="$(ENGINE)" $(BIN)/pytest tests/compose -m compose -rs --override-ini timeout=5400

KILLS ?= 100
SEED ?= 1
test-chaos: $(READY) ## Run the pipeline under seeded SIGKILLs of everything (KILLS, SEED) and print the figures
	DONNA_CHAOS_KILLS=$(KILLS) DONNA_CHAOS_SEED=$(SEED) $(BIN)/pytest tests -m chaos -s --override-ini timeout=5400

FUZZ ?= 500
test-fuzz: $(READY) ## Send FUZZ hostile requests to each method, and as many texts and files to each parser
	DONNA_FUZZ=$(FUZZ) $(BIN)/pytest tests/trust -k fuzz -m slow --override-ini timeout=3600

docs: $(READY) ## Write the generated pages: docs/contract.md, docs/settings.md and docs/spec.md
	$(BIN)/python docs/contract.py
	$(BIN)/python docs/settings.py
	$(BIN)/python docs/spec.py

bench-predict: $(READY) ## Print architectures predicted per second, in process and over gRPC, as JSON
	$(BIN)/python -m bench.predict

bench-search: $(READY) ## Print the time of a search against pymoo alone, as JSON
	$(BIN)/python -m bench.search

bench-improve: $(READY) ## Print what rounds of improvement bring on the demo, as JSON
	$(BIN)/python -m bench.improve

bench-profile: $(READY) ## Print how repeatable and how costly measurements are, as JSON
	$(BIN)/python -m bench.profile

bench-distill: $(READY) ## Print the time of a library against one block at a time, as JSON
	$(BIN)/python -m bench.distill --options 24 48 96

bench-controls: $(READY) ## Print what library weights and distillation are worth (DATA=folder, ARGS=--train a --test b), as JSON
	$(BIN)/python -m bench.controls $(if $(DATA),--data-root $(DATA)) $(ARGS)

bench-scale: $(READY) ## Print what a full ImageNet library costs on 8, 64 and 512 GPUs, on paper, as JSON
	$(BIN)/python -m bench.scale

bench-load: $(READY) ## Print latencies under 100 clients and 200 watchers of each service, and a soak, as JSON
	$(BIN)/python -m bench.load

clean: ## Remove what was installed and built, but no results
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
