//! What the engine asks of an org, as a trait: the real one, or one that is made for a test.

use std::sync::Arc;

use futures::future::BoxFuture;
use salesforce_client::{
    Error, ExternalId, Fault, Field, FieldName, Fields, Org, RecordId, Rows, SObjectName, Saved, Write, retry::Policy,
    write::Key,
};

use crate::{
    Operation, WriteOptions, codes,
    fields::Address,
    job,
    plan::Way,
    recycle_bin,
    row::{Cell, Row},
};

/// Rows to be written.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) object: SObjectName,
    pub(crate) operation: Operation,
    pub(crate) way: Way,
    /// The field that rows are called by, where they are not called by their Ids.
    pub(crate) by: Option<FieldName>,
    pub(crate) options: WriteOptions,
    pub(crate) lines: Vec<(Address, Arc<Row>)>,
}

/// Which records have these keys?
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) object: SObjectName,
    pub(crate) field: Field,
    pub(crate) keys: Vec<Cell>,
}

impl Question {
    pub(crate) fn values(&self) -> Result<Vec<ExternalId<'_>>, Error> {
        self.keys.iter().map(|key| ExternalId::new(key.as_str().unwrap_or_default())).collect()
    }
}

/// For each row in its place, what became of it.
pub(crate) type Answers = Vec<Result<Saved, Vec<Fault>>>;

/// For each key in its place, whether its record can be written, and why not.
pub(crate) type Restored = Vec<Result<(), Vec<Fault>>>;

/// Rows could not be written, as a whole.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) error: Error,
    /// A job may be at work on them still: to send them again would put old rows after newer ones.
    pub(crate) begun: bool,
}

impl Stuck {
    pub(crate) fn before(error: Error) -> Stuck {
        Stuck { error, begun: false }
    }

    pub(crate) fn begun(error: Error) -> Stuck {
        Stuck { error, begun: true }
    }
}

/// The doors of an org.
pub(crate) trait Doors: Send + Sync + 'static {
    /// Writes rows.
    fn write(&self, request: Request) -> BoxFuture<'static, Result<Answers, Stuck>>;

    /// Restores the records of these keys that lie in the recycle bin, unless others have the keys now; answers for each key whether what
    /// it names may be written.
    fn restore(&self, question: Question) -> BoxFuture<'static, Result<Restored, Error>>;

    /// Answers for each key which records have it.
    fn find(&self, question: Question) -> BoxFuture<'static, Result<Vec<Vec<RecordId>>, Error>>;
}

/// A real org. What is tried again is decided by the engine, which sees every failure, but for the many calls of a job.
#[derive(Debug)]
pub(crate) struct RealDoors {
    at_once: Org,
    patient: Org,
}

impl RealDoors {
    pub(crate) fn new(org: &Org) -> RealDoors {
        RealDoors { at_once: org.with_retry(Policy::never()), patient: org.clone() }
    }
}

impl Doors for RealDoors {
    fn write(&self, request: Request) -> BoxFuture<'static, Result<Answers, Stuck>> {
        let (at_once, patient) = (self.at_once.clone(), self.patient.clone());
        Box::pin(async move {
            match request.way {
                Way::Single => write_one(&at_once, &request).await.map_err(Stuck::before),
                Way::Collection => write_many(&at_once, &request).await.map_err(Stuck::before),
                Way::Bulk => job::write(&patient, &request).await,
            }
        })
    }

    fn restore(&self, question: Question) -> BoxFuture<'static, Result<Restored, Error>> {
        let org = self.at_once.clone();
        Box::pin(async move { recycle_bin::restore(&org, &question).await })
    }

    fn find(&self, question: Question) -> BoxFuture<'static, Result<Vec<Vec<RecordId>>, Error>> {
        let org = self.at_once.clone();
        Box::pin(async move { find(&org, &question).await })
    }
}

/// The value that a row is called by; empty for a row that is called by its Id or not at all.
fn name(address: &Address) -> &str {
    match address {
        Address::Key(cell) | Address::Delivery(cell) => cell.as_str().unwrap_or_default(),
        Address::New | Address::Id(_) => "",
    }
}

async fn write_one(org: &Org, request: &Request) -> Result<Answers, Error> {
    let Some((address, row)) = request.lines.first() else { return Ok(Vec::new()) };
    let body = row.body();
    let key = match (address, &request.by) {
        (Address::Id(id), _) => Some(Key::Id(*id)),
        (_, Some(field)) => Some(Key::External(field, ExternalId::new(name(address))?)),
        _ => None,
    };
    let write = match (request.operation, key) {
        (Operation::Update, Some(key)) => Write::Update(key, &body),
        (Operation::Delete, Some(key)) => Write::Delete(key),
        (Operation::Upsert | Operation::Insert, Some(Key::External(field, value))) => {
            Write::Upsert(field, value, &body)
        }
        (_, _) => Write::Create(&body),
    };
    match org.write(&request.object, &write, &options(request)).await {
        Ok(saved) => Ok(vec![Ok(saved)]),
        // Nothing was sent, and no other row is concerned: no URL can hold what this one is called.
        Err(error @ Error::Invalid { .. }) => {
            let (code, message) = (codes::UNFIT_KEY.to_owned(), error.to_string());
            Ok(vec![Err(vec![Fault { code, message, fields: Vec::new() }])])
        }
        Err(error) => Err(error),
    }
}

async fn write_many(org: &Org, request: &Request) -> Result<Answers, Error> {
    let bodies: Vec<Fields> = request.lines.iter().map(|(_, row)| row.body()).collect();
    let lines = || request.lines.iter().map(|(address, _)| address).zip(&bodies);
    let ids =
        || lines().filter_map(|(address, body)| if let Address::Id(id) = address { Some((*id, body)) } else { None });
    let outcomes = match (request.operation, &request.by) {
        (Operation::Update, _) => {
            org.write_rows(&request.object, &Rows::Update(&ids().collect::<Vec<_>>()), &options(request)).await?
        }
        (Operation::Delete, _) => {
            let ids: Vec<RecordId> = ids().map(|(id, _)| id).collect();
            org.write_rows(&request.object, &Rows::Delete(&ids), &options(request)).await?
        }
        (Operation::Upsert | Operation::Insert, Some(field)) => {
            let rows: Result<Vec<_>, Error> =
                lines().map(|(address, body)| Ok((ExternalId::new(name(address))?, body))).collect();
            org.write_rows(&request.object, &Rows::Upsert(field, &rows?), &options(request)).await?
        }
        (Operation::Upsert | Operation::Insert, None) => {
            let rows: Vec<&Fields> = bodies.iter().collect();
            org.write_rows(&request.object, &Rows::Create(&rows), &options(request)).await?
        }
    };
    Ok(outcomes.into_iter().map(|outcome| outcome.map_err(|refusal| refusal.faults)).collect())
}

fn options(request: &Request) -> salesforce_client::WriteOptions {
    let WriteOptions { allow_duplicates, skip_assignment_rules } = request.options;
    salesforce_client::WriteOptions { all_or_none: false, allow_duplicates, skip_assignment_rules }
}

async fn find(org: &Org, question: &Question) -> Result<Vec<Vec<RecordId>>, Error> {
    org.ids_by(&question.object, &question.field, &question.values()?).await
}
