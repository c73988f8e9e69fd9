//! A capture from its first request to its end, as the runtime runs it.

use demo::runtime::{Capture, Patch, Session, merge_patch};
use salesforce_emulator::{Emulator, Settings};
use serde_json::json;

use super::{
    org::Org,
    program,
    task::{self, Task, id_of},
};

/// Objects of all sorts: wide ones whose rows are fetched and narrow ones whose events carry them, with people's names,
/// addresses, datetimes, times, numbers and long texts.
const STREAMS: [&str; 9] =
    ["Account", "Contact", "Lead", "Opportunity", "Case", "Campaign", "Task", "Custom__c", "Wide__c"];

#[tokio::test(flavor = "multi_thread")]
async fn history_and_every_kind_of_change_arrive() {
    let rows: Vec<(&str, u64)> = STREAMS.iter().map(|stream| (*stream, 60)).collect();
    let org = Org::start_with(1, &rows, Settings { query_page: 25, ..Settings::default() }).await;
    let mut task = Task::prepare(&org, &STREAMS).await;

    let mut running = task.open().await;
    running.until(|capture| capture.documents() > 0).await;
    // Among the pages of the history.
    org.change(&STREAMS, 300, 7).await;
    running.until_live().await;
    let report = org.change(&STREAMS, 300, 8).await;
    let kinds = [report.created, report.updated, report.deleted, report.undeleted];
    assert!(kinds.iter().all(|count| *count > 10), "{report:?}");
    running.agree(&org).await;
    running.end().await;

    task.assert_faithful(&org);
    for (index, binding) in task.capture.bindings().iter().enumerate() {
        let rows = task.capture.collection(index).rows();
        assert!(rows.len() > 30, "{}: {} rows", binding.stream(), rows.len());
        assert!(rows.values().any(|row| row["_meta"]["op"] == "c"), "{}", binding.stream());
    }
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_collections_open_a_session() {
    let org = Org::start(&[("Account", 3), ("Contact", 3)]).await;
    let task = Task::prepare(&org, &["Account", "Contact"]).await;
    let mut request = task.capture.open_request();
    let capture = &mut request["open"]["capture"];
    let mut linked = Vec::new();
    for (index, binding) in capture["bindings"].as_array_mut().expect("bindings").iter_mut().enumerate() {
        let binding = binding.as_object_mut().expect("a binding");
        linked.insert(0, binding.remove("collection").expect("a collection"));
        binding.insert("collectionIndex".to_owned(), json!(1 - index));
    }
    capture["linkedCollections"] = linked.into();

    let mut session = Session::open(&task.connector, &request, 2).await.expect("a session opens");
    let mut seen = [0; 2];
    while seen != [3, 3] {
        let group = session.group().await.expect("whole groups").expect("more groups");
        group.documents.iter().for_each(|captured| seen[captured.binding] += 1);
    }
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_of_one_org_have_their_own_topics() {
    let org = Org::start(&[("Account", 5), ("Custom__c", 5)]).await;
    let streams = ["Account", "Custom__c"];
    let mut one = Task::prepare_as("acmeCo/one", org.config(), &streams).await;
    let mut other = Task::prepare_as("acmeCo/other", org.config(), &streams).await;
    assert_eq!(org.topics().len(), 4);
    assert!(org.topics().iter().all(|name| name.starts_with("Sync") && name.len() <= 25), "{:?}", org.topics());

    let (mut first, mut second) = (one.open().await, other.open().await);
    first.until_live().await;
    second.until_live().await;
    org.change(&streams, 40, 3).await;
    first.agree(&org).await;
    second.agree(&org).await;
    first.end().await;
    second.end().await;
    one.assert_faithful(&org);
    other.assert_faithful(&org);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_may_be_repeated_and_removes_only_its_own_orphans() {
    let org = Org::start(&[]).await;
    let connector = program::connector();
    let capture = async |name: &str, streams: &[&str]| task::capture(&connector, name, org.config(), streams).await;
    org.create(
        "PushTopic",
        json!({ "Name": "Theirs", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0, "NotifyForFields": "All" }),
    );
    let other = capture("acmeCo/other", &["Account"]).await;
    other.apply(&connector).await.expect("it can be applied");

    let both = capture("acmeCo/one", &["Account", "Custom__c"]).await;
    let said = async |capture: &Capture| capture.apply(&connector).await.expect("it can be applied");
    let created = said(&both).await;
    assert_eq!(created.matches("created PushTopic Sync").count(), 2, "{created}");
    assert_eq!(said(&both).await, "", "nothing is left to do");
    let before = org.topics();
    assert_eq!(before.len(), 4);

    let deleted = said(&capture("acmeCo/one", &["Account"]).await).await;
    assert_eq!(deleted.matches("deleted PushTopic Sync").count(), 1, "{deleted}");
    let gone: Vec<&String> = before.iter().filter(|name| !org.topics().contains(name)).collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(deleted.contains(gone[0].as_str()), "{deleted}");

    said(&capture("acmeCo/one", &[]).await).await;
    assert_eq!(org.topics().len(), 2, "the other capture's topic and the administrator's stay");
    assert!(org.topics().contains(&"Theirs".to_owned()));
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_bindings_a_session_stays_open_and_idle() {
    let org = Org::start(&[("Account", 3)]).await;
    let mut task = Task::prepare(&org, &[]).await;
    let sign_ins = |org: &Emulator| org.org().calls().get("token").copied().unwrap_or_default();
    let before = sign_ins(org.emulator());
    let running = task.open().await;
    // It has signed in: there is nothing else to be done.
    org.replied_until(|org| sign_ins(org) > before).await;
    running.end().await;
    assert!(org.emulator().streaming().sessions().is_empty(), "who has nothing to stream needs no session");
    assert_eq!(task.capture.documents(), 0);
    assert_eq!(org.topics(), [""; 0]);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_stdin_ends_the_session_in_the_org_too() {
    let org = Org::start(&[("Account", 30)]).await;
    let mut task = Task::prepare(&org, &["Account"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    assert_eq!(org.emulator().streaming().sessions().len(), 1);
    running.end().await;
    assert_eq!(org.emulator().streaming().sessions(), []);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_resumes_where_the_last_one_ended() {
    let org = Org::start(&[("Account", 50), ("Custom__c", 50)]).await;
    let streams = ["Account", "Custom__c"];
    let mut task = Task::prepare(&org, &streams).await;
    task.catch_up(&org).await;
    let history = task.capture.documents();
    org.change(&streams, 30, 5).await;
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    let changes = task.capture.documents() - history;
    assert!(changes < 60, "{changes} documents for 30 changes: history was read again");
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_backfill_reads_one_binding_again() {
    let org = Org::start(&[("Account", 20), ("Custom__c", 20)]).await;
    let mut task = Task::prepare(&org, &["Account", "Custom__c"]).await;
    task.catch_up(&org).await;
    assert_eq!(task.capture.documents(), 40);
    task.capture.backfill(1);
    let mut running = task.open().await;
    running.until(|capture| capture.documents() >= 60).await;
    running.end().await;
    assert_eq!(task.capture.documents(), 60);
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// A sandbox that was refreshed is another org: its captures go on with a new backfill of every binding.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_backfill_of_all_may_begin_in_another_org() {
    let org = Org::start(&[("Account", 5)]).await;
    let mut task = Task::prepare(&org, &["Account"]).await;
    task.capture.backfill(0);
    let mut request = task.capture.open_request();
    request["open"]["state"] = json!({
        "version": 1,
        "org": "00D000000000001EAA",
        "bindingStateV1": { "Account.v0": { "replay": 7 } },
    });
    let session = Session::open(&task.connector, &request, 1).await.expect("a session opens");
    let mut running = task::Running::of(&mut task, session);
    running.until(|capture| capture.documents() == 5).await;
    running.end().await;
    assert_eq!(task.capture.state()["org"], org.emulator().org().org_id().as_str());
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_starts_at_the_start_date() {
    let org = Org::start(&[("Account", 20)]).await;
    let old = org.ids("Account");
    org.emulator().org().advance(std::time::Duration::from_secs(3600)).expect("the clock moves");
    let start = org.emulator().org().now();
    org.emulator().org().advance(std::time::Duration::from_secs(60)).expect("the clock moves");
    let fresh = org.create("Account", json!({ "Name": "fresh" }));
    let mut config = org.config();
    config["start_date"] = json!(start.to_string());
    let mut task = Task::prepare_as("acmeCo/salesforce", config, &["Account"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    org.update("Account", old[3], json!({ "Name": "changed" }));
    running.until(|capture| capture.collection(0).rows().len() == 2).await;
    running.end().await;
    let captured: Vec<&String> = task.capture.collection(0).rows().keys().collect();
    assert_eq!(captured, [old[3].as_str(), fresh.as_str()]);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_whole_and_the_state_is_theirs() {
    let org = Org::start_with(1, &[("Account", 90)], Settings { query_page: 20, ..Settings::default() }).await;
    let mut task = Task::prepare(&org, &["Account"]).await;
    let mut session = task.capture.open(&task.connector).await.expect("a session opens");
    let mut state = json!({});
    let mut last = String::new();
    let mut documents = 0;
    while documents < 90 {
        let group = session.group().await.expect("whole groups").expect("more groups");
        for captured in &group.documents {
            let id = id_of(&captured.document);
            assert!(id > last, "history comes in the order of ids");
            last = id;
        }
        documents += group.documents.len();
        if let Patch::Merge(patch) = group.patch {
            merge_patch::apply(&mut state, patch);
        }
        if !group.documents.is_empty() {
            let position = &state["bindingStateV1"]["Account.v0"];
            let after = position["reads"][0]["after"].as_str();
            assert!(
                after == Some(&last) || documents == 90,
                "{position}: the position is that of the last row, {last}"
            );
        }
    }
    org.shutdown().await;
}
