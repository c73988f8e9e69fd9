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
    settled::{Settled, told},
    target::Missing,
    verdict::{Verdict, is_of_row, verdict},
};

/// What is constant for a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) operation: Operation,
    pub(crate) way: Way,
    pub(crate) missing: Missing,
    /// Whether records are restored from the recycle bin before they are written.
    pub(crate) restores: bool,
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
    /// It may have been made without our knowing.
    unclear: bool,
}

impl Line {
    pub(crate) fn new(address: Address, name: Option<crate::row::Cell>, row: Row) -> Line {
        Line { address, name, row: Arc::new(row), unclear: false }
    }
}

/// What is to be done next; numbers are those of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Send these rows.
    Write(Vec<usize>),
    /// Restore those of these records that lie in the recycle bin.
    Restore(Vec<usize>),
    /// Ask for the Ids of these records, by what they are called.
    Resolve(Vec<usize>),
    /// Ask whether these were made.
    Look(Vec<usize>),
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
    /// Lines whose Ids are known now, when all of them have been asked for: they go on as batches of their own.
    pub(crate) found: Vec<usize>,
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
    /// Lines whose Ids are known while others' are still asked for.
    found: Vec<usize>,
    attempt: u32,
    begun: Instant,
    /// Time that the org was out of calls: it is no attempt's fault.
    excused: Duration,
    /// Not before then.
    pub(crate) wake: Instant,
}

/// The most rows of a call that is no job.
const MOST_ROWS: usize = salesforce_client::write::MOST_ROWS;

/// The most keys whose records are asked for at once.
const MOST_KEYS: usize = salesforce_client::MOST_VALUES;

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
        let first = if terms.restores { (usize::MAX, Errand::Restore(all)) } else { begin(terms, &lines, all) };
        Delivery {
            most: lines.len().max(1),
            terms,
            lines,
            todo: VecDeque::from([first]),
            found: Vec::new(),
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
            Errand::Resolve(mut lines) if lines.len() > most => {
                self.todo.push_front((most, Errand::Resolve(lines.split_off(most))));
                Some(Errand::Resolve(lines))
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
        let mut refusals = Vec::new();
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
                Verdict::Orphan => {
                    effects.settled.push((line, Settled::orphaned(&faults)));
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
            refusals.push((line, faults));
        }
        if !refusals.is_empty() && !self.pause(&mut effects, policy, now, roll, None) {
            let given_up = |(line, faults): (usize, Vec<Fault>)| (line, self.given_up(&faults));
            effects.settled.extend(refusals.into_iter().map(given_up));
            for lines in [&mut again, &mut smaller, &mut alone] {
                lines.retain(|line| !effects.settled.iter().any(|(settled, _)| settled == line));
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

    /// Takes fields out of a row; whether any was there and others are left, so that it is worth another attempt.
    fn repair(&mut self, line: usize, fields: &[String]) -> bool {
        let line = &mut self.lines[line];
        let row = Arc::make_mut(&mut line.row);
        fields.iter().filter(|field| row.leave_out(field)).count() > 0 && !row.is_empty()
    }

    fn given_up(&self, faults: &[Fault]) -> Settled {
        let (code, message, fields) = told(faults);
        Settled::Rejected { code, message: format!("{message} (given up; attempts: {})", self.attempt), fields }
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
            self.hold(now, now + self.terms.quota_pause);
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

    /// The org has no calls until then: that is no attempt's fault.
    pub(crate) fn hold(&mut self, now: Instant, until: Instant) {
        let from = self.wake.max(now);
        if from < until {
            self.excused += until - from;
            self.wake = until;
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
        let is_job = self.terms.way == Way::Bulk && matches!(errand, Errand::Write(_));
        if is_job && (of_row || job::is_closed(&error)) {
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
            Class::Unclear if is_job => Class::Retry,
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

    /// Records were restored that lay in the recycle bin: whether each line may be written now, in its place.
    pub(crate) fn restored(&mut self, lines: Vec<usize>, outcomes: Vec<Result<(), Vec<Fault>>>) -> Effects {
        let mut effects = Effects::default();
        let mut ready = Vec::new();
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => ready.push(line),
                Err(faults) => effects.settled.push((line, Settled::refused(&faults))),
            }
        }
        if !ready.is_empty() {
            self.todo.push_front(begin(self.terms, &self.lines, ready));
        }
        effects
    }

    /// The Ids of records were asked for: those of each line in its place.
    pub(crate) fn resolved(&mut self, lines: Vec<usize>, ids: Vec<Vec<RecordId>>) -> Effects {
        let mut effects = Effects::default();
        for (line, ids) in lines.into_iter().zip(ids) {
            match *ids {
                [id] => {
                    self.lines[line].address = Address::Id(id);
                    self.found.push(line);
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
        if self.is_done() {
            effects.found = std::mem::take(&mut self.found);
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

/// How rows begin to be written. Only a single row can be updated or deleted by what others call it.
fn begin(terms: Terms, lines: &[Line], rows: Vec<usize>) -> (usize, Errand) {
    let by_key = rows.iter().any(|&row| matches!(lines[row].address, Address::Key(_)));
    let resolve =
        by_key && terms.way != Way::Single && matches!(terms.operation, Operation::Update | Operation::Delete);
    if resolve { (MOST_KEYS, Errand::Resolve(rows)) } else { (usize::MAX, Errand::Write(rows)) }
}

fn shown(ids: &[RecordId]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<&str> = ids.iter().take(SHOWN).map(RecordId::as_str).collect();
    format!("{}{}", shown.join(", "), if ids.len() > SHOWN { ", …" } else { "" })
}

#[cfg(test)]
mod tests;
