//! One batch on its way: what is to be sent next, and what a reply makes of its rows. Pure; the engine sends and waits.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use salesforce_client::{
    Class, Failure, Fault, RecordId, Saved,
    retry::{self, Attempt, Decision, Policy},
};
use tokio::time::Instant;

use crate::{
    Error, Operation, codes,
    doors::Stuck,
    fields::Address,
    job,
    plan::Way,
    row::Row,
    target::Missing,
    verdict::{Verdict, verdict},
};

/// What is constant for a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) operation: Operation,
    pub(crate) way: Way,
    pub(crate) missing: Missing,
    /// Whether what a row is called by belongs to it alone, so that one made without an answer can be found.
    pub(crate) unique: bool,
    /// How long to wait when an allocation is used up.
    pub(crate) quota_pause: Duration,
}

/// A row of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) address: Address,
    /// What an insert with a key is called, by which it can be looked for.
    pub(crate) name: Option<crate::row::Cell>,
    pub(crate) row: Arc<Row>,
    /// Fields were left out after a refusal.
    repaired: bool,
    /// It may have been made without our knowing.
    unclear: bool,
}

impl Line {
    pub(crate) fn new(address: Address, name: Option<crate::row::Cell>, row: Row) -> Line {
        Line { address, name, row: Arc::new(row), repaired: false, unclear: false }
    }
}

/// What is to be done next; numbers are those of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Send these rows.
    Write(Vec<usize>),
    /// Ask for the Ids of these records, by what they are called.
    Resolve(Vec<usize>),
    /// Ask whether these were made.
    Look(Vec<usize>),
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Applied { id: Option<RecordId>, created: bool },
    Rejected { code: String, message: String, fields: Vec<String> },
}

impl Settled {
    fn rejected(code: &str, message: impl Into<String>) -> Settled {
        Settled::Rejected { code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    fn refused(faults: &[Fault]) -> Settled {
        let Some(first) = faults.first() else { return Settled::rejected("UNKNOWN", "no reason was given") };
        let more = faults[1..].iter().map(|fault| format!("; {fault}"));
        let message = std::iter::once(first.message.clone()).chain(more).collect();
        let fields = faults.iter().flat_map(|fault| fault.fields.iter().cloned()).collect();
        Settled::Rejected { code: first.code.clone(), message, fields }
    }
}

/// What a reply came to, beside what is to be done next.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) settled: Vec<(usize, Settled)>,
    /// Fields that this operation cannot write after all.
    pub(crate) learned: Vec<String>,
    /// Calls got into each other's way.
    pub(crate) congested: bool,
    /// An allocation of the org is used up, in Salesforce's words.
    pub(crate) exhausted: Option<String>,
}

/// One batch on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) terms: Terms,
    pub(crate) lines: Vec<Line>,
    /// Errands, each with the most lines of a call.
    todo: VecDeque<(usize, Errand)>,
    /// The most lines of a call to which nothing has happened yet.
    most: usize,
    attempt: u32,
    begun: Instant,
    /// Time that the org was out of calls: it is no attempt's fault.
    excused: Duration,
    /// Not before then.
    pub(crate) wake: Instant,
}

/// The most rows of a call that is no job.
const MOST_ROWS: usize = salesforce_client::write::MOST_ROWS;

/// Rows of a call after a refusal that asks for fewer.
fn fewer(rows: usize) -> usize {
    match rows {
        51.. => 50,
        11.. => 10,
        _ => 1,
    }
}

impl Delivery {
    pub(crate) fn new(terms: Terms, lines: Vec<Line>, now: Instant) -> Delivery {
        let all: Vec<usize> = (0..lines.len()).collect();
        // Only a single row can be updated or deleted by what others call it.
        let by_key = lines.iter().any(|line| matches!(line.address, Address::Key(_)));
        let resolve =
            by_key && terms.way != Way::Single && matches!(terms.operation, Operation::Update | Operation::Delete);
        let first = if resolve { Errand::Resolve(all) } else { Errand::Write(all) };
        Delivery {
            most: lines.len().max(1),
            terms,
            lines,
            todo: VecDeque::from([(usize::MAX, first)]),
            attempt: 0,
            begun: now,
            excused: Duration::ZERO,
            wake: now,
        }
    }

    /// What is to be done next; `None` when all is settled.
    pub(crate) fn next(&mut self) -> Option<Errand> {
        let (most, errand) = self.todo.pop_front()?;
        match errand {
            Errand::Write(mut lines) if lines.len() > most => {
                self.todo.push_front((most, Errand::Write(lines.split_off(most))));
                Some(Errand::Write(lines))
            }
            errand => Some(errand),
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.todo.is_empty()
    }

    /// Rows were sent, and answered one by one.
    pub(crate) fn written(
        &mut self,
        lines: &[usize],
        answers: Vec<Result<Saved, Vec<Fault>>>,
        policy: &Policy,
        now: Instant,
        roll: f64,
    ) -> Effects {
        let mut effects = Effects::default();
        // What a job leaves over is seldom worth another.
        self.leave_bulk();
        let (mut again, mut smaller, mut alone, mut look) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut refused = None;
        for (&line, answer) in lines.iter().zip(answers) {
            let faults = match answer {
                Ok(Saved { id, created }) => {
                    let id = id.or(match self.lines[line].address {
                        Address::Id(id) => Some(id),
                        _ => None,
                    });
                    effects.settled.push((line, Settled::Applied { id, created }));
                    continue;
                }
                Err(faults) => faults,
            };
            match verdict(&faults) {
                Verdict::LeaveOut(fields) if self.repair(line, &fields) => {
                    effects.learned.extend(fields);
                    again.push(line);
                    continue;
                }
                Verdict::Missing => {
                    effects.settled.push((line, self.missing(&faults)));
                    continue;
                }
                Verdict::Reject
                    if self.lines[line].unclear && faults.iter().any(|fault| fault.code == "DUPLICATE_VALUE") =>
                {
                    look.push(line);
                    continue;
                }
                Verdict::Reject | Verdict::LeaveOut(_) => {
                    effects.settled.push((line, Settled::refused(&faults)));
                    continue;
                }
                Verdict::Contended => {
                    effects.congested = true;
                    smaller.push(line);
                }
                Verdict::Twice => alone.push(line),
                Verdict::Passing => again.push(line),
                Verdict::Quota => {
                    effects.exhausted = faults.first().map(ToString::to_string);
                    again.push(line);
                }
            }
            refused = Some((line, faults));
        }
        if let Some((_, faults)) = refused {
            let waiting = [&again, &smaller, &alone].into_iter().flatten().copied().collect::<Vec<_>>();
            if !self.pause(&mut effects, policy, now, roll, None) {
                let settled = Settled::refused(&faults);
                effects.settled.extend(waiting.into_iter().map(|line| (line, given_up(&settled, self.attempt))));
                (again, smaller, alone) = (Vec::new(), Vec::new(), Vec::new());
            }
        }
        if !look.is_empty() {
            self.todo.push_front((usize::MAX, Errand::Look(look)));
        }
        for (most, lines) in [(self.most, again), (fewer(lines.len()), smaller), (1, alone)] {
            if !lines.is_empty() {
                self.todo.push_back((most, Errand::Write(lines)));
            }
        }
        effects
    }

    /// What is sent from now on goes by calls.
    fn leave_bulk(&mut self) {
        if self.terms.way == Way::Bulk {
            self.terms.way = Way::Collection;
            self.most = MOST_ROWS;
        }
    }

    /// Takes fields out of a row, once; whether there is something left to try.
    fn repair(&mut self, line: usize, fields: &[String]) -> bool {
        let line = &mut self.lines[line];
        let row = Arc::make_mut(&mut line.row);
        let found = fields.iter().filter(|field| row.leave_out(field)).count();
        !std::mem::replace(&mut line.repaired, true) && found > 0
    }

    fn missing(&self, faults: &[Fault]) -> Settled {
        match (self.terms.operation, self.terms.missing) {
            (Operation::Delete, Missing::Done) => Settled::Applied { id: None, created: false },
            _ => Settled::refused(faults),
        }
    }

    /// Sets the time of the next attempt; whether there is to be one. An org without calls is waited for, however long it takes.
    fn pause(
        &mut self,
        effects: &mut Effects,
        policy: &Policy,
        now: Instant,
        roll: f64,
        retry_after: Option<Duration>,
    ) -> bool {
        if effects.exhausted.is_some() {
            self.wake = now + self.terms.quota_pause;
            self.excused += self.terms.quota_pause;
            return true;
        }
        self.attempt += 1;
        let attempt = Attempt { number: self.attempt, renewals: 0, retry_after, roll };
        let elapsed = now.saturating_duration_since(self.begun).saturating_sub(self.excused);
        match retry::decide(Class::Retry, &attempt, elapsed, policy) {
            Decision::Again(pause) => {
                self.wake = now + pause;
                true
            }
            Decision::Renew | Decision::Stop => false,
        }
    }

    /// A call came to nothing as a whole.
    ///
    /// # Errors
    /// If no row is to blame, and waiting is no cure.
    pub(crate) fn failed(
        &mut self,
        errand: Errand,
        stuck: Stuck,
        policy: &Policy,
        now: Instant,
        roll: f64,
    ) -> Result<Effects, Error> {
        let mut effects = Effects::default();
        let Stuck { error, begun } = stuck;
        if begun {
            let object = error.object().map_or_else(|| "the org".to_owned(), ToString::to_string);
            return Err(Error::Call { object, source: Arc::new(error) });
        }
        let of_row = is_of_row(&error, self.terms);
        if self.terms.way == Way::Bulk && (of_row || job::is_closed(&error)) {
            self.leave_bulk();
            self.todo.push_front((self.most, errand));
            return Ok(effects);
        }
        let refusal = error.failure().and_then(Failure::refusal);
        let retry_after = refusal.and_then(|refusal| refusal.retry_after);
        let faults = refusal.map(|refusal| refusal.faults.clone()).unwrap_or_default();
        let object = || error.object().map_or_else(|| "the org".to_owned(), ToString::to_string);
        let class = match error.class() {
            // A job that was not closed has written nothing.
            Class::Unclear if self.terms.way == Way::Bulk => Class::Retry,
            class => class,
        };
        match (class, errand) {
            (Class::Wait, errand) => {
                effects.exhausted = Some(error.to_string());
                self.pause(&mut effects, policy, now, roll, None);
                self.todo.push_front((usize::MAX, errand));
            }
            // What is refused of a single row is refused as in a collection.
            (Class::Retry | Class::Fatal, Errand::Write(lines)) if of_row && lines.len() == 1 => {
                return Ok(self.written(&lines, vec![Err(faults)], policy, now, roll));
            }
            // One of them spoils the whole: fewer of them show which.
            (Class::Fatal, Errand::Write(lines)) if of_row => {
                self.todo.push_front((fewer(lines.len()), Errand::Write(lines)));
            }
            (Class::Retry, errand) => {
                effects.congested = faults.iter().any(|fault| fault.code == "REQUEST_LIMIT_EXCEEDED");
                if !self.pause(&mut effects, policy, now, roll, retry_after) {
                    let seconds = now.saturating_duration_since(self.begun).as_secs();
                    let (object, attempts) = (object(), self.attempt);
                    return Err(Error::GaveUp { object, seconds, attempts, source: Arc::new(error) });
                }
                self.todo.push_front((usize::MAX, errand));
            }
            (Class::Unclear, Errand::Write(lines)) => self.unclear(lines, &error, &mut effects),
            (_, _) => return Err(Error::Call { object: object(), source: Arc::new(error) }),
        }
        Ok(effects)
    }

    /// The reply to creates was lost. What can be found again is looked for; of the rest, somebody has to be told.
    fn unclear(&mut self, lines: Vec<usize>, error: &salesforce_client::Error, effects: &mut Effects) {
        let unique = self.terms.unique;
        let (look, lost): (Vec<usize>, Vec<usize>) =
            lines.into_iter().partition(|&line| unique && self.lines[line].name.is_some());
        for &line in &look {
            self.lines[line].unclear = true;
        }
        if !look.is_empty() {
            self.todo.push_front((usize::MAX, Errand::Look(look)));
        }
        let told = format!("{error}; the record may have been made all the same: look for it before it is sent again");
        effects.settled.extend(lost.into_iter().map(|line| (line, Settled::rejected(codes::UNCLEAR, told.clone()))));
    }

    /// The Ids of records were asked for: those of each line in its place.
    pub(crate) fn resolved(&mut self, lines: Vec<usize>, ids: Vec<Vec<RecordId>>) -> Effects {
        let mut effects = Effects::default();
        let mut found = Vec::new();
        for (line, ids) in lines.into_iter().zip(ids) {
            match *ids {
                [id] => {
                    self.lines[line].address = Address::Id(id);
                    found.push(line);
                }
                [] => {
                    let why = "no record has this key, or the user may not see it";
                    let fault =
                        Fault { code: codes::NOT_FOUND.to_owned(), message: why.to_owned(), fields: Vec::new() };
                    effects.settled.push((line, self.missing(&[fault])));
                }
                [..] => {
                    let why = format!("{} records have this key: {}", ids.len(), shown(&ids));
                    effects.settled.push((line, Settled::rejected(codes::SEVERAL, why)));
                }
            }
        }
        if !found.is_empty() {
            self.todo.push_front((self.most, Errand::Write(found)));
        }
        effects
    }

    /// It was asked whether creates had been carried out: what was found for each line, in its place.
    pub(crate) fn looked(&mut self, lines: Vec<usize>, ids: Vec<Vec<RecordId>>) -> Effects {
        let mut effects = Effects::default();
        let mut absent = Vec::new();
        for (line, ids) in lines.into_iter().zip(ids) {
            match ids.first() {
                Some(&id) => effects.settled.push((line, Settled::Applied { id: Some(id), created: true })),
                None => absent.push(line),
            }
        }
        if !absent.is_empty() {
            self.todo.push_front((self.most, Errand::Write(absent)));
        }
        effects
    }
}

fn shown(ids: &[RecordId]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = ids.iter().take(SHOWN).map(RecordId::as_str).collect();
    format!("{}{}", shown.join(", "), if ids.len() > SHOWN { ", …" } else { "" })
}

fn given_up(refused: &Settled, attempts: u32) -> Settled {
    match refused {
        Settled::Rejected { code, message, fields } => Settled::Rejected {
            code: code.clone(),
            message: format!("{message} (given up; attempts: {attempts})"),
            fields: fields.clone(),
        },
        settled @ Settled::Applied { .. } => settled.clone(),
    }
}

/// Whether a refusal of the whole call is about rows in it: their content, or a record that cannot be had. What is about the user, the
/// object or the org would refuse every other row as well.
fn is_of_row(error: &salesforce_client::Error, terms: Terms) -> bool {
    let Some(refusal) = error.failure().and_then(Failure::refusal) else { return false };
    let Some(code) = refusal.code() else { return false };
    match refusal.status.as_u16() {
        400 => !matches!(code, "INVALID_TYPE" | "UNSUPPORTED_API_VERSION" | "CLIENT_NOT_ACCESSIBLE_FOR_USER"),
        // Of a new row, and of many, it is the object or the field in the URL that is not there.
        300 | 404 => terms.way == Way::Single && terms.operation != Operation::Insert,
        403 => matches!(
            code,
            "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" | "ENTITY_IS_LOCKED"
        ),
        _ => code == "UNABLE_TO_LOCK_ROW",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salesforce_client::Refusal;

    use super::*;
    use crate::row::{Cell, Column};

    const TERMS: Terms = Terms {
        operation: Operation::Upsert,
        way: Way::Collection,
        missing: Missing::Done,
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
    async fn a_field_is_left_out_once_and_learned() {
        let now = crate::engine::now();
        let mut delivery = delivery(TERMS, 2, now);
        let lines = write(&mut delivery);
        let answers = vec![refused("INVALID_FIELD_FOR_INSERT_UPDATE", &["a"]), SAVED];
        let effects = delivery.written(&lines, answers, &policy(), now, 1.0);
        assert_eq!((effects.learned, effects.settled.len(), delivery.wake), (vec!["a".to_owned()], 1, now));
        assert_eq!(write(&mut delivery), [0]);
        assert_eq!(delivery.lines[0].row.shown(None).get(), r#"{"B":"x"}"#);
        let effects =
            delivery.written(&[0], vec![refused("INVALID_FIELD_FOR_INSERT_UPDATE", &["B"])], &policy(), now, 1.0);
        assert!(matches!(&effects.settled[..], [(0, Settled::Rejected { .. })]) && delivery.is_done());
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_but_not_while_the_org_has_no_calls() {
        let now = crate::engine::now();
        let mut delivery = delivery(TERMS, 1, now);
        let hours = now + Duration::from_secs(7_200);
        for at in [now, hours] {
            let lines = write(&mut delivery);
            let stuck = failure(403, "REQUEST_LIMIT_EXCEEDED", Class::Wait);
            let effects = delivery.failed(Errand::Write(lines), stuck, &policy(), at, 1.0).unwrap();
            assert!(effects.exhausted.is_some());
        }
        assert_eq!(delivery.wake, hours + TERMS.quota_pause);
        let lines = write(&mut delivery);
        let effects = delivery.written(&lines, vec![refused("UNABLE_TO_LOCK_ROW", &[])], &policy(), hours, 1.0);
        let [(0, Settled::Rejected { code, message, .. })] = &effects.settled[..] else { panic!("{effects:?}") };
        assert_eq!((code.as_str(), message.as_str()), ("UNABLE_TO_LOCK_ROW", " (given up; attempts: 1)"));
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
                            Errand::Resolve(_) => panic!("nothing to resolve"),
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
        fn every_line_is_settled_once(rows in 1_usize..260, dice in proptest::collection::vec(0_u8..8, 64), by_key in any::<bool>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().start_paused(true).enable_time().build().unwrap();
            let now = runtime.block_on(async { crate::engine::now() });
            let operation = if by_key { Operation::Update } else { Operation::Insert };
            let mut delivery = delivery(Terms { operation, ..TERMS }, rows, now);
            let mut settled = vec![0; rows];
            let mut dice = dice.into_iter().cycle();
            let mut roll = || dice.next().unwrap();
            for step in 0..20_000_u64 {
                let at = now + Duration::from_secs(step * 30);
                let Some(errand) = delivery.next() else { break };
                let ids = |count: u8| vec!["001000000000001AAA".parse().unwrap(); count.into()];
                let effects = match errand {
                    Errand::Resolve(lines) => {
                        let ids = lines.iter().map(|_| ids(roll() % 3)).collect();
                        delivery.resolved(lines, ids)
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
                for (line, _) in effects.settled { settled[line] += 1; }
            }
            prop_assert!(delivery.is_done(), "it never ends");
            prop_assert_eq!(settled, vec![1; rows]);
        }
    }
}
