# syntax=docker/dockerfile:1
# One build, one small target per binary: docker build --target source-salesforce -t source-salesforce .
FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/build/target --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked -p source-salesforce -p materialize-salesforce -p salesforce-emulator \
    && mkdir /out \
    && cp target/release/source-salesforce target/release/materialize-salesforce target/release/salesforce-emulator /out/

FROM debian:bookworm-slim AS base
# Roots for TLS; nothing else is needed at run time.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 65532 --user-group --no-create-home nonroot
USER nonroot:nonroot

FROM base AS salesforce-emulator
COPY --from=build /out/salesforce-emulator /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/salesforce-emulator"]

FROM base AS materialize-salesforce
LABEL FLOW_RUNTIME_PROTOCOL=materialize
LABEL FLOW_RUNTIME_CODEC=json
WORKDIR /connector
COPY --from=build /out/materialize-salesforce /connector/
ENTRYPOINT ["/connector/materialize-salesforce"]

# Last, so that a build without --target makes the connector.
FROM base AS source-salesforce
LABEL FLOW_RUNTIME_PROTOCOL=capture
LABEL FLOW_RUNTIME_CODEC=json
WORKDIR /connector
COPY --from=build /out/source-salesforce /connector/
ENTRYPOINT ["/connector/source-salesforce"]
