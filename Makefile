# What people do with this repository. Everything needs Rust, make and a C compiler, and nothing else,
# unless its line says so.

CARGO ?= cargo
PYTHON ?= python3

# Where the Python environment and the Node packages of `test-sdk` are put.
SDK_VENV ?= target/sdk-venv
SDK_NODE ?= target/sdk-node
# The Python environment of `test-grpc`.
GRPC_VENV ?= target/grpc-venv
# The Python environment of `test-api`, and for how long that runs.
API_VENV ?= target/api-venv
DURATION ?= 60s

# What the catalogue is made of. The day and its revision become the catalogue's version: raise them
# with the others, so that a program with newer data knows it.
CATALOG_DATE ?= 2026-11-21
CATALOG_REVISION ?= 1
LITELLM ?= 1.109.1
GENAI_PRICES ?= 0.2.3

# What `fuzz` runs, and for how many seconds each.
TARGETS ?= records fernet access_keys grants requests streams dialect_requests dialect_answers dialect_streams
SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help run build servers test test-sdk test-grpc test-api fuzz check-deploy bench catalog check fmt

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

run: ## Build and start everything in one process; data goes to ./keyward-data
	$(CARGO) run --release -p keyward

build: ## Build the binary that the system tests run
	$(CARGO) build --workspace --bin keyward

# Tests start servers of their own from it; none that runs already is touched.
servers: ## Make sure that the programs of Postgres and Redis are there (as root, on Debian and its kin, installs them)
	scripts/find-servers

# One test holds a thousand connections at once, on both sides.
test: build servers ## Run the whole test suite (needs the programs of Postgres and Redis)
	$(CARGO) test --workspace --doc
	ulimit -Sn 8192 2>/dev/null || true; \
		$(CARGO) test --workspace --lib --bins --tests --no-fail-fast

test-sdk: build ## Run eight official SDKs and clients against a gateway (needs Python 3, Node 20, their registries)
	$(CARGO) build -p keyward-testkit --bin scripted-upstream
	PYTHON=$(PYTHON) SDK_VENV=$(SDK_VENV) SDK_NODE=$(SDK_NODE) scripts/test-sdk

test-grpc: build ## Run the documented client of gRPC against a gateway (needs Python 3.10 and a package index)
	$(CARGO) build -p keyward-testkit --bin scripted-upstream
	PYTHON=$(PYTHON) GRPC_VENV=$(GRPC_VENV) scripts/test-grpc

test-api: build ## Hold a gateway against its OpenAPI document, for DURATION=60s (needs Python 3 and a package index)
	PYTHON=$(PYTHON) API_VENV=$(API_VENV) DURATION=$(DURATION) scripts/test-api

fuzz: ## Fuzz what reads bytes of strangers, each target for SECONDS=300 (needs cargo-fuzz, C++, Python 3)
	PYTHON=$(PYTHON) scripts/fuzz $(SECONDS) $(TARGETS)

check-deploy: build ## Validate the image, compose, metrics and alerts (needs Python 3 and a package index)
	PYTHON=$(PYTHON) scripts/check-deploy

bench: postgres ## Measure the gateway beside a proxy that reads nothing, custody, and the ledger
	$(CARGO) build --release -p keyward -p keyward-bench
	$(CARGO) run --release -p keyward-bench -- suite
	$(CARGO) run --release -p keyward-bench -- audit
	$(CARGO) run --release -p keyward-bench -- custody
	$(CARGO) run --release -p keyward-bench -- ledger
	$(CARGO) run --release -p keyward-bench -- ledger --postgres private

catalog: ## Generate the catalogue's data anew (needs Python 3 and a package index)
	PYTHON=$(PYTHON) LITELLM=$(LITELLM) GENAI_PRICES=$(GENAI_PRICES) \
		scripts/catalog-sources target/catalog
	$(CARGO) run --package keyward-catalog-import -- \
		--litellm target/catalog/litellm.json --litellm-version $(LITELLM) \
		--genai-prices target/catalog/genai-prices.json --genai-prices-version $(GENAI_PRICES) \
		--date $(CATALOG_DATE) --revision $(CATALOG_REVISION) \
		--out shared/catalog/data/models.json --report target/catalog/report.txt

check: ## What must pass before a change goes in: formatting, lints, tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(MAKE) test

fmt: ## Format everything
	$(CARGO) fmt --all
