# The recipes of this repository. `.ci/run` calls `check`, `test` and a short demo.

default:
    @just --list

# Watch an emulated org arrive as Flow documents
demo *ARGS:
    cargo run --release -p demo -- {{ARGS}}

# All tests
test:
    cargo test --workspace

# Formatting, lints and documentation, without warnings
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Write the schemas in schemas/ anew after a change of the config types
schemas:
    UPDATE_SCHEMAS=1 cargo test -p e2e schemas

# Rows/s, CPU against the floor, latency and memory of backfill and events; then the emulated org's own rates. `just bench short`: a glance
bench *ARGS:
    cargo bench -p e2e --benches -- {{ARGS}}
    cargo bench -p salesforce-emulator --bench bulk --bench events

# The capture under trouble of every kind, for so many seeds; a seed that fails says so
trouble SEEDS="100..300":
    TROUBLE_SEEDS={{SEEDS}} cargo test --release -p e2e trouble:: -- --nocapture

# What a nightly run does besides
nightly: check test bench trouble
    cargo deny check
