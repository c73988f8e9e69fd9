//! One call: what an errand asks of the org, and what came of it.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use salesforce_client::RecordId;

use crate::{
    Operation, Prepared,
    delivery::{Delivery, Errand, Line, Terms},
    doors::{Answers, Doors, Question, Request, Restored, Stuck},
    fields::Address,
    row::Cell,
    target::MatchBy,
};

/// What a call came to, for lines by their numbers.
pub(crate) enum Reply {
    Written(Vec<usize>, Answers),
    Restored(Vec<usize>, Restored),
    Resolved(Vec<usize>, Vec<Vec<RecordId>>),
    Looked(Vec<usize>, Vec<Vec<RecordId>>),
    Failed(Errand, Box<Stuck>),
}

/// Begins the call that an errand of a batch takes.
pub(crate) fn begin(
    doors: &dyn Doors,
    prepared: &Prepared,
    delivery: &Delivery,
    errand: Errand,
) -> BoxFuture<'static, Reply> {
    match errand {
        Errand::Write(lines) => {
            let call = doors.write(request(prepared, delivery, &lines));
            let reply = async move {
                match call.await {
                    Ok(answers) => Reply::Written(lines, answers),
                    Err(stuck) => Reply::Failed(Errand::Write(lines), Box::new(stuck)),
                }
            };
            reply.boxed()
        }
        Errand::Restore(lines) => {
            let call = doors.restore(question(prepared, delivery, &lines));
            let reply = async move {
                match call.await {
                    Ok(outcomes) => Reply::Restored(lines, outcomes),
                    Err(error) => Reply::Failed(Errand::Restore(lines), Box::new(Stuck::before(error))),
                }
            };
            reply.boxed()
        }
        Errand::Resolve(lines) => {
            let call = doors.find(question(prepared, delivery, &lines));
            let reply = async move {
                match call.await {
                    Ok(ids) => Reply::Resolved(lines, ids),
                    Err(error) => Reply::Failed(Errand::Resolve(lines), Box::new(Stuck::before(error))),
                }
            };
            reply.boxed()
        }
        Errand::Look(lines) => {
            let call = doors.find(question(prepared, delivery, &lines));
            let reply = async move {
                match call.await {
                    Ok(ids) => Reply::Looked(lines, ids),
                    Err(error) => Reply::Failed(Errand::Look(lines), Box::new(Stuck::before(error))),
                }
            };
            reply.boxed()
        }
    }
}

/// The request that writes these lines.
fn request(prepared: &Prepared, delivery: &Delivery, lines: &[usize]) -> Request {
    let Terms { operation, way, .. } = delivery.terms;
    let by = match (operation, &prepared.target.match_by) {
        (Operation::Insert, _) => prepared.delivery.as_ref().map(|field| field.name.clone()),
        (_, MatchBy::ExternalId(_)) => prepared.matched.as_ref().map(|field| field.name.clone()),
        (_, MatchBy::Id) => None,
    };
    let line = |&line: &usize| {
        let Line { address, row, .. } = &delivery.lines[line];
        (address.clone(), Arc::clone(row))
    };
    let (object, options) = (prepared.target.object.clone(), prepared.target.options);
    Request { object, operation, way, by, options, lines: lines.iter().map(line).collect() }
}

/// The question for the records that these lines name.
fn question(prepared: &Prepared, delivery: &Delivery, lines: &[usize]) -> Question {
    let key = |&line: &usize| {
        let Line { address, name, .. } = &delivery.lines[line];
        match (address, name) {
            (Address::Key(cell), _) | (_, Some(cell)) => cell.clone(),
            (Address::Id(id), None) => Cell::text(id.as_str()),
            (Address::New | Address::Delivery(_), None) => Cell::Null,
        }
    };
    let (object, field) = (prepared.target.object.clone(), prepared.key.clone());
    Question { object, field, keys: lines.iter().map(key).collect() }
}
