//! The org behind a socket.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::App;
use crate::cometd;
use crate::config::Config;
use crate::control::{Desk, Workload, WorkloadReport};
use crate::fault::FaultRule;
use crate::org::{Credentials, OpenError, Org};
use crate::seed;
use crate::wire::{Gate, Lines, Over};

/// A running org. Dropping it cuts its connections; [`shutdown`](Emulator::shutdown) is the polite way.
pub struct Emulator {
    url: String,
    credentials: Credentials,
    desk: Desk,
    lines: Lines,
    closing: watch::Sender<bool>,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

/// Why an emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can be reached from other machines.
    #[error("{0} is not a loopback address; say so explicitly if other machines shall reach the emulated org")]
    Remote(SocketAddr),
    /// The address is taken, or not ours.
    #[error("listening on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The org itself.
    #[error("opening the org")]
    Open(#[from] OpenError),
}

impl Emulator {
    /// Opens the org, fills it if it is new, and serves it.
    ///
    /// # Errors
    /// If the address cannot be listened on, or may not be, and if the database cannot be opened or filled.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let Config { listen, allow_remote, data, seed, objects, crowd, rows, settings } = config;
        if !listen.ip().is_loopback() && !allow_remote {
            return Err(StartError::Remote(listen));
        }
        let failed = |source| StartError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let opened = tokio::task::spawn_blocking(move || {
            let (org, fresh) = Org::open(data.as_deref(), seed, settings)?;
            if fresh {
                org.define(crowd, objects)?;
                seed::fill(&org, &rows)?;
            }
            Ok::<_, OpenError>(org)
        });
        let org = opened.await.map_err(|failure| failed(std::io::Error::other(failure)))??;
        let credentials = org.identity().credentials.clone();
        let (app, routes) = App::routes(org);
        let desk = Desk::new(app);
        let lines = Lines::new();
        let router = desk.clone().routes().merge(routes);
        let (closing, mut closed) = watch::channel(false);
        let gate = Gate { listener, lines: lines.clone() };
        let service: IntoMakeServiceWithConnectInfo<_, Over> = router.into_make_service_with_connect_info();
        let serving = axum::serve(gate, service).with_graceful_shutdown(async move {
            let _ = closed.wait_for(|closing| *closing).await;
        });
        let server = Some(tokio::spawn(serving.into_future()));
        Ok(Self { url: format!("http://{address}"), credentials, desk, lines, closing, server })
    }

    /// Where it listens, such as `http://127.0.0.1:49152`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a client needs to sign in.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The org, to look into it and to change it without HTTP.
    pub fn org(&self) -> &Org {
        &self.desk.app.org
    }

    /// CometD's sessions, to look at and to disturb.
    pub fn streaming(&self) -> &cometd::Control {
        &self.desk.app.streaming
    }

    /// Adds a fault rule.
    pub fn add_fault(&self, rule: FaultRule) {
        self.desk.app.faults().add(rule);
    }

    /// Fault rules that may still strike.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.desk.app.faults().rules().cloned().collect()
    }

    /// Removes all fault rules, CometD's included.
    pub fn clear_faults(&self) {
        self.desk.app.faults().clear();
        self.desk.app.streaming.clear();
    }

    /// Starts random changes, in place of those that may be running.
    ///
    /// # Errors
    /// If the workload names unknown objects or senseless numbers; the text says which.
    pub fn start_workload(&self, workload: Workload) -> Result<(), String> {
        workload.check(&self.org().schema())?;
        self.desk.start(workload);
        Ok(())
    }

    /// What the workload has done so far.
    pub fn workload(&self) -> WorkloadReport {
        self.desk.report()
    }

    /// Stops the workload; its last change is made when this returns.
    pub async fn stop_workload(&self) -> WorkloadReport {
        self.desk.stop().await
    }

    /// Waits until a bounded workload has made its last change.
    pub async fn finish_workload(&self) -> WorkloadReport {
        self.desk.finish().await
    }

    /// Replies completely handed over to the operating system so far, CometD's included, `/__emulator/` left out.
    pub fn replies(&self) -> watch::Receiver<u64> {
        self.lines.replies()
    }

    /// Stops listening, lets requests at work finish for a moment, and cuts what is left.
    pub async fn shutdown(mut self) {
        const GRACE: Duration = Duration::from_millis(200);
        self.desk.stop().await;
        let _ = self.closing.send(true);
        self.desk.app.streaming.close();
        let Some(mut server) = self.server.take() else { return };
        if tokio::time::timeout(GRACE, &mut server).await.is_err() {
            self.lines.sever();
            if tokio::time::timeout(10 * GRACE, &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.closing.send(true);
        self.lines.sever();
    }
}
