# `make test` sets up what is missing and runs every check; each other target runs one of them.
SEEDS ?= 2000
TARGET ?= spec_parse
FUZZ_SECONDS ?= 60

help:      ## This list
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' Makefile | expand -t 12

test:      ## Everything: formats, lints, builds, tests, documentation, licences, advisories
	@.ci/test

demo:      ## Real hosts on this machine, a real etcd on them, a power cut; Kubernetes where its programs are; needs root
	@.ci/demo

build:     ## The program, optimised: target/release/keelson
	cargo build --release

lint:      ## Formats and lints alone
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

simulate:  ## Whole lives of clusters for many seeds: make simulate SEEDS=10000
	KEELSON_SEEDS=0..$(SEEDS) cargo nextest run --profile long --test main simulation

bench:     ## Benchmarks; docs/performance.md says what they measure
	cargo bench --bench keelson

bench-hosts: ## Benchmarks on real hosts out of namespaces; needs root
	cargo bench --bench hosts

fuzz:      ## One fuzz target for a while: make fuzz TARGET=saved_plan FUZZ_SECONDS=600
	RUSTC_BOOTSTRAP=1 cargo fuzz run $(TARGET) -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048

clean:     ## Remove what was built
	cargo clean

.PHONY: help test demo build lint simulate bench bench-hosts fuzz clean
