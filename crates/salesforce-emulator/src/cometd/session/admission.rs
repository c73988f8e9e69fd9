//! Who may speak: handshakes, and the recognition of a client by token, cookies and client id.

use std::time::Instant;

use rand::RngExt;

use super::super::cookie::Cookies;
use super::super::message::{Call, Message};
use super::super::reply::{Advice, Ext, Reply};
use super::super::{AuthFailure, Principal};
use super::{Line, Session, Sessions};

/// Who sends a request, over which URI.
#[derive(Debug)]
pub(in crate::cometd) struct Caller {
    pub who: Result<Principal, Anonymous>,
    pub cookies: Cookies,
    pub uri: Result<(), BadUri>,
}

/// Why nobody in particular sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cometd) enum Anonymous {
    NoToken,
    Refused(AuthFailure),
}

/// What is wrong with the version in the URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cometd) enum BadUri {
    NoVersion,
    UnsupportedVersion,
}

/// Why the sender of a message may not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    Anonymous(Anonymous),
    /// It names no client.
    NoHandshake,
    /// No such session here: run out, forgotten, or on another node.
    Unknown,
    /// Nothing shows that the session is its own.
    NoCookie,
    /// The token is another user's.
    OtherUser,
}

impl Sessions {
    /// Makes a session, or says why not.
    pub(super) fn handshake(
        &mut self,
        message: &Message,
        connection_types: Option<&[String]>,
        caller: &Caller,
        cookies: &Cookies,
        now: Instant,
    ) -> Reply {
        let who = match self.may_handshake(connection_types, caller) {
            Ok(who) => who,
            Err(reason) => {
                return Reply::to(message).reason(reason).advice(Advice::denied()).failed("403::Handshake denied");
            }
        };
        let length = self.rng.random_range(25..=30);
        let client = self.draw(length, LOWER);
        let session = Session {
            who,
            browser: chosen(&caller.cookies.bayeux_browser, &cookies.bayeux_browser),
            node: chosen(&caller.cookies.sfdc_stream, &cookies.sfdc_stream),
            subscriptions: Vec::new(),
            line: Line::Handshaken,
            seen: now,
            ending: false,
            quiet_until: None,
            withheld: 0,
        };
        self.table.insert(client.clone(), session);
        Reply {
            ext: Some(Ext::default()),
            minimum_version: Some("1.0"),
            supported_connection_types: Some(["long-polling"]),
            version: Some("1.0"),
            ..Reply::to(message).client(&client)
        }
    }

    /// The client a message comes from, if it may speak.
    pub(super) fn recognise(&self, message: &Message, caller: &Caller) -> Result<String, Stranger> {
        let who = caller.who.as_ref().map_err(|anonymous| Stranger::Anonymous(*anonymous))?;
        let client = message.client.as_ref().ok_or(Stranger::NoHandshake)?;
        let session = self.table.get(client).ok_or(Stranger::Unknown)?;
        if caller.cookies.sfdc_stream.as_ref() != Some(&session.node) {
            return Err(Stranger::Unknown);
        }
        match &caller.cookies.bayeux_browser {
            None => Err(Stranger::NoCookie),
            Some(browser) if *browser != session.browser => Err(Stranger::Unknown),
            Some(_) if *who != session.who => Err(Stranger::OtherUser),
            Some(_) => Ok(client.clone()),
        }
    }

    /// The reply to a message whose sender may not speak.
    pub(super) fn turn_away(&self, message: &Message, stranger: Stranger) -> Reply {
        let reply = self.addressed(message);
        match stranger {
            Stranger::Anonymous(anonymous) => reply.advice(Advice::stop()).failed(anonymous.text()),
            Stranger::NoHandshake => {
                reply.advice(Advice::handshake()).failed("403::Client has not completed handshake")
            }
            Stranger::Unknown => unknown_client(reply),
            Stranger::NoCookie => {
                let client = message.client.as_deref().unwrap_or_default();
                reply.failed(format!(
                    "400::Client {client} has established a session, but no BAYEUX_BROWSER cookie present"
                ))
            }
            Stranger::OtherUser => reply.failed("400::Authenticated user id does not match the session's user id"),
        }
    }

    /// A reply that names the client if there is such a session.
    pub(super) fn addressed(&self, message: &Message) -> Reply {
        let reply = Reply::to(message);
        match &message.client {
            Some(client) if self.table.contains_key(client) => reply.client(client),
            _ => reply,
        }
    }

    /// The cookies to set: what the request did not bring, and the node's again, to renew it.
    pub(super) fn issue(&mut self, caller: &Caller, messages: &[Message]) -> Cookies {
        let brought = &caller.cookies;
        let handshakes = messages.iter().any(|message| matches!(message.call, Call::Handshake { .. }));
        Cookies {
            browser_id: brought.browser_id.is_none().then(|| self.draw(22, MIXED)),
            bayeux_browser: (handshakes && brought.bayeux_browser.is_none()).then(|| self.draw(16, LOWER)),
            sfdc_stream: Some(brought.sfdc_stream.clone().unwrap_or_else(|| format!("!{}", self.draw(86, MIXED)))),
        }
    }

    fn may_handshake(&self, connection_types: Option<&[String]>, caller: &Caller) -> Result<Principal, String> {
        let newest = self.settings.newest_version;
        let oldest = self.settings.oldest_version;
        match caller.uri {
            Ok(()) => {}
            Err(BadUri::NoVersion) => {
                return Err(format!("400::API version in the URI is mandatory. URI format: '/cometd/{newest}.0'"));
            }
            Err(BadUri::UnsupportedVersion) => {
                return Err(format!(
                    "400::Unsupported API version. Only API versions '{oldest}.0' and later are supported. URI format: \
                     '/cometd/{newest}.0'"
                ));
            }
        }
        let who = caller.who.as_ref().map_err(|anonymous| anonymous.text().to_owned())?;
        if let Some(types) = connection_types
            && !types.iter().any(|kind| kind == "long-polling")
        {
            return Err(invalid_connection_type(types.first().map_or("", String::as_str)));
        }
        if self.table.len() >= self.settings.max_clients {
            return Err("403::Organization concurrent user limit exceeded".to_owned());
        }
        Ok(who.clone())
    }

    fn draw(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length).map(|_| char::from(alphabet[self.rng.random_range(0..alphabet.len())])).collect()
    }
}

impl Anonymous {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NoToken => "401::Request requires authentication",
            Self::Refused(AuthFailure::Invalid) => "401::Authentication invalid",
            Self::Refused(AuthFailure::NotEnabled) => "403::User not enabled for streaming",
        }
    }
}

/// Only a connect is advised, as in CometD; other messages of an unknown client are merely refused.
pub(super) fn unknown_client(reply: Reply) -> Reply {
    let reply = Reply { client_id: None, subscription: None, ..reply };
    let advised = reply.channel.as_deref() == Some("/meta/connect");
    let reply = if advised { reply.advice(Advice::handshake()) } else { reply };
    reply.failed("403::Unknown client")
}

pub(super) fn invalid_connection_type(kind: &str) -> String {
    format!("400::Invalid connection type {{{kind}}}")
}

fn chosen(brought: &Option<String>, issued: &Option<String>) -> String {
    brought.as_ref().or(issued.as_ref()).cloned().unwrap_or_default()
}

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const MIXED: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
