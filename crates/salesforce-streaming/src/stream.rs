//! The stream: a task that performs what the machine of the session decides, and the handle its consumer holds.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use salesforce_client::{Org, Token};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Channel, Error, Event, ReplayFrom, ReplayId,
    bayeux::{Effect, Input, Level, Post, Session},
    cookies::Cookies,
    queue::{self, Receiver, Sender},
    transport::Transport,
};

/// How much a stream may hold.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many bytes may wait for the consumer, counting what parsed events take: at this size the stream asks for no
    /// more, and if nothing is taken for 20 seconds it rests. One or two replies come on top.
    pub queue_bytes: usize,
    /// The longest reply that is read, in bytes. The developer guide advises at least 10 MB.
    pub reply_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { queue_bytes: 16 << 20, reply_bytes: 64 << 20 }
    }
}

/// How long [`Stream::close`] waits for the farewell to be said.
const CLOSING: Duration = Duration::from_secs(10);

/// The events of some channels of an org.
///
/// Dropping it ends the session as [`Stream::close`] does, without waiting for it.
#[derive(Debug)]
pub struct Stream {
    events: Receiver,
    commands: mpsc::UnboundedSender<Input>,
    task: JoinHandle<()>,
}

impl Stream {
    /// Begins to stream, on a task of its own: must be called within a tokio runtime. What comes of it is told by
    /// [`Stream::next`].
    #[must_use]
    pub fn open(org: Org, options: Options, subscriptions: Vec<(Channel, ReplayFrom)>) -> Stream {
        let (queue, events) = queue::queue(options.queue_bytes);
        let (commands, inbox) = mpsc::unbounded_channel();
        let shell = Shell {
            org,
            longest: options.reply_bytes,
            session: Session::new(subscriptions),
            level: Level::Empty,
            queue,
            cookies: Arc::default(),
            token: None,
            running: JoinSet::new(),
            opened: now(),
        };
        Stream { events, commands, task: tokio::spawn(shell.run(inbox)) }
    }

    /// The next event. It may be dropped while waiting; nothing is lost.
    ///
    /// # Errors
    /// What ends the stream: [`Error::SignIn`], [`Error::Unauthenticated`], [`Error::Session`], and after that
    /// [`Error::Ended`]. Everything else the stream overcomes by itself.
    pub async fn next(&mut self) -> Result<Event, Error> {
        self.events.recv().await.unwrap_or(Err(Error::Ended))
    }

    /// Says that everything the channel delivered up to `id` is written. After a lost session the channel is read on
    /// from there, so that what was delivered and not written comes again.
    pub fn written(&mut self, channel: &Channel, id: ReplayId) {
        self.command(Input::Written(channel.clone(), id));
    }

    /// Subscribes a channel anew: after a gap was dealt with, after a refusal, for a topic that was made anew, or as a
    /// further channel. What was said of it before is forgotten.
    pub fn resubscribe(&mut self, channel: Channel, from: ReplayFrom) {
        self.command(Input::Subscribe(channel, from));
    }

    /// Ends the session in good order, within ten seconds. Without it the session counts against the org's limit of
    /// concurrent clients for a while longer.
    pub async fn close(self) {
        self.command(Input::Close);
        // Nothing is left to do if the task panicked or takes too long.
        let _ = timeout(CLOSING, self.task).await;
    }

    fn command(&self, command: Input) {
        // The task is gone only after the end of the stream, which `next` tells.
        let _ = self.commands.send(command);
    }
}

/// What the machine decides is done here.
struct Shell {
    org: Org,
    longest: usize,
    session: Session,
    /// The level of the queue that the machine knows.
    level: Level,
    queue: Sender,
    cookies: Arc<Mutex<Cookies>>,
    token: Option<Arc<Token>>,
    /// Requests and sign-ins under way.
    running: JoinSet<Done>,
    opened: Instant,
}

/// What came of something the shell started.
enum Done {
    SignedIn(Result<Arc<Token>, salesforce_client::Error>),
    Posted(Input),
}

impl Shell {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Input>) {
        let mut input = Input::Start;
        while self.step(input) {
            let level = self.queue.level(self.level);
            if level != self.level {
                self.level = level;
                input = Input::Queue(level);
                continue;
            }
            let due = self.session.due().map(|due| self.opened + due);
            input = tokio::select! {
                command = inbox.recv() => command.unwrap_or(Input::Close),
                Some(done) = self.running.join_next() => match done {
                    Ok(Done::Posted(input)) => input,
                    Ok(Done::SignedIn(Ok(token))) => {
                        self.token = Some(token);
                        Input::SignedIn
                    }
                    Ok(Done::SignedIn(Err(error))) => Input::NotSignedIn(error.into()),
                    Err(cut) => match cut.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        // Nothing here is cancelled but by the end of the whole runtime.
                        Err(_) => return,
                    },
                },
                () = self.queue.taken() => Input::Due,
                () = reached(due) => Input::Due,
            };
        }
    }

    /// Lets the machine take a step and performs its effects. Answers whether to go on.
    fn step(&mut self, input: Input) -> bool {
        let now = now() - self.opened;
        for effect in self.session.step(input, now) {
            match effect {
                Effect::SignIn { renew } => self.sign_in(renew),
                Effect::ClearCookies => self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clear(),
                Effect::Send(post) => self.post(post),
                Effect::HangUp => self.running = JoinSet::new(),
                Effect::Tell(event) => self.queue.send(Ok(event)),
                Effect::End(error) => {
                    error.into_iter().for_each(|error| self.queue.send(Err(error)));
                    return false;
                }
            }
        }
        true
    }

    fn sign_in(&mut self, renew: bool) {
        let (org, stale) = (self.org.clone(), self.token.clone().filter(|_| renew));
        self.running.spawn(async move {
            Done::SignedIn(match stale {
                Some(stale) => org.renew(&stale).await,
                None => org.token().await,
            })
        });
    }

    fn post(&mut self, Post { line, id, request, patience }: Post) {
        let token = self.token.as_deref().expect("the machine sends nothing before it has a token");
        let cookies = Arc::clone(&self.cookies);
        let transport = Transport::new(self.org.http().clone(), token, self.org.api_version(), cookies, self.longest);
        self.running.spawn(async move {
            Done::Posted(match transport.post(request.to_json(id), patience).await {
                Ok(answer) => Input::Reply(line, answer),
                Err((fault, why)) => Input::Failed(line, fault, why),
            })
        });
    }
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock for the machine")]
fn now() -> Instant {
    Instant::now()
}
