//! Being asked to end: Ctrl-C at a terminal, SIGTERM from whoever runs the process.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::capture::session::Signal;

/// Waits until the process is asked to end, and passes it on: the session then says farewell to Salesforce, where it would
/// otherwise count against the org's streaming clients for a while.
pub async fn stop(signals: mpsc::UnboundedSender<Signal>) {
    // Without handlers the system ends the process, which loses nothing either.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let _ = signals.send(Signal::Stop);
}
