# Every command that the README and CI name. Each sets up what it needs.
BUILD := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PYTHON_ENV := $(BUILD)/python

# What `make fuzz` fuzzes and how long; the folder of its binaries' crate, and that of what it finds.
TARGET ?= message
SECONDS ?= 60
FUZZER := tests/fuzz/libfuzzer
FOUND := $(BUILD)/fuzz/$(TARGET)

# The component whose tasks a Python worker serves as well.
TWIN := $(BUILD)/guests/components/guest-twin.wasm

.PHONY: help demo test bench bench-mognet fuzz lint audit build clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Set up, build, and watch tasks run on a node with no server beside it
	@.ci/setup build
	cargo build --workspace --bin mogbox
	@MOGBOX=$(BUILD)/debug/mogbox CARGO_TARGET_DIR=$(BUILD) examples/demo.sh

build: ## Build the optimised binary
	@.ci/setup build
	cargo build --release --package mogbox

test: $(PYTHON_ENV)/ready ## Set up and run every test: units, suites, Mognet's client, and end to end
	cargo build --workspace --all-targets
	cargo test --workspace --doc
	cargo test --workspace --lib --bins
	cargo test --workspace --test conformance --test sandbox --test worker --test short
	MOGBOX=$(BUILD)/debug/mogbox TWIN=$(TWIN) $(PYTHON_ENV)/bin/python -m pytest --quiet tests/python
	MOGBOX=$(BUILD)/debug/mogbox PYTHON=$(PYTHON_ENV)/bin/python cargo test --workspace --test e2e

# More for `mogbox bench`, such as WHAT="drain --nodes 2 --threads 1" or WHAT=--full.
WHAT ?=

bench: ## Measure this machine: make bench, or make bench WHAT="drain latency --backend redis"
	@.ci/setup bench
	cargo build --release --package mogbox
	$(BUILD)/release/mogbox build . --package guest-bench --output $(BUILD)/bench --target-dir $(BUILD)
	cargo bench --package mogbox-runtime --bench engine
	$(BUILD)/release/mogbox bench $(WHAT) --module $(BUILD)/bench/guest-bench.wasm

bench-mognet: $(PYTHON_ENV)/ready ## Measure Mogbox beside Mognet's own worker over RabbitMQ, and how applications share a node
	cargo build --release --package mogbox
	$(BUILD)/release/mogbox build . --package guest-twin --output $(BUILD)/bench --target-dir $(BUILD)
	MOGBOX=$(BUILD)/release/mogbox TWIN=$(BUILD)/bench/guest-twin.wasm $(PYTHON_ENV)/bin/python tests/python/throughput.py
	$(BUILD)/release/mogbox build . --package guest-bench --output $(BUILD)/bench --target-dir $(BUILD)
	MOGBOX=$(BUILD)/release/mogbox BENCH=$(BUILD)/bench/guest-bench.wasm $(PYTHON_ENV)/bin/python tests/python/fairness.py

# tests/fuzz/src/targets lists the targets. No sanitizer: they make the engine slow to build, and clash with the memory that it reserves.
fuzz: ## Fuzz one target for a time: make fuzz TARGET=message SECONDS=60
	@.ci/setup fuzz
	@mkdir -p $(FOUND)/inputs
	MOGBOX_SEEDS=$(abspath $(FOUND)/inputs) CARGO_TARGET_DIR=$(BUILD)/fuzz/build \
		cargo fuzz run --fuzz-dir $(FUZZER) --sanitizer none --release --codegen-units 16 --no-cfg-fuzzing $(TARGET) $(FOUND)/inputs -- \
		-max_total_time=$(SECONDS) -timeout=60 -len_control=0 -rss_limit_mb=2048 -artifact_prefix=$(FOUND)/

lint: ## Formatting, clippy and documentation, with warnings as errors
	@.ci/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

audit: ## Licences, sources and known vulnerabilities of all dependencies
	@.ci/setup audit
	cargo deny check bans licenses sources
	cargo deny check advisories

# The real Mognet client, for the tests that talk to Mogbox through it.
$(PYTHON_ENV)/ready: tests/python/requirements.txt
	@.ci/setup test
	python3 -m venv $(PYTHON_ENV)
	$(PYTHON_ENV)/bin/pip install --quiet --requirement tests/python/requirements.txt
	@touch $@

clean: ## Remove what was built
	cargo clean
