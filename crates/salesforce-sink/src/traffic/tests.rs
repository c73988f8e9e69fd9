//! Sinks that share an org, which is scripted. Time is virtual.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use proptest::prelude::*;
use salesforce_client::Class;

use super::*;
use crate::{
    Operation::{Update, Upsert},
    Options, Route,
    plan::Way,
    scripted::{Asked, End, ScriptedOrg},
};

const MOMENT: Duration = Duration::from_millis(100);
const EXHAUSTED: End = End::Refused(403, "REQUEST_LIMIT_EXCEEDED", Class::Wait);

fn prompt() -> Options {
    Options { linger: Duration::ZERO, route: Route::Collections, ..Options::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However many sinks there are, and however calls end: together they never have more calls under way than allowed, and everything has
    /// its receipt.
    #[test]
    fn sinks_of_one_org_never_have_more_calls_under_way_than_allowed(
        calls in 1_usize..5,
        rows in proptest::collection::vec(0_usize..60, 1..4),
        script in proptest::collection::vec((0_u64..300, 0_u8..12), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
        runtime.block_on(async {
            let org = ScriptedOrg::new(move |nth, _| {
                let (pause, end) = script[nth % script.len()];
                let end = match end {
                    0 => End::Locked,
                    1 => End::Refused(503, "SERVER_UNAVAILABLE", Class::Retry),
                    2 => EXHAUSTED,
                    _ => End::Done,
                };
                // Not even a script of nothing but trouble goes on for ever.
                (Duration::from_millis(pause), if nth < 200 { end } else { End::Done })
            });
            let options = Options { batch_rows: 5, ..prompt() };
            let traffic = Traffic::new(calls);
            let sinks: Vec<_> = rows.iter().map(|_| org.sink("one of them", &traffic, &options)).collect();
            for (sink, rows) in sinks.iter().zip(&rows) {
                sink.submit(Upsert, 0..*rows).await;
            }
            for (mut sink, rows) in sinks.into_iter().zip(rows) {
                sink.sink.flush().await.unwrap();
                prop_assert_eq!(sink.settled(), (0..rows).collect::<Vec<_>>());
            }
            prop_assert!(org.most_at_once() <= calls, "{} calls", org.most_at_once());
            Ok(())
        })?;
    }
}

/// While one has more to send than there will ever be time for, another gets a place as soon as each of those who wait has had one.
#[tokio::test(start_paused = true)]
async fn a_sink_is_not_kept_waiting_by_an_endless_backlog() {
    for calls in 1..4 {
        let org = ScriptedOrg::new(|_, _| (MOMENT, End::Done));
        let traffic = Traffic::new(calls);
        let mut endless = org.sink("endless", &traffic, &Options { batch_rows: 1, ..prompt() });
        let mut other = org.sink("other", &traffic, &prompt());
        endless.submit(Upsert, 0..900).await;
        tokio::time::sleep(20 * MOMENT).await;
        for nth in 0..5 {
            // Not at the moment at which a call ends: places are taken.
            tokio::time::sleep(MOMENT / 3).await;
            let asked = crate::engine::now();
            other.submit(Upsert, [nth]).await;
            other.receipts.next().await.unwrap();
            let calls = org.calls();
            let its_call = calls.iter().rfind(|call| call.sink == "other").unwrap();
            // Of the places that become free, the other sink was to have the first.
            assert!(its_call.at - asked < 2 * MOMENT, "it has the second at the latest");
        }
        let left = 900 - endless.settled().len();
        assert!(left > 500, "the backlog has no end: {left}");
    }
}

/// Nobody takes the receipts of one sink, which is full and stands still. It holds no place, so that the other is free to write.
#[tokio::test(start_paused = true)]
async fn a_full_sink_keeps_no_place() {
    let org = ScriptedOrg::new(|_, _| (MOMENT, End::Done));
    let traffic = Traffic::new(1);
    let rows = org.sink("rows", &traffic, &Options { window_rows: 2, ..prompt() });
    let mut letters = org.sink("letters", &traffic, &prompt());
    let submitting = rows.submit(Upsert, 0..10);
    tokio::pin!(submitting);
    assert!(tokio::time::timeout(100 * MOMENT, &mut submitting).await.is_err(), "the window is full");
    letters.submit(Upsert, 0..3).await;
    tokio::time::timeout(100 * MOMENT, letters.sink.flush()).await.expect("a place").unwrap();
    assert_eq!(letters.settled(), [0, 1, 2]);
}

/// A sink that nobody wants any more, or that failed, leaves its places to the others.
#[tokio::test(start_paused = true)]
async fn places_are_given_back_however_a_sink_ends() {
    for end in [End::Never, End::Refused(403, "API_DISABLED_FOR_ORG", Class::Fatal)] {
        let org = ScriptedOrg::new(move |nth, _| (MOMENT, if nth == 0 { end } else { End::Done }));
        let traffic = Traffic::new(1);
        let ending = org.sink("ending", &traffic, &prompt());
        ending.submit(Upsert, 0..1).await;
        tokio::time::sleep(MOMENT / 2).await;
        let mut other = org.sink("other", &traffic, &prompt());
        other.submit(Upsert, 0..1).await;
        tokio::time::sleep(MOMENT / 4).await;
        assert_eq!(org.calls().len(), 1, "there is but one place");
        if end == End::Never {
            drop(ending);
        }
        tokio::time::timeout(100 * MOMENT, other.sink.flush()).await.expect("a place").unwrap();
        assert_eq!(other.settled(), [0]);
    }
}

/// One finds the org without calls: nobody asks it until the pause is over, and then one alone, until it answers. Whoever has something to
/// send meanwhile says that it waits.
#[tokio::test(start_paused = true)]
async fn a_pause_is_everybodys_and_one_finds_out_that_it_is_over() {
    // The first call, and the two that find out, are refused.
    let refused = AtomicUsize::new(0);
    let org = ScriptedOrg::new(move |_, _| match refused.fetch_add(1, Ordering::Relaxed) {
        0..3 => (MOMENT, EXHAUSTED),
        _ => (MOMENT, End::Done),
    });
    let options = Options { quota_pause: Duration::from_secs(60), batch_rows: 1, ..prompt() };
    let traffic = Traffic::new(4);
    let mut sinks = ["a", "b", "c"].map(|name| org.sink(name, &traffic, &options));
    let states = |sinks: &[crate::scripted::Scripted]| -> String {
        let states = sinks.iter().map(|sink| match &*sink.sink.state().borrow() {
            crate::State::Running => "running ",
            crate::State::Paused { .. } => "paused ",
            crate::State::Failed(_) => "failed ",
        });
        states.collect()
    };
    sinks[0].submit(Upsert, 0..1).await;
    tokio::time::sleep(2 * MOMENT).await;
    assert_eq!(states(&sinks), "paused running running ");
    sinks[1].submit(Upsert, 0..8).await;
    tokio::time::sleep(2 * MOMENT).await;
    assert_eq!(states(&sinks), "paused paused running ");
    for sink in &sinks {
        sink.sink.flush().await.unwrap();
    }
    assert_eq!((sinks[0].settled().len(), sinks[1].settled().len()), (1, 8));
    tokio::time::sleep(MOMENT).await;
    assert_eq!(states(&sinks), "running running running ");
    let calls = org.calls();
    let minutes = calls.iter().map(|call| call.at.duration_since(calls[0].at).as_secs() / 60).collect::<Vec<_>>();
    assert_eq!(minutes[..3], [0, 1, 2], "one call, and one after each pause");
    assert!(calls[4].at >= calls[3].at + MOMENT, "the others wait for the answer to the one that finds out");
    assert_eq!(calls.len(), 3 + 9);
}

/// Rows in wait for Ids: one question for all that wait, and then as many calls as hold them, side by side; or one job.
#[tokio::test(start_paused = true)]
async fn ids_are_asked_for_together() {
    let find = |keys: usize| vec![Asked::Find(keys)];
    let calls = |rows: &[usize]| rows.iter().map(|rows| Asked::Write(Way::Collection, *rows)).collect::<Vec<_>>();
    let job = |rows: usize| vec![Asked::Write(Way::Bulk, rows)];
    for (route, rows, expect) in [
        (Route::Collections, 1_001, [find(1_001), calls(&[200; 5]), calls(&[1])]),
        (Route::Collections, 2_100, [find(2_000), calls(&[200; 10]), [find(100), calls(&[100])].concat()]),
        (Route::Auto, 1_999, [find(1_999), calls(&[200; 9]), calls(&[199])]),
        (Route::Auto, 4_500, [[find(2_000), find(2_000)].concat(), find(500), job(4_500)]),
        (Route::Bulk, 3, [find(3), job(3), Vec::new()]),
    ] {
        let org = ScriptedOrg::new(|_, _| (100 * MOMENT, End::Done));
        let traffic = Traffic::new(1);
        // Everything waits while the only place is taken.
        let first = org.sink("first", &traffic, &prompt());
        first.submit(Upsert, [0]).await;
        tokio::time::sleep(MOMENT).await;
        let mut sink = org.sink("second", &traffic, &Options { route, ..prompt() });
        sink.submit(Update, 0..rows).await;
        sink.sink.flush().await.unwrap();
        assert_eq!(sink.settled().len(), rows);
        let asked: Vec<Asked> = org.calls()[1..].iter().map(|call| call.asked).collect();
        assert_eq!(asked, expect.concat(), "{rows} by {route:?}");
    }
}

/// Of several questions one fails: it is asked again, alone, and the job has every row.
#[tokio::test(start_paused = true)]
async fn a_question_for_ids_that_fails_is_asked_again() {
    for end in [End::Refused(503, "SERVER_UNAVAILABLE", Class::Retry), EXHAUSTED] {
        let org = ScriptedOrg::new(move |nth, _| (100 * MOMENT, if nth == 2 { end } else { End::Done }));
        let traffic = Traffic::new(1);
        // Everything waits while the only place is taken.
        let first = org.sink("first", &traffic, &prompt());
        first.submit(Upsert, [0]).await;
        tokio::time::sleep(MOMENT).await;
        let mut sink = org.sink("second", &traffic, &Options { route: Route::Bulk, ..prompt() });
        sink.submit(Update, 0..4_100).await;
        sink.sink.flush().await.unwrap();
        assert_eq!(sink.settled().len(), 4_100);
        let asked: Vec<Asked> = org.calls()[1..].iter().map(|call| call.asked).collect();
        let find = Asked::Find;
        assert_eq!(
            asked,
            [find(2_000), find(2_000), find(2_000), find(100), Asked::Write(Way::Bulk, 4_100)],
            "{end:?}"
        );
    }
}

/// Hours in which nobody may call are no reason to give a row up, whoever found out that they have begun.
#[tokio::test(start_paused = true)]
async fn a_pause_uses_up_nobodys_patience() {
    let org = ScriptedOrg::new(|nth, call| {
        let end = match (call.sink, nth) {
            ("locked", 0..20) => End::Locked,
            ("refused", 0..8) => EXHAUSTED,
            _ => End::Done,
        };
        (MOMENT, end)
    });
    let options = Options { quota_pause: Duration::from_secs(3_600), ..prompt() };
    let traffic = Traffic::new(2);
    let mut locked = org.sink("locked", &traffic, &options);
    let mut refused = org.sink("refused", &traffic, &options);
    locked.submit(Upsert, [0]).await;
    tokio::time::sleep(2 * MOMENT).await;
    refused.submit(Upsert, [1]).await;
    for sink in [&mut locked, &mut refused] {
        let outcome = sink.receipts.next().await.unwrap().outcome;
        assert!(matches!(outcome, crate::Outcome::Applied { .. }), "{outcome:?}");
    }
    let calls = org.calls();
    assert!(calls[calls.len() - 1].at - calls[0].at > Duration::from_secs(3_600), "there was a pause");
    assert!(calls.iter().rposition(|call| call.sink == "locked").unwrap() > 2, "{calls:?}");
}
