//! The session with the server: a machine without sockets and without a clock.
//!
//! Inputs come in through [`Session::step`] with the time of their arrival, effects go out; between two steps the
//! machine is waiting for the reply to a request, for a sign-in, for [`Session::due`], for room in the consumer's
//! queue, or it has ended. The facts it rests on are those of the Streaming API developer guide and of replies seen
//! in the wild: the handshake's reply has no advice; a session forgotten by the server takes all its subscriptions
//! along; the server forgets a session forty seconds after its last reply.
//!
//! A reply that is lost after its request was sent may have carried events, and the protocol, without its
//! acknowledgement extension, never repeats them in the same session. Such a session is given up at once, and the
//! next one reads on from what was written; only a request that was never sent is simply sent again.

use std::time::Duration;

use super::{
    cause::Cause,
    channels::Channels,
    codec::Body,
    exchange::{Answer, Effect, Fault, Input, Level, Line, Post},
    message::{ClientId, Meta, Reconnect, Request},
    phase::{Asked, Lines, Phase, Poll},
    verdict::{Denial, ENDED, Verdict, precedes},
    waiting::{Setback, before_reconnect},
};
use crate::{Channel, Delivery, Error, Event, Failure, FailureKind, Gap, ReplayFrom};

/// After its last reply the server remembers a session for so long.
const REMEMBERED: Duration = Duration::from_secs(40);
/// How long the consumer's queue may stay full before the session is ended in good order.
const PATIENCE: Duration = Duration::from_secs(20);
/// A session that has lasted so long was a good one: what went wrong before it is forgiven.
const LASTING: Duration = Duration::from_secs(40);
/// How long to wait for the reply to a farewell.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long to wait for the reply to a request that is answered at once.
const PROMPT: Duration = Duration::from_secs(30);
/// For how long the server holds a connect unless it says otherwise, and the longest that is believed.
const HOLD: Duration = Duration::from_secs(110);
const LONGEST_HOLD: Duration = Duration::from_secs(120);
/// What is added to it before the connection counts as dead.
const SLACK: Duration = Duration::from_secs(20);
/// The longest a connect may be put off at the server's request; more would cost the session.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// New tokens in a row after which no further one is asked for.
const RENEWALS: u32 = 3;
/// Setbacks in a row after which a refusal of which nothing is known is final.
const REFUSALS: u32 = 10;
/// After every so many setbacks in a row a new token is asked for: its reply tells where the instance has moved to.
const RELOCATE: u32 = 5;

/// The machine.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    channels: Channels,
    lines: Lines,
    /// For how long the server holds a connect, as last advised.
    hold: Duration,
    /// How long to wait between two connects, as last advised.
    interval: Duration,
    /// The id of the next message.
    id: u64,
    /// Sessions in a row that did not last.
    setbacks: u32,
    /// New tokens in a row that were of no use.
    renewals: u32,
    /// How full the consumer's queue is.
    level: Level,
    /// When the server last spoke.
    heard: Duration,
}

/// One step: its time, and its effects so far.
struct Step {
    now: Duration,
    effects: Vec<Effect>,
}

impl Step {
    fn tell(&mut self, event: Event) {
        self.effects.push(Effect::Tell(event));
    }
}

impl Session {
    pub(crate) fn new(subscriptions: Vec<(Channel, ReplayFrom)>) -> Session {
        Session {
            phase: Phase::Idle,
            channels: Channels::new(subscriptions),
            lines: Lines::default(),
            hold: HOLD,
            interval: Duration::ZERO,
            id: 1,
            setbacks: 0,
            renewals: 0,
            level: Level::Empty,
            heard: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now`, which is counted from anywhere, and answers what to do, in order.
    pub(crate) fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        let mut step = Step { now, effects: Vec::new() };
        match input {
            Input::Start => {
                if let Phase::Idle = self.phase {
                    self.phase = Phase::Waiting { until: now, renew: false };
                }
            }
            Input::SignedIn => self.signed_in(&mut step),
            Input::NotSignedIn(error) => self.not_signed_in(error, &mut step),
            Input::Reply(line, answer) => self.replied(line, answer, &mut step),
            Input::Failed(line, fault, why) => self.failed(line, fault, &why, &mut step),
            Input::Due => {}
            Input::Queue(level) => self.level = level,
            Input::Subscribe(channel, from) => self.channels.subscribe(channel, from),
            Input::Written(channel, id) => self.channels.written(&channel, id),
            Input::Close => self.close(&mut step),
        }
        self.advance(&mut step);
        step.effects
    }

    /// When to come back with [`Input::Due`] if nothing else happens before.
    pub(crate) fn due(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Waiting { until, .. } | Phase::Pausing { until } | Phase::Closing { until } => Some(*until),
            // Only a full queue keeps the machine from asking for channels or sending a connect that is due.
            Phase::Subscribing { asked: None, .. } => Some(self.heard + PATIENCE),
            Phase::Connected { poll: Poll::Due { .. }, asked: None, .. } if self.level == Level::Full => {
                Some(self.heard + PATIENCE)
            }
            Phase::Connected { poll: Poll::Due { at, .. }, asked: None, .. } => {
                self.channels.due().into_iter().chain([*at]).min()
            }
            Phase::Connected { asked: None, .. } => self.channels.due(),
            _ => None,
        }
    }

    /// Does whatever is due: what an input made possible, or the passing of time.
    fn advance(&mut self, step: &mut Step) {
        match &mut self.phase {
            Phase::Waiting { until, renew } if *until <= step.now => {
                let renew = *renew;
                step.effects.push(Effect::SignIn { renew });
                self.phase = Phase::SigningIn { renew };
            }
            Phase::Subscribing { asked: None, .. } if self.level == Level::Full => self.hold_back(step),
            Phase::Subscribing { client, asked: None } => {
                let client = client.clone();
                self.ask(&client, step);
                if let Phase::Subscribing { asked: None, .. } = self.phase {
                    let poll = Poll::Due { at: step.now, attempts: 0 };
                    self.phase = Phase::Connected { client, since: step.now, poll, asked: None };
                    step.tell(Event::Connected);
                    self.advance(step);
                }
            }
            Phase::Connected { poll: Poll::Due { .. }, asked: None, .. } if self.level == Level::Full => {
                self.hold_back(step);
            }
            Phase::Connected { client, asked: None, .. } => {
                let client = client.clone();
                self.ask(&client, step);
                if let Phase::Connected { poll, asked: None, .. } = &mut self.phase
                    && let Poll::Due { at, attempts } = *poll
                    && at <= step.now
                {
                    *poll = Poll::Sent { attempts };
                    let patience = self.hold + SLACK;
                    self.send(Line::Connect, Request::Connect { client, at_once: false }, patience, step);
                }
            }
            Phase::Paused if self.level == Level::Empty => {
                self.phase = Phase::Waiting { until: step.now, renew: false };
                self.advance(step);
            }
            Phase::Pausing { until } if *until <= step.now => {
                self.hang_up(step);
                self.phase = Phase::Paused;
                self.advance(step);
            }
            Phase::Closing { until } if *until <= step.now => self.end(None, step),
            _ => {}
        }
    }

    /// Asks for the next channels, if there are any to ask for.
    fn ask(&mut self, client: &ClientId, step: &mut Step) {
        let channels = self.channels.ask(step.now);
        if channels.is_empty() {
            return;
        }
        let request = Request::Subscribe { client: client.clone(), channels: channels.clone() };
        let id = self.send(Line::Other, request, PROMPT, step);
        if let Phase::Subscribing { asked, .. } | Phase::Connected { asked, .. } = &mut self.phase {
            *asked = Some(Asked { id, channels });
        }
    }

    /// The consumer's queue is full: nothing more is asked for, and before the server forgets the session it is ended
    /// in good order.
    fn hold_back(&mut self, step: &mut Step) {
        if step.now < self.heard + PATIENCE {
            return;
        }
        let (Phase::Subscribing { client, .. } | Phase::Connected { client, .. }) = &self.phase else { return };
        let client = client.clone();
        self.lose("the events received are not taken; the session rests until they are".to_owned(), step);
        self.farewell(client, step);
        self.phase = Phase::Pausing { until: step.now + FAREWELL };
    }

    fn close(&mut self, step: &mut Step) {
        match &self.phase {
            Phase::FirstConnect { client } | Phase::Subscribing { client, .. } | Phase::Connected { client, .. } => {
                let client = client.clone();
                self.hang_up(step);
                self.farewell(client, step);
                self.phase = Phase::Closing { until: step.now + FAREWELL };
            }
            Phase::Pausing { until } => self.phase = Phase::Closing { until: *until },
            Phase::Idle | Phase::Waiting { .. } | Phase::SigningIn { .. } | Phase::Handshaking | Phase::Paused => {
                self.end(None, step);
            }
            Phase::Closing { .. } | Phase::Ended => {}
        }
    }

    fn farewell(&mut self, client: ClientId, step: &mut Step) {
        self.send(Line::Other, Request::Disconnect { client }, FAREWELL, step);
    }

    /// Begins a session, which owes nothing to the one before. Neither its advice nor its cookies: by them a server
    /// that still holds the old session takes both for two windows of one browser, and lets only one of them wait for
    /// events.
    fn signed_in(&mut self, step: &mut Step) {
        if let Phase::SigningIn { .. } = self.phase {
            (self.hold, self.interval) = (HOLD, Duration::ZERO);
            step.effects.push(Effect::ClearCookies);
            self.send(Line::Other, Request::Handshake, PROMPT, step);
            self.phase = Phase::Handshaking;
        }
    }

    fn not_signed_in(&mut self, error: Error, step: &mut Step) {
        let Phase::SigningIn { renew } = self.phase else { return };
        if error.is_retryable() {
            self.set_back(Setback::SignIn, &error.to_string(), step);
            if let Phase::Waiting { renew: again, .. } = &mut self.phase {
                *again |= renew;
            }
        } else {
            self.end(Some(error), step);
        }
    }

    fn replied(&mut self, line: Line, answer: Answer, step: &mut Step) {
        if !std::mem::take(self.lines.busy(line)) {
            return;
        }
        self.heard = step.now;
        match (&mut self.phase, line) {
            (Phase::Handshaking, Line::Other) => self.shaken(&answer.body, step),
            (Phase::FirstConnect { .. }, Line::Connect) => self.connected(answer, step),
            (Phase::Subscribing { asked, .. }, Line::Other) => {
                if let Some(asked) = asked.take() {
                    self.subscribed(&asked, answer, step);
                }
            }
            (Phase::Connected { poll, asked: Some(_), .. }, Line::Connect) => *poll = Poll::Answered(answer),
            (Phase::Connected { .. }, Line::Connect) => self.connected(answer, step),
            (Phase::Connected { poll, asked, .. }, Line::Other) => {
                let Some(asked) = asked.take() else { return };
                let now = Poll::Due { at: step.now, attempts: 0 };
                let (early, late) = match std::mem::replace(poll, now) {
                    Poll::Answered(held) if precedes(&held.body, &answer.body, &asked) => (Some(held), None),
                    Poll::Answered(held) => (None, Some(held)),
                    other => {
                        *poll = other;
                        (None, None)
                    }
                };
                if let Some(held) = early {
                    self.connected(held, step);
                }
                self.subscribed(&asked, answer, step);
                if let Some(held) = late {
                    self.connected(held, step);
                }
            }
            (Phase::Pausing { until } | Phase::Closing { until }, Line::Other) => *until = step.now,
            _ => {}
        }
    }

    fn failed(&mut self, line: Line, fault: Fault, why: &str, step: &mut Step) {
        if !std::mem::take(self.lines.busy(line)) {
            return;
        }
        match (&mut self.phase, line, fault) {
            (Phase::Pausing { until } | Phase::Closing { until }, ..) => *until = step.now,
            (Phase::Connected { poll: poll @ Poll::Sent { .. }, .. }, Line::Connect, Fault::Unsent) => {
                let Poll::Sent { attempts } = *poll else { return };
                let at = step.now + before_reconnect(attempts);
                *poll = Poll::Due { at, attempts: attempts + 1 };
                if at >= self.heard + REMEMBERED {
                    self.set_back(Setback::Unreachable, why, step);
                }
            }
            (_, _, Fault::Unsent | Fault::Lost) => self.set_back(Setback::Unreachable, why, step),
            (_, _, Fault::Refused) => self.set_back(Setback::Refused, why, step),
            (_, _, Fault::Unauthenticated) => self.unauthenticated(why, step),
        }
    }

    /// The reply to the handshake.
    fn shaken(&mut self, body: &Body, step: &mut Step) {
        let Some(reply) = body.messages().about(Meta::Handshake).next() else {
            return self.set_back(Setback::Refused, "the handshake is not answered", step);
        };
        match (&reply.client_id, reply.successful) {
            (Some(client), true) => {
                let client = ClientId::new(client);
                let request = Request::Connect { client: client.clone(), at_once: true };
                self.send(Line::Connect, request, PROMPT, step);
                self.phase = Phase::FirstConnect { client };
            }
            (None, true) => self.set_back(Setback::Refused, "the handshake's reply names no client", step),
            (_, false) => self.denied("the handshake", Denial::of(reply), step),
        }
    }

    /// The reply to a connect, the first or a later one.
    fn connected(&mut self, Answer { at, body }: Answer, step: &mut Step) {
        if !matches!(self.phase, Phase::FirstConnect { .. } | Phase::Connected { .. }) {
            return;
        }
        let verdict = Verdict::on_connect(&body);
        let quiet = body.messages().notifications.is_empty() && body.messages().unknown.is_empty();
        self.deliver(body, step);
        let advice = match verdict {
            Verdict::Fine(advice) => advice,
            Verdict::Over(why) => return self.set_back(Setback::Broken, why, step),
            Verdict::Denied(denial) => return self.denied("the connect", denial, step),
            Verdict::Unanswered => return self.set_back(Setback::Refused, "a connect is not answered", step),
        };
        if let Some(hold) = advice.timeout.and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0) {
            self.hold = Duration::from_millis(hold).min(LONGEST_HOLD);
        }
        if let Some(interval) = advice.interval {
            self.interval = Duration::from_millis(u64::try_from(interval).unwrap_or(0)).min(LONGEST_INTERVAL);
        }
        match &mut self.phase {
            Phase::FirstConnect { client } => {
                self.phase = Phase::Subscribing { client: client.clone(), asked: None };
                // Whoever only wants to know whether a session can be begun need not wait for a long poll to run out.
                if quiet && self.channels.is_empty() {
                    step.tell(Event::Alive { at });
                }
            }
            Phase::Connected { poll, .. } => {
                *poll = Poll::Due { at: step.now + self.interval, attempts: 0 };
                if quiet {
                    step.tell(Event::Alive { at });
                }
            }
            _ => {}
        }
    }

    /// The reply to a request for subscriptions: some may be granted and others not.
    fn subscribed(&mut self, asked: &Asked, Answer { at, body }: Answer, step: &mut Step) {
        if !matches!(self.phase, Phase::Subscribing { .. } | Phase::Connected { .. }) {
            return;
        }
        let mut denied = None;
        for (id, (channel, from)) in (asked.id..).zip(&asked.channels) {
            let reply = body.messages().about(Meta::Subscribe).find(|reply| match &reply.subscription {
                Some(subscription) => subscription == channel.as_str(),
                None => reply.answers(id),
            });
            match reply {
                Some(reply) if reply.successful => {
                    if let Some(from) = self.channels.accepted(channel) {
                        step.tell(Event::Subscribed { channel: channel.clone(), from, at });
                    }
                }
                Some(reply) => denied = self.refused(channel, *from, Denial::of(reply), step).or(denied),
                None => {
                    let (words, reconnect) = ("it is not answered".to_owned(), None);
                    denied = Some(Denial { cause: Cause::Refused(FailureKind::Other), words, reconnect });
                }
            }
        }
        let over = body.messages().about(Meta::Disconnect).next().is_some();
        self.deliver(body, step);
        if let Some(denial) = denied {
            self.denied("a subscription", denial, step);
        } else if over {
            self.set_back(Setback::Broken, ENDED, step);
        }
    }

    /// One subscription is refused. Answers the denial if it is about the whole session.
    fn refused(&mut self, channel: &Channel, from: ReplayFrom, denial: Denial, step: &mut Step) -> Option<Denial> {
        let kind = match denial.cause {
            Cause::Unauthenticated | Cause::UnknownClient | Cause::ForeignCookies => return Some(denial),
            Cause::Replay if matches!(from, ReplayFrom::After(_)) => {
                if let Some(channel) = self.channels.rest(channel.name()) {
                    step.tell(Event::Gap { channel, why: Gap::Refused { from, text: denial.words } });
                }
                return None;
            }
            Cause::Replay => FailureKind::Other,
            Cause::Refused(kind) => kind,
        };
        if let Some(retry_in) = self.channels.refused(channel, kind, step.now) {
            let failure = Failure { kind, text: denial.words, retry_in };
            step.tell(Event::Refused { channel: channel.clone(), failure });
        }
        None
    }

    /// Hands on what a reply brought for the consumer.
    fn deliver(&mut self, body: Body, step: &mut Step) {
        for unknown in &body.messages().unknown {
            let Some(name) = &unknown.channel else { continue };
            if let Some(channel) = self.channels.rest(name) {
                step.tell(Event::Gap { channel, why: Gap::Unreadable { text: unknown.why.clone() } });
            }
        }
        if let Some(delivery) = Delivery::new(body) {
            step.tell(Event::Delivered(delivery));
        }
    }

    /// The server denies something to the session as a whole.
    fn denied(&mut self, what: &str, denial: Denial, step: &mut Step) {
        let why = format!("{what} is refused: {}", denial.words);
        let setback = match denial.cause {
            Cause::Unauthenticated => return self.unauthenticated(&why, step),
            Cause::UnknownClient | Cause::ForeignCookies => Setback::Broken,
            Cause::Refused(FailureKind::Busy) => Setback::Busy,
            Cause::Refused(FailureKind::TooManyClients) => Setback::TooManyClients,
            Cause::Refused(FailureKind::DailyLimit) => Setback::DailyLimit,
            Cause::Refused(kind @ (FailureKind::ApiVersion | FailureKind::NotEnabled)) => {
                let failure = Failure { kind, text: denial.words, retry_in: None };
                return self.end(Some(Error::Session(failure)), step);
            }
            Cause::Replay | Cause::Refused(_) if denial.reconnect == Some(Reconnect::Handshake) => Setback::Broken,
            Cause::Replay | Cause::Refused(_) => Setback::Refused,
        };
        self.set_back(setback, &why, step);
    }

    fn unauthenticated(&mut self, why: &str, step: &mut Step) {
        self.forgive(step.now);
        self.renewals += 1;
        if self.renewals > RENEWALS {
            return self.end(Some(Error::Unauthenticated { why: why.to_owned() }), step);
        }
        self.set_back(Setback::Unauthenticated, why, step);
    }

    /// The session is over, and another one is begun after a while.
    fn set_back(&mut self, setback: Setback, why: &str, step: &mut Step) {
        self.forgive(step.now);
        if setback == Setback::Refused && self.setbacks >= REFUSALS {
            let failure = Failure { kind: FailureKind::Other, text: why.to_owned(), retry_in: None };
            return self.end(Some(Error::Session(failure)), step);
        }
        let wait = setback.wait(self.setbacks);
        self.setbacks += 1;
        let moved = setback == Setback::Unreachable && self.setbacks.is_multiple_of(RELOCATE);
        self.hang_up(step);
        self.lose(format!("{why}; next attempt in {} s", wait.as_secs()), step);
        self.phase = Phase::Waiting { until: step.now + wait, renew: moved || setback == Setback::Unauthenticated };
    }

    /// What went wrong before a session that lasted is forgotten.
    fn forgive(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Connected { since, .. } if now >= since + LASTING) {
            (self.setbacks, self.renewals) = (0, 0);
        }
    }

    fn lose(&mut self, why: String, step: &mut Step) {
        self.channels.forget();
        step.tell(Event::Lost { why });
    }

    fn send(&mut self, line: Line, request: Request, patience: Duration, step: &mut Step) -> u64 {
        let id = self.id;
        self.id += request.messages() as u64;
        *self.lines.busy(line) = true;
        step.effects.push(Effect::Send(Post { line, id, request, patience }));
        id
    }

    fn hang_up(&mut self, step: &mut Step) {
        if self.lines.connect || self.lines.other {
            self.lines = Lines::default();
            step.effects.push(Effect::HangUp);
        }
    }

    fn end(&mut self, error: Option<Error>, step: &mut Step) {
        self.hang_up(step);
        self.phase = Phase::Ended;
        step.effects.push(Effect::End(error));
    }
}
