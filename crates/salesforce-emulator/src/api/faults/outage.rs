//! Answers that stand in for a request's own.

use axum::body::Body;
use http::header::CACHE_CONTROL;
use http::{Response, StatusCode};
use serde_json::json;

use crate::api::long_requests;
use crate::api::reply::{Reply, page};
use crate::fault::{FaultAction, Outage, TokenTrouble};
use crate::org::Refusal;

/// What a struck request is answered without being handled; `None` if it is handled or never answered.
pub(in crate::api) fn instead(action: &FaultAction) -> Option<Response<Body>> {
    Some(match action {
        FaultAction::Reply { status, body } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match body {
                Some(body) => Reply::value(body).status(status).into_response(),
                None => Reply::empty(status).into_response(),
            }
        }
        FaultAction::Html503 => outage(Outage::Page),
        FaultAction::Outage(disguise) => outage(*disguise),
        FaultAction::ConcurrentLimit => Reply::from(long_requests::refusal()).into_response(),
        FaultAction::DenyToken(trouble) => denied(*trouble),
        FaultAction::Drop => page(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        FaultAction::DropReply
        | FaultAction::Truncate { .. }
        | FaultAction::Stall
        | FaultAction::Delay { .. }
        | FaultAction::ExpireSession
        | FaultAction::Cut { .. }
        | FaultAction::StallBody { .. }
        | FaultAction::Drip { .. }
        | FaultAction::Respell { .. }
        | FaultAction::ExhaustCalls { .. }
        | FaultAction::LockRows { .. } => return None,
    })
}

fn outage(disguise: Outage) -> Response<Body> {
    let json =
        |status, code, message: &str| Reply::from(Refusal { status, ..Refusal::bad(code, message) }).into_response();
    match disguise {
        Outage::Json => json(503, "SERVER_UNAVAILABLE", "Server is too busy. Please try your request again later."),
        Outage::Page => page(StatusCode::SERVICE_UNAVAILABLE, "We are down for maintenance."),
        Outage::Empty => Reply::empty(StatusCode::SERVICE_UNAVAILABLE).into_response(),
        Outage::UnknownException => json(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        Outage::BadGateway => page(StatusCode::BAD_GATEWAY, "Bad Gateway"),
        Outage::GatewayTimeout => page(StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout"),
        Outage::PageWith200 => page(StatusCode::OK, "We are down for maintenance."),
    }
}

fn denied(trouble: TokenTrouble) -> Response<Body> {
    let (error, description) = match trouble {
        TokenTrouble::BeingProcessed => ("invalid_grant", "token request is already being processed"),
        TokenTrouble::RateExceeded => ("rate_limit_exceeded", "login rate exceeded"),
    };
    let body = json!({"error": error, "error_description": description});
    Reply::value(&body).header(CACHE_CONTROL, "no-store").status(StatusCode::BAD_REQUEST).into_response()
}
