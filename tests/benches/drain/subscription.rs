//! A CometD client that only keeps the replies, compressed as they came.

use reqwest::{
    Client, Response,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE},
};
use serde_json::{Value, json};

use crate::{Result, floor, org::Org, token};

/// The replies that carry the events retained on the org's channel, so many of them.
pub(crate) async fn replies(org: &Org, events: usize) -> Result<Vec<Vec<u8>>> {
    let channel = org.channel()?;
    let (mut client, handshake) = Cometd::handshake(org).await?;
    let id = &handshake[0]["clientId"];
    let connect = json!([{ "channel": "/meta/connect", "clientId": id, "connectionType": "long-polling" }]);
    client.post(&connect).await?;
    let replay = json!({ "replay": { channel.as_str(): -2 } });
    let subscribe = json!([{ "channel": "/meta/subscribe", "clientId": id, "subscription": channel, "ext": replay }]);
    let (mut replies, mut seen) = (Vec::new(), 0);
    let mut reply = client.post(&subscribe).await?;
    loop {
        let here = floor::events(&floor::unpacked(&reply)?)?;
        seen += here;
        if here > 0 {
            replies.push(reply);
        }
        if seen >= events {
            return Ok(replies);
        }
        reply = client.post(&connect).await?;
    }
}

struct Cometd {
    http: Client,
    url: String,
    bearer: String,
    cookies: String,
}

impl Cometd {
    async fn handshake(org: &Org) -> Result<(Self, Value)> {
        let http = Client::builder().gzip(false).build()?;
        let bearer = format!("Bearer {}", token::access_token(&http, org.emulator()).await?);
        let mut client =
            Self { http, url: format!("{}/cometd/62.0", org.emulator().url()), bearer, cookies: String::new() };
        let handshake = json!([{
            "channel": "/meta/handshake",
            "version": "1.0",
            "supportedConnectionTypes": ["long-polling"],
            "ext": { "replay": true },
        }]);
        let response = client.send(&handshake).await?;
        let cookies = response.headers().get_all(SET_COOKIE).iter().map(pair).collect::<Result<Vec<_>>>()?;
        client.cookies = cookies.join("; ");
        let reply = serde_json::from_slice(&floor::unpacked(&response.bytes().await?)?)?;
        Ok((client, reply))
    }

    async fn post(&mut self, messages: &Value) -> Result<Vec<u8>> {
        Ok(self.send(messages).await?.bytes().await?.into())
    }

    async fn send(&self, messages: &Value) -> Result<Response> {
        let request = self
            .http
            .post(&self.url)
            .header(AUTHORIZATION, &self.bearer)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .header(COOKIE, &self.cookies)
            .body(messages.to_string());
        Ok(request.send().await?.error_for_status()?)
    }
}

/// Name and value of a cookie, without its attributes.
fn pair(cookie: &HeaderValue) -> Result<&str> {
    Ok(cookie.to_str()?.split(';').next().unwrap_or_default())
}
