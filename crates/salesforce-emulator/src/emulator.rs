//! The org behind a socket.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{App, Ports};
use crate::cometd;
use crate::config::Config;
use crate::control::{Desk, Workload, WorkloadReport};
use crate::fault::FaultRule;
use crate::org::{Credentials, OpenError, Org};
use crate::seed;
use crate::trouble::{Trouble, TroubleError, TroubleReport};
use crate::wire::{Gate, Lines, Over};

/// A running org. Dropping it cuts its connections; [`shutdown`](Emulator::shutdown) is the polite way.
pub struct Emulator {
    url: String,
    login_url: String,
    credentials: Credentials,
    desk: Desk,
    lines: Lines,
    closing: watch::Sender<bool>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
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
        let Config { listen, login_listen, allow_remote, data, seed, objects, crowd, rows, settings } = config;
        let login_listen = login_listen.unwrap_or(SocketAddr::new(listen.ip(), 0));
        let remote = [listen, login_listen].into_iter().find(|address| !address.ip().is_loopback() && !allow_remote);
        if let Some(address) = remote {
            return Err(StartError::Remote(address));
        }
        let (listener, address) = bound(listen).await?;
        let (login_listener, login_address) = bound(login_listen).await?;
        let opened = tokio::task::spawn_blocking(move || {
            let (org, fresh) = Org::open(data.as_deref(), seed, settings)?;
            if fresh {
                org.define(crowd, objects)?;
                seed::fill(&org, &rows)?;
            }
            Ok::<_, OpenError>(org)
        });
        let failed = |failure| StartError::Listen { address: listen, source: std::io::Error::other(failure) };
        let org = opened.await.map_err(failed)??;
        let credentials = org.identity().credentials.clone();
        let ports = Ports { my_domain: address.port(), login: login_address.port() };
        let (app, faces) = App::faces(org, ports);
        let desk = Desk::new(app);
        let lines = Lines::new();
        let (closing, closed) = watch::channel(false);
        let my_domain = desk.clone().routes().merge(faces.my_domain);
        let servers = [(listener, my_domain), (login_listener, faces.login)].map(|(listener, router)| {
            let gate = Gate { listener, lines: lines.clone() };
            let service: IntoMakeServiceWithConnectInfo<_, Over> = router.into_make_service_with_connect_info();
            let mut closed = closed.clone();
            let serving = axum::serve(gate, service).with_graceful_shutdown(async move {
                let _ = closed.wait_for(|closing| *closing).await;
            });
            tokio::spawn(serving.into_future())
        });
        Ok(Self {
            url: format!("http://{address}"),
            login_url: format!("http://{login_address}"),
            credentials,
            desk,
            lines,
            closing,
            servers: servers.into(),
        })
    }

    /// Where the org itself is, such as `http://127.0.0.1:49152`: what My Domain is for a real one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it plays `login.salesforce.com` (`test.salesforce.com` for a sandbox): one can sign in there, and no more.
    pub fn login_url(&self) -> &str {
        &self.login_url
    }

    /// What a client needed to sign in when the org started.
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

    /// Trouble from a seed, from now on and in place of what may be going on. The counting of occasions begins anew.
    ///
    /// # Errors
    /// If the trouble makes no sense.
    pub fn start_trouble(&self, trouble: Trouble) -> Result<(), TroubleError> {
        self.desk.app.trouble.start(trouble)
    }

    /// What struck so far, and what strikes next.
    pub fn trouble(&self) -> TroubleReport {
        self.desk.app.trouble.report()
    }

    /// Ends the trouble and heals what can be healed: topics are as they were, calls are there again. Rows that are late
    /// become visible with the workload that made them. Returns what struck.
    pub async fn stop_trouble(&self) -> TroubleReport {
        self.desk.end_trouble().await
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
        let mut servers = join_all(std::mem::take(&mut self.servers));
        if tokio::time::timeout(GRACE, &mut servers).await.is_err() {
            self.lines.sever();
            let _ = tokio::time::timeout(10 * GRACE, servers).await;
        }
    }
}

/// Listens, and tells where.
async fn bound(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.closing.send(true);
        self.lines.sever();
    }
}
