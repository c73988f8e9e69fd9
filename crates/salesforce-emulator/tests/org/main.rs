//! The emulated org from outside: requests over HTTP, answers as snapshots and against recorded ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod administrator;
mod archive;
mod authorize;
mod binary;
mod bulk_ingest;
mod bulk_query;
mod client;
mod collections;
mod composite;
mod control;
mod conversion;
mod coverage;
mod data_file;
mod deletion;
mod describes;
mod faults;
mod field_types;
mod histories;
mod jwt;
mod large;
mod late;
mod login_host;
mod lookups;
mod merge;
mod multipart;
mod oauth;
mod permissions;
mod push_topics;
mod query;
mod readme;
mod recorded;
mod records;
mod replication;
mod schema;
mod sharing;
mod soap;
mod soql;
mod soql_words;
mod streaming;
mod streams;
mod trouble;
mod two_orgs;
mod users;
