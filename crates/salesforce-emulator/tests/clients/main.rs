//! Clients that others have written, against the emulated org: jsforce, CometD's own client for JavaScript, and
//! simple-salesforce. Each test plays a script of this folder; its snapshot lists the calls and what came of them.
//!
//! Where Node or Python is missing, the tests say so and pass.

mod libraries;
mod script;

use salesforce_emulator::{Config, Settings};

/// An org whose time stands still, so that two runs tell the same.
fn still() -> Config {
    let frozen_at = Some("2026-01-01T00:00:00Z".parse().expect("a time"));
    Config { settings: Settings { frozen_at, ..Settings::default() }, ..Config::default() }
}

fn with_accounts(rows: u64) -> Config {
    Config { rows: vec![("Account".to_owned(), rows)], ..still() }
}

fn with_leads(rows: u64) -> Config {
    Config { rows: vec![("Lead".to_owned(), rows)], ..still() }
}

#[tokio::test]
async fn jsforce_signs_in() {
    let Some(told) = script::told("jsforce/sign_in.mjs", with_accounts(3)).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn jsforce_writes() {
    let Some(told) = script::told("jsforce/records.mjs", still()).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn jsforce_reads() {
    let Some(told) = script::told("jsforce/queries.mjs", with_accounts(5_000)).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn jsforce_listens() {
    let Some(told) = script::told("jsforce/streaming.mjs", still()).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn jsforce_moves_in_bulk() {
    let Some(told) = script::told("jsforce/bulk.mjs", with_leads(5_000)).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn cometd_listens() {
    let Some(told) = script::told("cometd/client.mjs", still()).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn simple_salesforce_signs_in() {
    // Its assertions bear the time of the real clock.
    let config = Config { settings: Settings::default(), ..with_accounts(3) };
    let Some(told) = script::told("python/sign_in.py", config).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn simple_salesforce_works() {
    let Some(told) = script::told("python/records.py", with_leads(5_000)).await else { return };
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn simple_salesforce_moves_in_bulk() {
    let Some(told) = script::told("python/bulk.py", with_leads(5_000)).await else { return };
    insta::assert_snapshot!(told);
}
