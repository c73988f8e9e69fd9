//! What became of each recording: asked for and compared, or out of reach, and why.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::Fate::{NotAsked, Shown};
use crate::coverage::source_of;

/// What became of a recording.
enum Fate {
    /// A test asks for it and compares; in the spelling of `COVERAGE.md`.
    Shown(&'static str),
    /// There is nothing to ask, because …
    NotAsked(&'static str),
}

const ERRORS: Fate = Shown("recorded::errors");
const DESCRIBED: Fate = Shown("tests/org/recorded/describes.rs::whole");
const TOOLING: Fate = Shown("tests/org/recorded/describes.rs::kept_by_tooling");
const ROWS_IN_ERROR: Fate = Shown("tests/org/recorded/transcripts.rs::collections_with_errors");
const COUNTS: Fate = Shown("tests/org/recorded/transcripts.rs::counts");
const COMPOSITES: Fate = Shown("tests/org/recorded/transcripts.rs::composites");
const NO_CHANGE_EVENTS: Fate = NotAsked("change data capture is not imitated");
const NO_PUB_SUB: Fate = NotAsked("the Pub/Sub API is not imitated");
const NO_PLATFORM_EVENTS: Fate = NotAsked("platform events are not imitated");
const NO_TREES: Fate = NotAsked("composite trees are not imitated, and this is a request without a reply");
const QUERY_JOBS: Fate = Shown("bulk_query::as_recorded");

/// Every file named in the `ORIGIN.md` of `tests/fixtures` and `src/cometd/fixtures`.
const LEDGER: [(&str, Fate); 85] = [
    ("collections-allornone.json", Shown("recorded::all_or_none")),
    ("collections-row-errors.json", ROWS_IN_ERROR),
    ("composite-subrequest-404.json", COMPOSITES),
    ("describe-404.json", ERRORS),
    ("get-record-404.json", Shown("tests/org/recorded/transcripts.rs::records_not_found")),
    ("malformed-id.json", ERRORS),
    ("record-count-errors.json", COUNTS),
    ("session-expired-401.json", ERRORS),
    ("upsert-300-multiple.json", Shown("recorded::which_of_them")),
    ("write-invalid-field.json", ERRORS),
    // Signing in.
    ("error-refresh-expired.json", Shown("tests/org/recorded/signing_in.rs::refusals")),
    ("oauth-errors.json", Shown("tests/org/recorded/signing_in.rs::refusals")),
    ("password-grant-success.json", Shown("tests/org/recorded/signing_in.rs::token_replies")),
    ("identity.json", Shown("tests/org/recorded/signing_in.rs::identity")),
    ("soap-login.json", Shown("tests/org/recorded/signing_in.rs::soap_login")),
    ("error-invalid-password.json", NotAsked("an older spelling of `authentication failure`, which orgs say today")),
    // Descriptions.
    ("describe-global.json", Shown("recorded::describe_global")),
    ("describe/Account.json", DESCRIBED),
    ("describe/Case.json", DESCRIBED),
    ("describe/Contact.json", DESCRIBED),
    ("describe/Custom__c.json", DESCRIBED),
    ("describe/Event.json", DESCRIBED),
    ("describe/Lead.json", DESCRIBED),
    ("describe/Opportunity.json", DESCRIBED),
    ("describe/OpportunityContactRole.json", DESCRIBED),
    ("describe/Campaign.json", DESCRIBED),
    ("describe/Topic.json", DESCRIBED),
    ("describe/Lead-v36.json", DESCRIBED),
    ("describe/tooling-Campaign.json", TOOLING),
    ("describe/tooling-ContractLineItem.json", TOOLING),
    ("describe/tooling-Entitlement.json", TOOLING),
    ("describe/tooling-MessagingSession.json", TOOLING),
    ("describe/tooling-Opportunity.json", TOOLING),
    ("describe/tooling-PushTopic.json", TOOLING),
    ("describe/tooling-ServiceAppointment.json", TOOLING),
    ("describe/tooling-ServiceContract.json", TOOLING),
    ("describe/tooling-StreamingChannel.json", TOOLING),
    ("describe/tooling-Task.json", TOOLING),
    ("describe/tooling-User.json", TOOLING),
    ("describe/tooling-WorkOrder.json", TOOLING),
    ("describe/tooling-WorkOrderLineItem.json", TOOLING),
    ("simple_sf_schema.json", NotAsked("written by hand to test a converter: no org described it")),
    // Records and queries.
    ("get-deleted.json", Shown("recorded::replication")),
    ("get-updated.json", Shown("recorded::replication")),
    ("nifi-query.json", Shown("tests/org/recorded/records.rs::queried")),
    ("organization-record.json", Shown("tests/org/recorded/records.rs::organization")),
    ("records-contact-account.json", Shown("tests/org/recorded/records.rs::contacts_and_accounts")),
    ("transcripts/collections_crud.json", Shown("tests/org/recorded/transcripts.rs::collections")),
    ("transcripts/composite_ok.json", COMPOSITES),
    ("transcripts/record_count.json", COUNTS),
    ("transcripts/simple_upsert__rest.json", Shown("tests/org/recorded/transcripts.rs::upserts_by_email")),
    ("transcripts/updates_task.json", Shown("tests/org/recorded/transcripts.rs::updates_task")),
    (
        "transcripts/upsert_complex_external_id_field_rest__duplicate_error.json",
        Shown("tests/org/recorded/transcripts.rs::upserts_by_id"),
    ),
    ("transcripts/upsert_external_id_field.json", Shown("tests/org/recorded/transcripts.rs::upserts_by_bulk")),
    ("aggregate-query.json", Shown("recorded::groups")),
    ("composite-tree-request.json", NO_TREES),
    ("ebikes-lwc-Accounts.json", NO_TREES),
    ("ebikes-lwc-Product__cs.json", NO_TREES),
    // Events.
    ("pushtopic-created-pair.json", Shown("recorded::push_topic_events_of_creations")),
    ("pushtopic-lead-updated.json", Shown("recorded::push_topic_event")),
    ("avro-schema-platform-event-case__e.json", NO_PUB_SUB),
    ("cdc-cometd-create-custom.json", NO_CHANGE_EVENTS),
    ("cdc-gap-create.json", NO_CHANGE_EVENTS),
    ("cdc-pubsub-merged-update.json", NO_CHANGE_EVENTS),
    ("generic-event.json", NotAsked("generic events are not imitated")),
    ("platform-event.json", NO_PLATFORM_EVENTS),
    ("pubsub-status-unavailable.json", NO_PUB_SUB),
    ("pubsub_api.proto", NO_PUB_SUB),
    ("connect-401.json", Shown("src/cometd/tests/recorded.rs::connect_with_a_revoked_token")),
    (
        "connect-first-advice.json",
        Shown("src/cometd/tests/recorded.rs::first_connect_then_an_idle_one_then_a_lost_session"),
    ),
    ("connect-idle.json", Shown("src/cometd/tests/recorded.rs::first_connect_then_an_idle_one_then_a_lost_session")),
    (
        "connect-unknown-client.json",
        Shown("src/cometd/tests/recorded.rs::first_connect_then_an_idle_one_then_a_lost_session"),
    ),
    ("connect-with-event.json", Shown("src/cometd/tests/recorded.rs::connect_with_an_event")),
    ("handshake-401.json", Shown("src/cometd/tests/recorded.rs::handshake_with_a_revoked_token")),
    ("handshake-ok.json", Shown("src/cometd/tests/recorded.rs::handshake_ok")),
    ("subscribe-daily-limit.json", Shown("src/cometd/tests/recorded.rs::subscribe_beyond_the_daily_limit")),
    ("subscribe-ok.json", Shown("src/cometd/tests/recorded.rs::subscribe_ok")),
    (
        "subscribe-replay-invalid.json",
        Shown("src/cometd/tests/recorded.rs::subscribe_with_a_replay_id_out_of_retention"),
    ),
    ("subscribe-request-replay.json", Shown("src/cometd/message.rs::the_replay_map_is_looked_up_by_channel")),
    // The Bulk API.
    ("bulk/Account_bulk2_test.csv", Shown("bulk_ingest::other_peoples_data")),
    ("bulk/abort-error.json", QUERY_JOBS),
    ("bulk/query-job-created.json", QUERY_JOBS),
    ("bulk/query-job-info.json", QUERY_JOBS),
    ("bulk/query-results-page.http", QUERY_JOBS),
    ("v1-transcripts/upsert_external_id_field.json", NotAsked("version 1 of the Bulk API is not imitated")),
];

/// A recording that is added must be asked for, or its reason told.
#[test]
fn every_recording_has_a_fate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/fixtures", "src/cometd/fixtures"].map(|folder| root.join(folder));
    let mut named = BTreeSet::new();
    for folder in &folders {
        let origin = std::fs::read_to_string(folder.join("ORIGIN.md")).unwrap();
        let rows = origin.lines().filter_map(|line| line.strip_prefix("| `"));
        named.extend(rows.map(|row| row.split('`').next().unwrap().to_owned()));
    }
    let known: BTreeSet<String> = LEDGER.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(known, named, "the ledger and ORIGIN.md name the same files");
    for (file, fate) in &LEDGER {
        let is_here = folders.iter().any(|folder| folder.join(file).exists());
        match fate {
            Shown(test) => {
                let stem = file.rsplit('/').next().unwrap().trim_end_matches(".json");
                assert!(source_of(test).contains(stem), "{test} does not speak of {file}");
                assert!(is_here, "{file} is not here");
            }
            NotAsked(reason) => assert!(!is_here && !reason.is_empty(), "{file} is here, and nobody asks for it"),
        }
    }
    for folder in &folders {
        for file in files(folder) {
            let name = file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            assert!(name == "ORIGIN.md" || known.contains(&name), "{name} has no origin");
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
