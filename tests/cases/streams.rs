//! The documented streams, one by one: discovered, captured with every change that the object allows, each document valid against
//! the schema that `schema` prints, the collection equal to the org.

use salesforce_emulator::{Mix, Settings};
use serde_json::json;

use super::{
    org::Org,
    program,
    task::{Task, id_of},
    validator::assert_valid,
};

/// What rows of an object hang on.
const PARENTS: [(&str, &str); 4] = [
    ("ContractLineItem", "ServiceContract"),
    ("Entitlement", "Account"),
    ("QuoteLineItem", "Quote"),
    ("WorkOrderLineItem", "WorkOrder"),
];

/// How changes of an object are learned of, and which of its rows can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// A PushTopic announces its changes; rows are created, changed, deleted and undeleted.
    Streamed,
    /// Its changes are polled; rows are created and changed, never deleted.
    Polled,
    /// Its changes are polled; rows are written by changes of another object, and never change.
    History { of: &'static str },
}

async fn captures(stream: &str, nature: Nature) {
    let changed = match nature {
        Nature::History { of } => of,
        Nature::Streamed | Nature::Polled => stream,
    };
    let parent = PARENTS.iter().find(|(child, _)| *child == stream).map(|(_, parent)| (*parent, 5));
    let rows: Vec<_> = parent.into_iter().chain([(changed, 30)]).collect();
    let mix = match nature {
        // History rows go with their parent, and no query by date tells: what is deleted is not asked for here.
        Nature::History { .. } => Mix { delete: 0, undelete: 0, ..Mix::default() },
        Nature::Streamed | Nature::Polled => Mix::default(),
    };
    let org = Org::start_with(1, &rows, Settings { query_page: 20, ..Settings::default() }).await;
    let resource = json!({ "stream": stream, "interval": "PT1S" });
    let mut task = Task::prepare_bindings(org.config(), &[resource]).await;
    assert!(!task.capture.bindings()[0].disabled, "{stream} is proposed enabled");
    assert_eq!(org.topics().len(), usize::from(nature == Nature::Streamed));

    let mut running = task.open().await;
    running.agree(&org).await;
    org.change_by(mix, &[changed], 60, 5).await;
    running.agree(&org).await;
    let captured = std::mem::take(&mut running.captured);
    running.end().await;

    // While nobody listens.
    org.change_by(mix, &[changed], 40, 6).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    let captured: Vec<_> = captured.into_iter().chain(std::mem::take(&mut running.captured)).collect();
    running.end().await;
    task.assert_faithful(&org);

    let ops = |op: &str| captured.iter().filter(|captured| captured.document["_meta"]["op"] == op).count();
    let (created, updated, deleted) = (ops("c"), ops("u"), ops("d"));
    assert!(created > 0, "{stream}");
    assert_eq!(updated > 0, !matches!(nature, Nature::History { .. }), "{stream}: {updated} changed");
    assert_eq!(deleted > 0, nature == Nature::Streamed, "{stream}: {deleted} deleted");
    let ids: std::collections::BTreeSet<_> = captured.iter().map(|captured| id_of(&captured.document)).collect();
    assert!(ids.len() > 20, "{stream}: {} records", ids.len());

    let schema = program::schema(&org.config(), stream).await;
    assert_eq!(task.capture.sourced_schema(0), Some(&schema), "the session declares what the command prints");
    assert_valid(&schema, captured.iter().map(|captured| &captured.document));
    org.shutdown().await;
}

macro_rules! streams {
    ($($test:ident: $stream:literal is $nature:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            captures($stream, $nature).await;
        }
    )*};
}

streams! {
    account: "Account" is Nature::Streamed;
    campaign: "Campaign" is Nature::Streamed;
    case: "Case" is Nature::Streamed;
    contact: "Contact" is Nature::Streamed;
    contract_line_item: "ContractLineItem" is Nature::Streamed;
    entitlement: "Entitlement" is Nature::Streamed;
    lead: "Lead" is Nature::Streamed;
    lead_history: "LeadHistory" is Nature::History { of: "Lead" };
    live_chat_transcript: "LiveChatTranscript" is Nature::Streamed;
    messaging_session: "MessagingSession" is Nature::Streamed;
    opportunity: "Opportunity" is Nature::Streamed;
    opportunity_field_history: "OpportunityFieldHistory" is Nature::History { of: "Opportunity" };
    quote: "Quote" is Nature::Streamed;
    quote_line_item: "QuoteLineItem" is Nature::Streamed;
    service_appointment: "ServiceAppointment" is Nature::Streamed;
    service_contract: "ServiceContract" is Nature::Streamed;
    task: "Task" is Nature::Streamed;
    user: "User" is Nature::Polled;
    user_service_presence: "UserServicePresence" is Nature::Streamed;
    work_order: "WorkOrder" is Nature::Streamed;
    work_order_line_item: "WorkOrderLineItem" is Nature::Streamed;
}
