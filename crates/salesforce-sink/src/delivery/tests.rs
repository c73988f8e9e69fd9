//! Replies, and what becomes of the rows.

use proptest::prelude::*;
use salesforce_client::Refusal;

use super::*;
use crate::row::{Cell, Column};

const TERMS: Terms = Terms {
    operation: Operation::Upsert,
    way: Way::Collection,
    missing: Missing::Done,
    restores: false,
    unique: true,
    quota_pause: Duration::from_secs(60),
};

fn policy() -> Policy {
    let (first_pause, longest_pause) = (Duration::from_secs(1), Duration::from_secs(60));
    Policy { first_pause, longest_pause, patience: Duration::from_secs(900), attempts: u32::MAX }
}

fn delivery(terms: Terms, rows: usize, now: Instant) -> Delivery {
    let line = |nth: usize| {
        let mut row = Row::default();
        for field in ["A", "B"] {
            let column = Column { field: field.parse().unwrap(), createable: true, parent: None };
            row.set(Arc::new(column), Cell::text("x"));
        }
        Line::new(Address::Key(Cell::text(nth.to_string())), Some(Cell::text(nth.to_string())), row)
    };
    Delivery::new(terms, (0..rows).map(line).collect(), now)
}

fn write(delivery: &mut Delivery) -> Vec<usize> {
    match delivery.next() {
        Some(Errand::Write(lines)) => lines,
        other => panic!("{other:?}"),
    }
}

fn refused(code: &str, fields: &[&str]) -> Result<Saved, Vec<Fault>> {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Err(vec![Fault { code: code.to_owned(), message: String::new(), fields }])
}

const SAVED: Result<Saved, Vec<Fault>> = Ok(Saved { id: None, created: false });

fn failure(status: u16, code: &str, class: Class) -> Stuck {
    let faults = match code {
        "" => Vec::new(),
        code => vec![Fault { code: code.to_owned(), message: String::new(), fields: Vec::new() }],
    };
    let status = status.try_into().unwrap();
    let refusal = Refusal { status, faults, page: None, request_id: None, retry_after: None };
    let action = salesforce_client::Action::Limits;
    Stuck::before(salesforce_client::Error::Call { action, class, failure: Arc::new(Failure::Refused(refusal)) })
}

#[tokio::test(start_paused = true)]
async fn locked_rows_are_sent_again_with_fewer_at_a_time() {
    let now = crate::engine::now();
    let mut delivery = delivery(TERMS, 200, now);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let lines = write(&mut delivery);
        sizes.push(lines.len());
        let effects =
            delivery.written(&lines, vec![refused("UNABLE_TO_LOCK_ROW", &[]); lines.len()], &policy(), now, 1.0);
        assert!(effects.congested && effects.settled.is_empty() && delivery.wake > now);
    }
    assert_eq!(sizes, [200, 50, 50, 50]);
    // The last fifty; then those that were locked among fifty, by ten; then one by one.
    let mut sizes = Vec::new();
    while let Some(Errand::Write(lines)) = delivery.next() {
        sizes.push(lines.len());
        let lock = if lines.len() > 1 { refused("UNABLE_TO_LOCK_ROW", &[]) } else { SAVED };
        delivery.written(&lines, vec![lock; lines.len()], &policy(), now, 1.0);
    }
    sizes.dedup();
    assert_eq!((sizes, delivery.is_done()), (vec![50, 10, 1], true));
}

#[tokio::test(start_paused = true)]
async fn fields_are_left_out_and_learned_while_others_are_left() {
    let now = crate::engine::now();
    let mut delivery = delivery(TERMS, 2, now);
    let lines = write(&mut delivery);
    let answers = vec![refused("INVALID_FIELD_FOR_INSERT_UPDATE", &["a"]), SAVED];
    let effects = delivery.written(&lines, answers, &policy(), now, 1.0);
    assert_eq!((effects.learned, effects.settled.len(), delivery.wake), (vec!["a".to_owned()], 1, now));
    assert_eq!(write(&mut delivery), [0]);
    assert_eq!(delivery.lines[0].row.shown(None).get(), r#"{"B":"x"}"#);
    let effects = delivery.written(&[0], vec![refused("INVALID_FIELD_FOR_INSERT_UPDATE", &["B"])], &policy(), now, 1.0);
    assert!(matches!(&effects.settled[..], [(0, Settled::Rejected { .. })]) && delivery.is_done());
}

#[tokio::test(start_paused = true)]
async fn patience_ends_but_not_while_the_org_has_no_calls() {
    let now = crate::engine::now();
    let mut delivery = delivery(TERMS, 1, now);
    let mut at = now;
    // Half an hour without calls, which is more than the patience.
    for _ in 0..30 {
        let lines = write(&mut delivery);
        let stuck = failure(403, "REQUEST_LIMIT_EXCEEDED", Class::Wait);
        let effects = delivery.failed(Errand::Write(lines), stuck, &policy(), at, 1.0).unwrap();
        assert!(effects.exhausted.is_some());
        assert_eq!(delivery.wake, at + TERMS.quota_pause);
        at = delivery.wake;
    }
    let lock = || vec![refused("UNABLE_TO_LOCK_ROW", &[])];
    let lines = write(&mut delivery);
    assert!(delivery.written(&lines, lock(), &policy(), at, 1.0).settled.is_empty());
    let lines = write(&mut delivery);
    let effects = delivery.written(&lines, lock(), &policy(), at + policy().patience, 1.0);
    let [(0, Settled::Rejected { code, message, .. })] = &effects.settled[..] else { panic!("{effects:?}") };
    assert_eq!((code.as_str(), message.as_str()), ("UNABLE_TO_LOCK_ROW", " (given up; attempts: 2)"));
}

/// What lies in the recycle bin is restored first; a row whose record cannot be is not written.
#[tokio::test(start_paused = true)]
async fn records_are_restored_before_they_are_written() {
    let now = crate::engine::now();
    for operation in [Operation::Upsert, Operation::Update] {
        let mut delivery = delivery(Terms { operation, restores: true, ..TERMS }, 3, now);
        let Some(Errand::Restore(lines)) = delivery.next() else { panic!("nothing is restored") };
        let refusal = refused("DUPLICATE_VALUE", &[]).unwrap_err();
        let effects = delivery.restored(lines, vec![Ok(()), Err(refusal), Ok(())]);
        assert!(matches!(&effects.settled[..], [(1, Settled::Rejected { code, .. })] if code == "DUPLICATE_VALUE"));
        let expect =
            if operation == Operation::Upsert { Errand::Write(vec![0, 2]) } else { Errand::Resolve(vec![0, 2]) };
        assert_eq!(delivery.next(), Some(expect));
    }
}

/// What a failure of a whole call comes to, by route.
#[tokio::test(start_paused = true)]
async fn failures_of_whole_calls() {
    let now = crate::engine::now();
    let mut table = String::new();
    for (status, code, class) in [
        (503, "SERVER_UNAVAILABLE", Class::Retry),
        (403, "REQUEST_LIMIT_EXCEEDED", Class::Wait),
        (400, "JSON_PARSER_ERROR", Class::Fatal),
        (400, "STRING_TOO_LONG", Class::Fatal),
        (400, "UNABLE_TO_LOCK_ROW", Class::Retry),
        (400, "INVALID_TYPE", Class::Fatal),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", Class::Fatal),
        (403, "API_DISABLED_FOR_ORG", Class::Fatal),
        (404, "NOT_FOUND", Class::Fatal),
        (300, "DUPLICATE_EXTERNAL_ID", Class::Fatal),
        (500, "", Class::Unclear),
        (401, "INVALID_SESSION_ID", Class::Reauthenticate),
        (400, "ExceededQuota", Class::Wait),
    ] {
        table += &format!("{status} {code} {class:?}\n");
        for (way, rows) in [(Way::Single, 1), (Way::Collection, 200), (Way::Bulk, 3_000)] {
            let operation = if class == Class::Unclear { Operation::Insert } else { Operation::Upsert };
            let mut delivery = delivery(Terms { way, operation, ..TERMS }, rows, now);
            let lines = write(&mut delivery);
            let outcome = delivery.failed(Errand::Write(lines), failure(status, code, class), &policy(), now, 1.0);
            let told = match outcome {
                Err(_) => "the sink fails".to_owned(),
                Ok(effects) if effects.exhausted.is_some() => "waits for the org".to_owned(),
                Ok(effects) if !effects.settled.is_empty() => format!("{} settled", effects.settled.len()),
                Ok(_) => {
                    let wait = if delivery.wake > now { "waits, " } else { "" };
                    match delivery.next().unwrap() {
                        Errand::Write(lines) => format!("{wait}sends {} by {:?}", lines.len(), delivery.terms.way),
                        Errand::Look(lines) => format!("{wait}looks for {}", lines.len()),
                        Errand::Resolve(_) | Errand::Restore(_) => panic!("nothing to resolve or restore"),
                    }
                }
            };
            table += &format!("  {way:?}: {told}\n");
        }
    }
    insta::assert_snapshot!(table);
}

proptest! {
    /// Whatever replies come, every line is settled once.
    #[test]
    fn every_line_is_settled_once(rows in 1_usize..260, dice in proptest::collection::vec(0_u8..8, 64), by_key in any::<bool>(), restores in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
        let now = runtime.block_on(async { crate::engine::now() });
        let operation = if by_key { Operation::Update } else { Operation::Insert };
        let mut delivery = delivery(Terms { operation, restores, ..TERMS }, rows, now);
        let (mut settled, mut places) = (vec![0; rows], (0..rows).collect::<Vec<_>>());
        let mut dice = dice.into_iter().cycle();
        let mut roll = || dice.next().unwrap();
        for step in 0..20_000_u64 {
            let at = now + Duration::from_secs(step * 30);
            let Some(errand) = delivery.next() else { break };
            let ids = |count: u8| vec!["001000000000001AAA".parse().unwrap(); count.into()];
            let effects = match errand {
                Errand::Restore(lines) => {
                    let outcomes = lines.iter().map(|_| if roll() == 0 { Err(Vec::new()) } else { Ok(()) }).collect();
                    delivery.restored(lines, outcomes)
                }
                Errand::Resolve(lines) if roll() == 0 => {
                    delivery.failed(Errand::Resolve(lines), failure(403, "REQUEST_LIMIT_EXCEEDED", Class::Wait), &policy(), at, 1.0).unwrap()
                }
                Errand::Resolve(lines) => {
                    let ids = lines.iter().map(|_| ids(roll() % 3)).collect();
                    let effects = delivery.resolved(lines, ids);
                    for (line, _) in &effects.settled { settled[places[*line]] += 1; }
                    if !effects.found.is_empty() {
                        places = effects.found.iter().map(|&line| places[line]).collect();
                        let lines = effects.found.iter().map(|&line| delivery.lines[line].clone()).collect();
                        delivery = Delivery::new(delivery.terms, lines, at);
                    }
                    continue;
                }
                Errand::Look(lines) => {
                    let ids = lines.iter().map(|_| ids(roll() % 2)).collect();
                    delivery.looked(lines, ids)
                }
                Errand::Write(lines) => match roll() {
                    0 => delivery.failed(Errand::Write(lines), failure(403, "REQUEST_LIMIT_EXCEEDED", Class::Wait), &policy(), at, 1.0).unwrap(),
                    1 => delivery.failed(Errand::Write(lines), failure(400, "JSON_PARSER_ERROR", Class::Fatal), &policy(), at, 1.0).unwrap(),
                    2 => delivery.failed(Errand::Write(lines), failure(500, "", Class::Unclear), &policy(), at, 1.0).unwrap(),
                    _ => {
                        let answers = lines.iter().map(|_| match roll() {
                            0 => refused("UNABLE_TO_LOCK_ROW", &[]),
                            1 => refused("STRING_TOO_LONG", &["A"]),
                            2 => refused("INVALID_FIELD_FOR_INSERT_UPDATE", &["A"]),
                            3 => refused("DUPLICATE_VALUE", &[]),
                            4 => refused("PROCESSING_HALTED", &[]),
                            _ => SAVED,
                        }).collect();
                        delivery.written(&lines, answers, &policy(), at, 1.0)
                    }
                },
            };
            for (line, _) in effects.settled { settled[places[line]] += 1; }
        }
        prop_assert!(delivery.is_done(), "it never ends");
        prop_assert_eq!(settled, vec![1; rows]);
    }
}
