//! How an org behaves, as data: requests and the replies they are owed, in `cases/*.yaml`.
//!
//! The cases run against an emulator that is started for them. With `SALESFORCE_URL` and credentials in the environment they
//! run against that org instead; see the README of the crate. Whatever they create bears a prefix and is deleted in the end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod case;
mod pattern;
mod run;
mod target;

use std::collections::BTreeSet;
use std::process::Command;

use salesforce_emulator::{Config, Emulator};

use self::case::Case;
use self::run::{PREFIX, run};
use self::target::{SWEPT, variable};

/// One test for each file.
macro_rules! files {
    ($($file:ident)*) => {
        $(
            #[tokio::test]
            async fn $file() {
                run(stringify!($file)).await;
            }
        )*

        const FILES: &[&str] = &[$(stringify!($file)),*];
    };
}

files! {
    batch_and_composite
    collections
    describes
    oauth
    push_topics
    queries
    records
    refused_queries
    refused_writes
    replication
    resources
    streaming
    time
    upserts
}

#[test]
fn every_file_has_its_test_and_every_case_its_name() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour/cases");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, FILES.iter().map(|file| (*file).to_owned()).collect());
    let cases: Vec<Case> = FILES.iter().flat_map(|file| Case::load(file)).collect();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases share a name");
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    assert!(cases.iter().all(|case| !case.authority.is_empty()));
}

/// Pointed at an org by its address, here that of another emulator: the cases pass, those that need to command the org
/// are left out, and nothing stays behind.
#[tokio::test(flavor = "multi_thread")]
async fn pointed_at_an_org() {
    if variable("SALESFORCE_URL").is_some() {
        return;
    }
    let emulator = Emulator::start(Config { seed: 7, ..Config::default() }).await.unwrap();
    let credentials = emulator.credentials();
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--nocapture")
        .envs([
            ("SALESFORCE_URL", emulator.url()),
            ("SALESFORCE_CLIENT_ID", &credentials.client_id),
            ("SALESFORCE_CLIENT_SECRET", &credentials.client_secret),
            ("SALESFORCE_REFRESH_TOKEN", &credentials.refresh_token),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
    assert!(said.contains("left out: "), "{said}");
    for (object, _) in SWEPT {
        let left = String::from_utf8(emulator.org().records(object, false).unwrap()).unwrap();
        assert!(!left.contains(PREFIX), "{object}: {left}");
    }
    assert!(emulator.org().calls().values().sum::<u64>() > 300);
    emulator.shutdown().await;
}
