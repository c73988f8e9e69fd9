//! The demo from start to verdict.

use std::{
    future,
    path::PathBuf,
    pin::{Pin, pin},
    time::Duration,
};

use demo::{
    binaries,
    runtime::{Binding, Capture, Captured, Connector, Group, Session, collection::Unusable},
    verdict::Difference,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time;

use crate::{
    arguments::{Arguments, Command},
    desk::Desk,
    org::{EmulatedOrg, OBJECTS},
    screen::{Arrival, Screen},
    statistics::Statistics,
};

/// Name of the demo's capture.
const CAPTURE: &str = "demo/source-salesforce";

/// How often the live numbers move.
const TICK: Duration = Duration::from_millis(200);

/// How often what was captured is handed on to another org.
const TRANSACTION: SignedDuration = SignedDuration::from_secs(1);

/// A capture that lags behind a still org, and had nothing to say for so long, will not catch up.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// What was captured and what the org holds, side by side.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// Whether another org was compared too.
    pub(crate) is_of_two_orgs: bool,
    /// Rows of each captured collection.
    pub(crate) rows: Vec<(String, Value)>,
    /// What is wrong, in sentences; empty if nothing is.
    pub(crate) problems: Vec<String>,
}

impl Agreement {
    /// Whether all collections agree with the org, and the connector behaved.
    pub(crate) fn is_complete(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connector could not be driven.
    #[error(transparent)]
    Connector(#[from] demo::Error),
    /// The emulated org failed.
    #[error(transparent)]
    Org(#[from] crate::org::Error),
    /// The connector captured what no collection can take.
    #[error("the connector captured {0}")]
    Document(#[from] Unusable),
    /// The connector ended in the middle.
    #[error("the connector ended by itself, {0}")]
    Ended(demo::runtime::process::Exit),
}

/// Runs the demo.
pub(crate) async fn run(arguments: &Arguments, screen: &mut Screen) -> Result<Agreement, Error> {
    let connector = Connector::new(program(arguments, screen)?).with_env("LOG_LEVEL", "info");
    let org = EmulatedOrg::start(arguments.seed, arguments.rows).await?;
    screen.step("org", &format!("{} with {} rows", org.url(), arguments.rows));

    let capture = prepare(&connector, &org, screen).await?;
    let desk = match arguments.command {
        Some(Command::Sync) => Some(Desk::open(&connector, &org, &capture, arguments.seed + 1, screen).await?),
        None => None,
    };
    let mut show = Show::open(capture, desk, &connector, screen).await?;
    if show.desk.is_some() {
        // Parents come before those that refer to them when all history comes at once.
        show.catch_up(&org).await?;
    }
    org.change(arguments.rate, arguments.seed)?;
    show.follow((!arguments.forever).then_some(arguments.time)).await?;
    let changes = org.rest().await?;
    show.screen.step("rest", &format!("the org rests after {changes} changes: the capture catches up"));
    show.catch_up(&org).await?;
    let agreement = show.end(&org).await;
    org.shutdown().await;
    agreement
}

fn program(arguments: &Arguments, screen: &Screen) -> Result<PathBuf, Error> {
    if let Some(program) = &arguments.connector {
        return Ok(program.clone());
    }
    screen.step("build", "source-salesforce (the first time takes a few minutes)");
    Ok(binaries::build("source-salesforce")?)
}

/// Spec, discover, validate, apply: what happens before a capture runs.
async fn prepare(connector: &Connector, org: &EmulatedOrg, screen: &Screen) -> Result<Capture, Error> {
    let spec = connector.spec().await?;
    let fields = spec["configSchema"]["properties"].as_object().map_or(0, serde_json::Map::len);
    screen.step(
        "spec",
        &format!("{fields} settings, documented at {}", spec["documentationUrl"].as_str().unwrap_or("?")),
    );

    let config = org.endpoint_config();
    let discovered = Capture::discover(connector, CAPTURE, &config).await?;
    let total = discovered.len();
    let bindings: Vec<Binding> = discovered.into_iter().filter(|binding| OBJECTS.contains(&binding.stream())).collect();
    let streams: Vec<&str> = bindings.iter().map(Binding::stream).collect();
    screen.step("discover", &format!("{total} streams, of which the demo captures {}", streams.join(", ")));

    let capture = Capture::new(CAPTURE, config, bindings);
    capture.validate(connector).await?;
    screen.step("validate", "the config and every stream pass");
    let done = capture.apply(connector).await?;
    screen.step("apply", if done.is_empty() { "nothing to do" } else { &done });
    Ok(capture)
}

/// A running session and what shows it.
struct Show<'a> {
    capture: Capture,
    /// Where it goes on to another org.
    desk: Option<Desk>,
    written_at: Timestamp,
    session: Session,
    statistics: Statistics,
    screen: &'a mut Screen,
    phase: &'static str,
}

impl<'a> Show<'a> {
    async fn open(
        mut capture: Capture,
        desk: Option<Desk>,
        connector: &Connector,
        screen: &'a mut Screen,
    ) -> Result<Self, Error> {
        let session = capture.open(connector).await?;
        screen.step("open", "the session is open: documents follow");
        let statistics = Statistics::new(capture.bindings().iter().map(Binding::stream));
        Ok(Self { capture, desk, written_at: now(), session, statistics, screen, phase: "the org is changing" })
    }

    /// Takes groups while the org changes: for a time, or until Ctrl-C.
    async fn follow(&mut self, time: Option<Duration>) -> Result<(), Error> {
        let time_is_over = async {
            match time {
                Some(time) => time::sleep(time).await,
                None => future::pending().await,
            }
        };
        let mut over = pin!(async {
            tokio::select! { () = time_is_over => {}, () = interrupt() => {} }
        });
        while !is_ready(over.as_mut()).await {
            self.take().await?;
            if now().duration_since(self.written_at) >= TRANSACTION {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Takes groups until the captured collections agree with the org, which rests; or Ctrl-C; or nothing came for long.
    async fn catch_up(&mut self, org: &EmulatedOrg) -> Result<(), Error> {
        self.phase = "the org rests, the capture catches up (Ctrl-C for the verdict as it is)";
        let mut interrupted = pin!(interrupt());
        let mut last_document = now();
        while !is_ready(interrupted.as_mut()).await && now().duration_since(last_document) < PATIENCE {
            let before = self.statistics.documents();
            self.take().await?;
            if self.statistics.documents() > before {
                last_document = now();
            } else if self.differences(org)?.is_empty() {
                self.write().await?;
                if self.desk.as_ref().is_none_or(Desk::is_done) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Hands on to the other org, if there is one.
    async fn write(&mut self) -> Result<(), Error> {
        if let Some(desk) = &mut self.desk {
            desk.write(self.screen).await?;
        }
        self.written_at = now();
        Ok(())
    }

    /// Ends the session as the runtime does, by the end of its stdin, and compares.
    async fn end(mut self, org: &EmulatedOrg) -> Result<Agreement, Error> {
        let is_of_two_orgs = self.desk.is_some();
        self.session.close();
        while let Some(group) = self.session.group().await? {
            self.keep(group)?;
        }
        let exit = self.session.ended().await?;
        exit.log.iter().for_each(|line| self.screen.log(line));

        let mut problems: Vec<String> = self.differences(org)?.iter().map(ToString::to_string).collect();
        problems.extend(self.capture.regressions().iter().map(ToString::to_string));
        if exit.code != Some(0) {
            problems.push(format!("the connector ended {exit}"));
        }
        if let Some(desk) = self.desk.take() {
            let (written, found) = desk.end(org).await?;
            problems.extend(found);
            self.screen.step("written", &format!("{written} rows, as transactions brought them together"));
        }
        let rows = self.capture.bindings().iter().enumerate();
        let rows = rows
            .map(|(index, binding)| (binding.stream().to_owned(), self.capture.collection(index).rows().len().into()));
        let agreement = Agreement { is_of_two_orgs, rows: rows.collect(), problems };
        self.screen.verdict(&agreement, &self.statistics);
        Ok(agreement)
    }

    /// Takes the next group, or none if none comes within a tick.
    async fn take(&mut self) -> Result<(), Error> {
        if let Ok(group) = time::timeout(TICK, self.session.group()).await {
            let Some(group) = group? else { return Err(Error::Ended(self.session.ended().await?)) };
            self.keep(group)?;
            self.session.acknowledge(1).await?;
        }
        for line in self.session.process().take_log() {
            self.screen.log(&line);
        }
        self.statistics.advance(now());
        self.screen.numbers(&self.statistics, self.phase);
        Ok(())
    }

    /// Shows and commits a group.
    fn keep(&mut self, group: Group) -> Result<(), Error> {
        for Captured { binding, document, arrived } in &group.documents {
            let stream = self.capture.bindings()[*binding].stream();
            let event = document["_meta"]["source"]["createdDate"].as_str().and_then(|created| created.parse().ok());
            self.statistics.note(stream, *arrived, event);
            self.screen.document(&Arrival { stream, document, at: *arrived, event });
        }
        if let Some(desk) = &mut self.desk {
            desk.take(&group);
        }
        Ok(self.capture.commit(group)?)
    }

    /// How the collections differ from the org right now.
    fn differences(&self, org: &EmulatedOrg) -> Result<Vec<Difference>, Error> {
        let mut differences = Vec::new();
        for (index, binding) in self.capture.bindings().iter().enumerate() {
            let object = binding.stream();
            let truth = org.records(object)?;
            let difference = Difference::between(object, self.capture.collection(index).rows(), &truth);
            if !difference.is_empty() {
                differences.push(difference);
            }
        }
        Ok(differences)
    }
}

/// Resolves at Ctrl-C.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without the signal there is no interruption.
        future::pending::<()>().await;
    }
}

/// Whether a future is done, without waiting for it.
async fn is_ready(future: Pin<&mut impl Future<Output = ()>>) -> bool {
    tokio::select! {
        biased;
        () = future => true,
        () = future::ready(()) => false,
    }
}

#[expect(clippy::disallowed_methods, reason = "live numbers move with the clock on the wall")]
fn now() -> Timestamp {
    Timestamp::now()
}
