//! Answers: JSON in Salesforce's spelling, errors as arrays.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value as Json, json};

use axum::body::Body;

use crate::org::Refusal;

/// An answer before it becomes HTTP.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Takes the place of `body`.
    stream: Option<Body>,
}

const JSON: &str = "application/json;charset=UTF-8";

impl Reply {
    /// 200 with finished JSON.
    pub(super) fn json(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type: JSON, body: body.into(), headers: Vec::new(), stream: None }
    }

    /// 200 with JSON in the order of its keys.
    pub(super) fn value(value: &Json) -> Self {
        Self::json(value.to_string())
    }

    /// 200 with binary content.
    pub(super) fn binary(body: impl Into<Bytes>) -> Self {
        Self { content_type: "application/octet-stream", ..Self::json(body) }
    }

    /// Nothing but a status.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, content_type: "", ..Self::json(Bytes::new()) }
    }

    /// Plain text.
    pub(super) fn text(status: StatusCode, text: &'static str) -> Self {
        Self { status, content_type: "text/html;charset=UTF-8", ..Self::json(Bytes::from_static(text.as_bytes())) }
    }

    /// A page for people, in plain text.
    pub(super) fn page(status: StatusCode, text: &str) -> Self {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Self { status, content_type: "text/html;charset=UTF-8", ..Self::json(body) }
    }

    /// An XML document, as SOAP answers.
    pub(super) fn xml(document: impl Into<Bytes>) -> Self {
        Self { content_type: "text/xml;charset=UTF-8", ..Self::json(document) }
    }

    /// 200 with a body that is made while it is sent. It cannot be a part of another reply.
    pub(super) fn streamed(content_type: &'static str, body: Body) -> Self {
        Self { content_type, stream: Some(body), ..Self::json(Bytes::new()) }
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// Status, headers and body, for a reply inside another one.
    pub(super) fn into_parts(self) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, Bytes) {
        (self.status, self.headers, self.body)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.stream.unwrap_or_else(|| Body::from(self.body)));
        *response.status_mut() = self.status;
        if !self.content_type.is_empty() {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Refusal { code, message, fields, .. } = refusal;
        let error = match fields {
            // The recorded replies have the code first here, and only here.
            None if ["NOT_FOUND", "PROCESSING_HALTED", "LIMIT_EXCEEDED"].contains(&code) => {
                json!({"errorCode": code, "message": message})
            }
            None => json!({"message": message, "errorCode": code}),
            Some(fields) => json!({"message": message, "errorCode": code, "fields": fields}),
        };
        Self::value(&json!([error])).status(status)
    }
}

/// A page for people, as the edge answers outside the API.
pub(super) fn page(status: StatusCode, title: &str) -> Response<Body> {
    let html = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8"));
    response
}
