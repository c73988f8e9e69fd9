//! The emulated org from outside: requests over HTTP, answers as snapshots and against recorded ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod administrator;
mod authorize;
mod binary;
mod bulk_ingest;
mod bulk_query;
mod client;
mod collections;
mod composite;
mod control;
mod coverage;
mod data_file;
mod describes;
mod faults;
mod field_types;
mod histories;
mod jwt;
mod large;
mod late;
mod login_host;
mod multipart;
mod oauth;
mod push_topics;
mod query;
mod recorded;
mod records;
mod replication;
mod schema;
mod soap;
mod streaming;
mod streams;
