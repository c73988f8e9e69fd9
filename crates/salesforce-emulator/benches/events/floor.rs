//! The least that delivery can take: the same bodies from a route that has them ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;

use crate::{Line, Result, count, now};

pub(crate) async fn drained(bodies: &[Bytes], gzip: bool) -> Result<Duration> {
    let (bodies, next): (Arc<[Bytes]>, _) = (bodies.into(), Arc::new(AtomicUsize::new(0)));
    let replies = bodies.len();
    let route = post(move |_: Bytes| {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let body = bodies[at % bodies.len()].clone();
        async move { ([("content-type", "application/json;charset=UTF-8")], body) }
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = listener.local_addr()?.to_string();
    let router = Router::new().route("/", route).layer(CompressionLayer::new());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut line = Line::to(&url).await?;
    let headers: &[_] = if gzip { &[("accept-encoding", "gzip")] } else { &[] };
    let began = now();
    let mut events = 0;
    for _ in 0..replies {
        events += count(&line.post("/", headers, "[]").await?.body)?;
    }
    let took = began.elapsed();
    server.abort();
    if events == 0 { Err("the floor delivered nothing".into()) } else { Ok(took) }
}
