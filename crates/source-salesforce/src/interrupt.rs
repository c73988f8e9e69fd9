//! Being asked to end: Ctrl-C at a terminal, SIGTERM from whoever runs the process.

use std::{process, thread};

use tokio::{
    runtime,
    signal::unix::{Signal as Interest, SignalKind, signal},
    sync::mpsc,
};

use crate::capture::session::Signal;

/// From now on, passes it on when the process is asked to end: the session then says farewell to Salesforce, where it would
/// otherwise count against the org's streaming clients for a while. Asked a second time, the process ends at once, as whoever reads its
/// stdout may have stopped to: a kill at any moment loses nothing.
pub fn stop(signals: mpsc::UnboundedSender<Signal>) {
    // A thread of its own hears it although all others wait for that reader. Without one the system ends the process, which loses
    // nothing either.
    let Ok(runtime) = runtime::Builder::new_current_thread().enable_io().build() else { return };
    // Before anything else is done: until then a signal ends the process.
    let (interrupt, terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    };
    let (Ok(interrupt), Ok(terminate)) = (interrupt, terminate) else { return runtime.shutdown_background() };
    thread::spawn(move || runtime.block_on(listen(interrupt, terminate, signals)));
}

async fn listen(mut interrupt: Interest, mut terminate: Interest, signals: mpsc::UnboundedSender<Signal>) {
    let mut asked = async || {
        tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
        }
    };
    asked().await;
    let _ = signals.send(Signal::Stop);
    // As shells tell of a process that a signal has ended.
    process::exit(128 + asked().await.as_raw_value());
}
