//! The handle by which tests and `/__emulator/faults` make trouble and look inside.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{Planned, Rule};
use super::server::Server;

/// A handle to the running server; clones share it.
#[derive(Clone)]
pub struct Control(Arc<Server>);

/// What can be done through [`Control`], as JSON: `{"script": {"fault": "drop_reply"}}`, `{"forget": {"client": "1abc…"}}`,
/// `{"forget": {}}` for all, `"clear"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// See [`Control::script`].
    Script(Rule),
    /// See [`Control::clear`].
    Clear,
    /// See [`Control::forget`] and [`Control::forget_all`].
    Forget {
        /// All sessions if absent.
        #[serde(default)]
        client: Option<String>,
    },
    /// See [`Control::disconnect`] and [`Control::disconnect_all`].
    Disconnect {
        /// All sessions if absent.
        #[serde(default)]
        client: Option<String>,
    },
}

/// A session as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// The Bayeux client id.
    pub client_id: String,
    /// Whose token made the handshake.
    pub user_id: String,
    /// Whether a connect waits.
    pub held: bool,
    /// Channels in the order of subscription, each with the replay id last handed out.
    pub positions: Vec<(String, i64)>,
}

/// What subscribers cost, in bytes. Events are kept once, in the org's log, however many subscribers have yet to hear
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Sessions with their subscriptions: names, filters and positions.
    pub sessions: usize,
    /// Replies that were made and have not left yet; each at most
    /// [`max_reply_bytes`](super::Settings::max_reply_bytes) of events, or a single event.
    pub outgoing: usize,
}

impl Control {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self(server)
    }

    /// Does what the command says.
    pub fn run(&self, command: Command) {
        match command {
            Command::Script(rule) => self.script(rule),
            Command::Clear => self.clear(),
            Command::Forget { client } => self.0.with(|sessions, _| sessions.forget(client.as_deref())),
            Command::Disconnect { client } => self.0.with(|sessions, _| sessions.disconnect(client.as_deref())),
        }
    }

    /// Adds a rule; rules of the same kind strike in the order they were added.
    pub fn script(&self, rule: Rule) {
        self.0.with(|sessions, _| sessions.faults().add(rule));
    }

    /// From now on each occasion asks this plan too. It is asked with the sessions locked and must not call back.
    pub fn follow(&self, plan: Arc<dyn Planned>) {
        self.0.with(|sessions, _| sessions.faults().follow(plan));
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.0.with(|sessions, _| sessions.faults().clear());
    }

    /// The rules still to strike: a test that scripted trouble can see that it happened.
    pub fn rules(&self) -> Vec<Rule> {
        self.0.with(|sessions, _| sessions.faults().rules().to_vec())
    }

    /// Forgets a session as if its node had died: its next message, or the connect that waits, gets
    /// `403::Unknown client`.
    pub fn forget(&self, client: &str) {
        self.0.with(|sessions, _| sessions.forget(Some(client)));
    }

    /// Forgets all sessions.
    pub fn forget_all(&self) {
        self.0.with(|sessions, _| sessions.forget(None));
    }

    /// Ends a session by a `/meta/disconnect` of the server, as releases since 64.0 do when nodes are taken away. A
    /// client whose connect does not wait is told by its next one.
    pub fn disconnect(&self, client: &str) {
        self.0.with(|sessions, _| sessions.disconnect(Some(client)));
    }

    /// Ends all sessions by a `/meta/disconnect` of the server.
    pub fn disconnect_all(&self) {
        self.0.with(|sessions, _| sessions.disconnect(None));
    }

    /// The sessions alive now, in the order of their client ids.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.0.with(|sessions, now| sessions.view(now))
    }

    /// What subscribers cost now.
    pub fn memory(&self) -> Memory {
        self.0.memory()
    }

    /// Answers every waiting and every later request by HTTP 503, so that the listener can shut down without waiting for
    /// long polls to run out.
    pub fn close(&self) {
        self.0.with(|sessions, _| sessions.close());
    }
}
