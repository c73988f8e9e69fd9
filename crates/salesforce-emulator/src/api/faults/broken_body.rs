//! Bodies that do not arrive as they should.

use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};

use crate::fault::FaultAction;

/// Spoils a reply's body where the action says so. The body is what goes over the wire, compressed or not.
pub(in crate::api) async fn spoiled(response: Response<Body>, action: &FaultAction) -> Response<Body> {
    match *action {
        FaultAction::Respell { ref text, ref into, latin1 } => {
            let (mut response, body) = whole(response).await;
            let into = if latin1 { in_latin1(into) } else { into.clone().into_bytes() };
            let body = respelled(&body, text.as_bytes(), &into);
            announce(response.headers_mut(), body.len());
            response.map(|_| Body::from(body))
        }
        FaultAction::Truncate { bytes } => response.map(|body| cut_after(body, bytes)),
        FaultAction::Cut { percent, chunked } => {
            let (mut response, body) = whole(response).await;
            if chunked {
                response.headers_mut().remove(CONTENT_LENGTH);
            }
            let arrives = part(&body, percent);
            response.map(|_| Body::from_stream(stream::iter([Ok(arrives)]).chain(stream::once(cut()))))
        }
        FaultAction::StallBody { percent, ms } => {
            let (response, body) = whole(response).await;
            let first = stream::iter([Ok(part(&body, percent))]);
            let silence = stream::once(async move {
                match ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
                cut().await
            });
            response.map(|_| Body::from_stream(first.chain(silence)))
        }
        FaultAction::Drip { pieces, ms } => {
            let (response, body) = whole(response).await;
            let size = body.len().div_ceil(pieces.max(1) as usize).max(1);
            let count = u32::try_from(body.len().div_ceil(size)).unwrap_or(u32::MAX);
            let pause = Duration::from_millis(ms) / count.saturating_sub(1).max(1);
            let drops = stream::unfold((body, Duration::ZERO), move |(mut body, wait)| async move {
                if body.is_empty() {
                    return None;
                }
                tokio::time::sleep(wait).await;
                let piece = body.split_to(size.min(body.len()));
                Some((Ok::<_, io::Error>(piece), (body, pause)))
            });
            response.map(|_| Body::from_stream(drops))
        }
        _ => response,
    }
}

/// A reply whose body has been taken together, and its length announced. One that broke off by itself stays broken.
async fn whole(response: Response<Body>) -> (Response<Body>, Bytes) {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    announce(&mut head.headers, body.len());
    (Response::from_parts(head, Body::empty()), body)
}

fn announce(headers: &mut HeaderMap, length: usize) {
    headers.insert(CONTENT_LENGTH, length.into());
}

fn part(body: &Bytes, percent: u8) -> Bytes {
    body.slice(..body.len() * usize::from(percent.min(99)) / 100)
}

fn respelled(body: &[u8], text: &[u8], into: &[u8]) -> Vec<u8> {
    let (mut respelled, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some(first) = rest.first() {
        match rest.strip_prefix(text).filter(|_| !text.is_empty()) {
            Some(behind) => {
                respelled.extend_from_slice(into);
                rest = behind;
            }
            None => {
                respelled.push(*first);
                rest = &rest[1..];
            }
        }
    }
    respelled
}

/// What ISO 8859-1 does not have becomes a question mark.
fn in_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect()
}

/// A body that breaks off after so many bytes.
fn cut_after(body: Body, bytes: usize) -> Body {
    let rest = (body.into_data_stream(), Some(bytes));
    Body::from_stream(stream::unfold(rest, |(mut body, left)| async move {
        let left = left?;
        match body.next().await {
            Some(Ok(chunk)) if chunk.len() <= left => Some((Ok(chunk.clone()), (body, Some(left - chunk.len())))),
            Some(Ok(chunk)) if left > 0 => Some((Ok(chunk.slice(..left)), (body, Some(0)))),
            _ => Some((cut().await, (body, None))),
        }
    }))
}

/// The end of a connection. What came before is let go first.
async fn cut() -> Result<Bytes, io::Error> {
    tokio::task::yield_now().await;
    Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut off by a scripted fault"))
}
