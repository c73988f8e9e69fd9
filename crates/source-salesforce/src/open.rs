//! `open`: from a request to a running session.

use std::{pin::pin, time::Duration};

use flow_protocol::{
    capture::{CaptureSpec, Open, Request, Response},
    stdio::{Requests, Responses},
};
use salesforce_client::Org;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::timeout,
};

use crate::{
    capture::{
        budget,
        lane::Bound,
        output::Runtime,
        position::State,
        session::{Options, Prepared, Session, Signal},
        visible,
    },
    config::Config,
    error::Error,
    resource::Resource,
    serve,
    shard::{Serving, Shard},
    topics, validate,
};

/// How long the preparation may still take once it is told to stop: a failure that it is about to tell is told.
const GRACE: Duration = Duration::from_secs(3);

/// A binding that this process is to capture.
pub struct Wanted {
    /// Its index in the request.
    pub index: u32,
    /// The key of its state.
    pub state_key: String,
    /// What it captures.
    pub resource: Resource,
}

/// Runs the session of an `open` request until stdin ends.
///
/// # Errors
/// Whatever ends it before that.
pub async fn open<R, W>(request: Open, requests: Requests<R>, mut responses: Responses<W>) -> Result<(), Error>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin,
{
    let Open { task: capture, range, state, .. } = request;
    let config = Config::parse(config_of(&capture)?)?;
    let state = State::parse(&state)?;
    let (wanted, serving) = wanted(&capture, Shard::of(range)?, state.shard.unwrap_or_default())?;
    responses.send(&Response::Opened { explicit_acknowledgements: true }).await?;

    let (signal, mut signals) = mpsc::unbounded_channel();
    tokio::spawn(read_acknowledgements(requests, signal.clone()));
    crate::interrupt::stop(signal);
    let org = crate::org(&config)?;
    let prepared = prepare(&org, &capture.name, &wanted, &state, &mut signals).await?;
    let Some(prepared) = prepared else { return Ok(()) };
    let prepared = Prepared { serving, ..prepared };
    Session::new(org, &capture.name, prepared, Runtime::new(responses), Options::of(&config)).run(signals).await?;
    Ok(())
}

/// Waits until the session is told to end. Nothing is written yet that could be acknowledged.
async fn stopped(signals: &mut mpsc::UnboundedReceiver<Signal>) -> Result<(), Error> {
    loop {
        match signals.recv().await {
            None | Some(Signal::Stop) => return Ok(()),
            Some(Signal::Broken(error)) => return Err(error),
            Some(Signal::Acknowledged(_)) => {}
        }
    }
}

/// The endpoint config of a capture.
pub(crate) fn config_of(capture: &CaptureSpec) -> Result<&RawValue, Error> {
    capture.config.as_deref().ok_or(Error::OutOfPlace { request: "open or apply", why: "its capture has no config" })
}

/// The bindings of a shard: each binding belongs to one shard as a whole.
fn wanted(capture: &CaptureSpec, shard: Shard, before: Shard) -> Result<(Vec<Wanted>, Serving), Error> {
    let resources = serve::resources(capture.bindings.iter().map(|binding| &*binding.resource_config))?;
    let streams: Vec<_> = resources.iter().map(|resource| resource.stream.as_str()).collect();
    let serving = Serving::of(shard, before, &streams);
    let all = capture.bindings.iter().zip(resources).zip(0..);
    let wanted = all
        .filter(|((_, resource), _)| shard.owns(&resource.stream))
        .map(|((binding, resource), index)| Wanted { index, state_key: binding.state_key.clone(), resource });
    let wanted: Vec<_> = wanted.collect();
    if serving.is_split() {
        let streams = wanted.iter().map(|wanted| wanted.resource.stream.as_str()).collect::<Vec<_>>().join(", ");
        tracing::info!(%shard, streams, "this shard serves {} of {} bindings", serving.own, serving.all);
    }
    Ok((wanted, serving))
}

/// Reads stdin for the whole session, whatever else is busy: acknowledgements until its end, which means stop.
async fn read_acknowledgements<R: AsyncRead + Unpin>(
    mut requests: Requests<R>,
    signals: mpsc::UnboundedSender<Signal>,
) {
    loop {
        let signal = match requests.next().await {
            Ok(Some(Request::Acknowledge { checkpoints })) => Signal::Acknowledged(checkpoints),
            Ok(Some(_)) => {
                Signal::Broken(Error::OutOfPlace { request: "after open", why: "a session takes acknowledge only" })
            }
            Ok(None) => Signal::Stop,
            Err(error) => Signal::Broken(error.into()),
        };
        let is_last = !matches!(signal, Signal::Acknowledged(_));
        if signals.send(signal).is_err() || is_last {
            return;
        }
    }
}

/// Signs in, describes the objects, and sees to their topics. Where the org has no API calls left, it waits until it has; `None`
/// when it is told to stop meanwhile, however long the org takes to answer.
///
/// # Errors
/// When the org is another one than that of the state, or a stream cannot be captured.
pub async fn prepare(
    org: &Org,
    capture: &str,
    wanted: &[Wanted],
    state: &State,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
) -> Result<Option<Prepared>, Error> {
    let mut tries = 0;
    loop {
        let mut under_way = pin!(try_to_prepare(org, capture, wanted, state));
        let tried = tokio::select! {
            tried = &mut under_way => tried,
            end = stopped(signals) => {
                end?;
                // The session, if it comes to that, is to hear it too.
                signals.close();
                return match timeout(GRACE, under_way).await {
                    Ok(Err(error)) if error.passes_with_time() => Ok(None),
                    Ok(prepared) => prepared.map(Some),
                    Err(_) => Ok(None),
                };
            }
        };
        match tried {
            Err(error) if error.passes_with_time() => {
                let pause = Duration::from_secs(budget::pause(tries).unsigned_abs());
                tries += 1;
                tracing::warn!(seconds = pause.as_secs(), "waiting, and trying again: {error}");
                flow_protocol::log::connector_status("Waiting until the org has API calls left");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    end = stopped(signals) => return end.map(|()| None),
                }
            }
            result => return result.map(Some),
        }
    }
}

async fn try_to_prepare(org: &Org, capture: &str, wanted: &[Wanted], state: &State) -> Result<Prepared, Error> {
    let token = org.token().await?;
    let org_id = token.org_id();
    // A new backfill of all bindings begins without positions, and may begin in another org.
    let has_position = wanted.iter().any(|wanted| state.bindings.contains_key(&wanted.state_key));
    if let Some(known) = state.org.filter(|known| *known != org_id && has_position) {
        return Err(Error::OtherOrg { known, found: org_id });
    }
    if token.rotated().is_some() {
        tracing::warn!("{}", Error::Rotating);
    }
    let resources: Vec<_> = wanted.iter().map(|wanted| wanted.resource.clone()).collect();
    let feeds = validate::feeds(org, &resources).await?;
    let (changes, deeds) = topics::ensure(org, capture, &resources.iter().zip(&feeds).collect::<Vec<_>>()).await?;
    for deed in deeds {
        tracing::info!("{deed}");
    }
    let bound =
        wanted.iter().zip(resources).zip(feeds).zip(changes).map(|(((wanted, resource), feed), changes)| Bound {
            index: wanted.index,
            position: state.bindings.get(&wanted.state_key).cloned().unwrap_or_default(),
            state_key: wanted.state_key.clone(),
            resource,
            feed,
            changes,
            visible: None,
        });
    let mut bound: Vec<_> = bound.collect();
    visible::before_history(org, &mut bound).await?;
    let serving = Serving::everything(wanted.len());
    Ok(Prepared { org_id, bound, calls: state.calls.clone(), deliveries: state.deliveries.clone(), serving })
}
