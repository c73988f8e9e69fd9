//! An org that is made for a test: it tells how each call ends and after how long, and remembers what was asked of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use salesforce_client::{Action, Class, Describe, Error, Failure, Fault, RecordId, Refusal, Saved};
use tokio::time::Instant;

use crate::{
    Change, Fields, MatchBy, Operation, Options, Receipts, Sink, Target, TargetKey, Targets, Traffic,
    doors::{Answers, Doors, Question, Request, Restored, Stuck},
    plan::Way,
};

/// What a call asks for, and of how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Write(Way, usize),
    Find(usize),
    Restore(usize),
}

/// A call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) sink: &'static str,
    pub(crate) asked: Asked,
    pub(crate) at: Instant,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Locked,
    /// The whole call is refused.
    Refused(u16, &'static str, Class),
    Never,
}

type Script = dyn Fn(usize, &Call) -> (Duration, End) + Send + Sync;

#[derive(Clone)]
pub(crate) struct ScriptedOrg {
    script: Arc<Script>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    under_way: usize,
    most: usize,
}

/// Counts a call until it has ended or is given up.
struct UnderWay(Arc<Mutex<Seen>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().under_way -= 1;
    }
}

impl ScriptedOrg {
    /// The script is told the number of a call, from 0, and what it is.
    pub(crate) fn new(script: impl Fn(usize, &Call) -> (Duration, End) + Send + Sync + 'static) -> ScriptedOrg {
        ScriptedOrg { script: Arc::new(script), seen: Arc::default() }
    }

    /// A sink of this name, whose target has the field `Key__c`.
    pub(crate) fn sink(&self, name: &'static str, traffic: &Traffic, options: &Options) -> Scripted {
        let mut targets = Targets::new();
        let target = Target::new("Thing__c".parse().unwrap(), MatchBy::ExternalId("Key__c".parse().unwrap()));
        let target = Target { operations: vec![Operation::Update, Operation::Upsert], ..target };
        let target = targets.add(target.prepare(&describe()).unwrap());
        let doors = Arc::new(Door { sink: name, org: self.clone() });
        let (sink, receipts) = Sink::with_doors(doors, traffic, targets, options);
        Scripted { sink, receipts, target }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.seen.lock().unwrap().calls.clone()
    }

    /// The most calls that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.seen.lock().unwrap().most
    }

    fn call(&self, sink: &'static str, asked: Asked) -> BoxFuture<'static, Result<End, Error>> {
        let call = Call { sink, asked, at: crate::engine::now() };
        let mut seen = self.seen.lock().unwrap();
        let (pause, end) = (self.script)(seen.calls.len(), &call);
        seen.calls.push(call);
        seen.under_way += 1;
        seen.most = seen.most.max(seen.under_way);
        let under_way = UnderWay(Arc::clone(&self.seen));
        Box::pin(async move {
            let _under_way = under_way;
            tokio::time::sleep(pause).await;
            match end {
                End::Done | End::Locked => Ok(end),
                End::Refused(status, code, class) => Err(refused(status, code, class)),
                End::Never => std::future::pending().await,
            }
        })
    }
}

/// A sink at work on a scripted org.
pub(crate) struct Scripted {
    pub(crate) sink: Sink<usize>,
    pub(crate) receipts: Receipts<usize>,
    target: TargetKey,
}

impl Scripted {
    pub(crate) async fn submit(&self, operation: Operation, numbers: impl IntoIterator<Item = usize>) {
        for nth in numbers {
            let fields = Fields::parse(r#"{"Text__c": "x"}"#).unwrap();
            let change = Change { operation, key: Some(format!("k{nth}").into()), fields, origin: nth };
            self.sink.submit(self.target, change).await.unwrap();
        }
    }

    /// The origins of the receipts that are there, in order.
    pub(crate) fn settled(&mut self) -> Vec<usize> {
        let mut origins: Vec<usize> =
            std::iter::from_fn(|| self.receipts.ready()).map(|receipt| receipt.origin).collect();
        origins.sort_unstable();
        origins
    }
}

struct Door {
    sink: &'static str,
    org: ScriptedOrg,
}

impl Doors for Door {
    fn write(&self, request: Request) -> BoxFuture<'static, Result<Answers, Stuck>> {
        let rows = request.lines.len();
        let answer = move |end: Result<End, Error>| match end.map_err(Stuck::before)? {
            End::Locked => Ok(vec![Err(vec![fault("UNABLE_TO_LOCK_ROW")]); rows]),
            _ => Ok(vec![Ok(Saved { id: None, created: false }); rows]),
        };
        self.org.call(self.sink, Asked::Write(request.way, rows)).map(answer).boxed()
    }

    fn restore(&self, question: Question) -> BoxFuture<'static, Result<Restored, Error>> {
        let keys = question.keys.len();
        self.org.call(self.sink, Asked::Restore(keys)).map(move |end| end.map(|_| vec![Ok(()); keys])).boxed()
    }

    fn find(&self, question: Question) -> BoxFuture<'static, Result<Vec<Vec<RecordId>>, Error>> {
        let keys = question.keys.len();
        let id = |nth: usize| format!("a56{nth:012}").parse().unwrap();
        let answer = move |end: Result<End, Error>| end.map(|_| (0..keys).map(|nth| vec![id(nth)]).collect());
        self.org.call(self.sink, Asked::Find(keys)).map(answer).boxed()
    }
}

fn fault(code: &str) -> Fault {
    Fault { code: code.to_owned(), message: String::new(), fields: Vec::new() }
}

fn refused(status: u16, code: &str, class: Class) -> Error {
    let status = status.try_into().unwrap();
    let refusal = Refusal { status, faults: vec![fault(code)], page: None, request_id: None, retry_after: None };
    Error::Call { action: Action::Limits, class, failure: Arc::new(Failure::Refused(refusal)) }
}

fn describe() -> Describe {
    let text = r#"{"name": "Thing__c", "createable": true, "updateable": true, "deletable": true, "fields": [
        {"name": "Key__c", "type": "string", "length": 20, "externalId": true, "unique": true, "createable": true, "updateable": true},
        {"name": "Text__c", "type": "string", "length": 20, "createable": true, "updateable": true}]}"#;
    serde_json::from_str(text).unwrap()
}
