//! Transactions, from `open` to the end of stdin.
//!
//! Stores are submitted as they come and written while more of them come: a transaction is never collected. `startCommit` is answered
//! when every row has its receipt, so that what Flow commits is in the org, or reported and kept. Killed before that, the same rows come
//! again; writing them twice does no harm but for inserts that nothing identifies.

use std::{sync::Arc, time::Duration};

use flow_protocol::{
    materialize::{Open, Request, Response},
    stdio::{Requests, Responses},
};
use salesforce_client::Org;
use salesforce_sink::{Sink, State as SinkState, Targets, Traffic};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{
    config::Config,
    document::{Origin, Writing},
    error::Error,
    left_behind,
    letters::{Letters, Mailbox},
    resource::Resource,
    serve,
    settle::Settling,
    state::State,
    tally::Tally,
    validate::{self, Wanted},
};

/// Serves a session until stdin ends.
///
/// # Errors
/// Whatever ends it before that.
pub async fn run<R, W>(request: Open, requests: Requests<R>, mut responses: Responses<W>) -> Result<(), Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Open { task: materialization, state, .. } = request;
    let config = Config::parse(serve::config_of(&materialization)?)?;
    let state = State::parse(&state)?;
    let org = crate::org(&config)?;
    let wanted = materialization.bindings.iter().map(|binding| {
        let resource = Resource::parse(&binding.resource_config)?;
        Ok(Wanted::selected(resource, Arc::clone(&binding.collection), &binding.field_selection))
    });
    let wanted = wanted.collect::<Result<Vec<_>, Error>>()?;
    let org_id = org.token().await?.org_id();
    for (binding, wanted) in materialization.bindings.iter().zip(&wanted) {
        state.check(&binding.state_key, &wanted.resource.path, org_id)?;
    }
    let (_, mappings) = validate::mappings(&org, &wanted).await?;

    let mut targets = Targets::new();
    let mut writings = Vec::new();
    let bindings = materialization.bindings.iter().zip(&wanted).zip(mappings).enumerate();
    for (index, ((binding, wanted), mapping)) in bindings {
        mapping.prepared.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let target = targets.add(mapping.prepared.clone());
        let Wanted { resource, collection, .. } = wanted;
        writings.push(Writing::new(index, target, resource, &mapping, collection, &binding.field_selection));
    }
    let resources: Vec<_> = wanted.into_iter().map(|wanted| wanted.resource).collect();
    left_behind::wait(&org, &resources.iter().map(|resource| &resource.object).collect::<Vec<_>>()).await?;
    let traffic = Traffic::new(config.concurrency);
    let (letters, letter_keys) = Letters::open(&org, &traffic, &resources, &config.sink).await?;
    let settling = Settling::new(&resources, letters, &letter_keys);
    let (sink, receipts) = Sink::start(&org, &traffic, targets, &config.sink);
    let known = State::of(materialization.bindings.iter().map(|binding| binding.state_key.as_str()), org_id);
    let transactions = Transactions {
        writings,
        tally: settling.tally(),
        mailbox: settling.mailbox(),
        sink,
        patch: (known != state).then_some(known),
        submitted: 0,
    };
    responses.send(&Response::Opened { disable_load_optimization: true }).await?;
    let (state, tally) = (transactions.sink.state(), settling.tally());
    tokio::select! {
        ended = transactions.serve(requests, responses) => ended,
        error = settling.run(receipts) => Err(error),
        never = tell(&org, state, tally) => match never {},
    }
}

struct Transactions {
    writings: Vec<Writing>,
    sink: Sink<Origin>,
    mailbox: Option<Mailbox>,
    tally: watch::Receiver<Tally>,
    /// What the next commit has to tell.
    patch: Option<State>,
    submitted: u64,
}

impl Transactions {
    async fn serve<R, W>(mut self, mut requests: Requests<R>, mut responses: Responses<W>) -> Result<(), Error>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while let Some(request) = requests.next().await? {
            match request {
                Request::Store(store) => {
                    let unknown = Error::OutOfPlace {
                        request: "store",
                        why: "it names a binding that the session does not have",
                    };
                    let writing = self.writings.get(store.binding).ok_or(unknown)?;
                    if let Some(change) = writing.change(&store)? {
                        self.sink.submit(writing.target, change).await?;
                        self.submitted += 1;
                    }
                }
                Request::StartCommit => {
                    self.finish().await?;
                    let state = self.patch.take().map(|patch| patch.to_value());
                    responses.send(&Response::StartedCommit { state }).await?;
                }
                // All was done before the commit.
                Request::Acknowledge => responses.send(&Response::Acknowledged { state: None }).await?,
                Request::Flush => responses.send(&Response::Flushed).await?,
                Request::Load(_) => {
                    return Err(Error::OutOfPlace {
                        request: "load",
                        why: "documents are written as they come, and never read back",
                    });
                }
                Request::Spec | Request::Validate(_) | Request::Apply(_) | Request::Open(_) => {
                    return Err(Error::OutOfPlace { request: "after open", why: "a session takes transactions only" });
                }
            }
        }
        Ok(())
    }

    /// Waits until everything that was stored is in the org, or reported and kept.
    async fn finish(&mut self) -> Result<(), Error> {
        self.sink.flush().await?;
        let submitted = self.submitted;
        // The other end lives as long as this one.
        let letters = self.tally.wait_for(|tally| tally.settled >= submitted).await.map_or(0, |tally| tally.letters);
        match &mut self.mailbox {
            Some(mailbox) => mailbox.wait(letters).await,
            None => Ok(()),
        }
    }
}

/// How often the log says what has been done.
const NEWS: Duration = Duration::from_secs(300);

/// Says from time to time what has been done, and when the org makes it wait.
async fn tell(
    org: &Org,
    mut state: watch::Receiver<SinkState>,
    tally: watch::Receiver<Tally>,
) -> std::convert::Infallible {
    let mut told = *tally.borrow();
    let mut turns = tokio::time::interval(NEWS);
    turns.tick().await;
    loop {
        tokio::select! {
            _ = turns.tick() => {
                let now = *tally.borrow();
                if now != told {
                    let calls = org.calls();
                    tracing::info!(calls, "written so far: {now}");
                    told = now;
                }
            }
            Ok(()) = state.changed() => {
                let paused = match &*state.borrow_and_update() {
                    SinkState::Paused { why } => Some(why.clone()),
                    SinkState::Running | SinkState::Failed(_) => None,
                };
                match paused {
                    Some(why) => flow_protocol::log::connector_status(&format!("waiting for the org: {why}")),
                    None => flow_protocol::log::connector_status("writing"),
                }
            }
        }
    }
}
