//! Records out of the recycle bin. REST has no call for it; SOAP has, and takes the same token.

use http::Method;
use serde::Deserialize;

use crate::{
    Action, Error, Fault, Org, RecordId, RowRefusal, SObjectName, call::Call, error::Verb, failure::Failure,
    http::Reply, retry::Effect, soap::PARTNER, write::MOST_ROWS,
};

impl Org {
    /// Restores records of one object from the recycle bin, at least one and at most [`MOST_ROWS`], and with each what was deleted along
    /// with it; answers for each in its place whether it is back. It is one call however many records there are.
    ///
    /// A record is refused with `UNDELETE_FAILED` if it is not in the recycle bin: it was never deleted, or is gone for good. Done twice it
    /// ends the same, but for this refusal.
    ///
    /// # Errors
    /// Of a call that came to nothing as a whole. [`Error::Invalid`] for no records or too many. Otherwise as any call.
    pub async fn undelete(&self, object: &SObjectName, ids: &[RecordId]) -> Result<Vec<Result<(), RowRefusal>>, Error> {
        if !(1..=MOST_ROWS).contains(&ids.len()) {
            return Err(Error::invalid("list of records", object.as_str(), "it has 1 to 200 of them"));
        }
        let asked: String = ids.iter().map(|id| format!("<ids>{id}</ids>")).collect();
        let call =
            Call::write(Action::WriteRows(Verb::Undelete, object.clone(), ids.len()), Method::POST, Effect::Repeatable);
        let call = call
            .path(format!("/services/Soap/u/{}", self.api_version()))
            .soap(format!(r#"<undelete xmlns="{PARTNER}">{asked}</undelete>"#));
        self.send(&call, |reply| read(reply, ids.len())).await
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Body")]
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "undeleteResponse")]
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    result: Vec<Wire>,
}

/// What became of one record. Its id is not looked at: results come in the order of the records.
#[derive(Deserialize)]
struct Wire {
    success: bool,
    #[serde(default)]
    errors: Vec<WireFault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFault {
    status_code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
}

fn read(reply: &Reply, asked: usize) -> Result<Vec<Result<(), RowRefusal>>, Failure> {
    let envelope: Envelope = quick_xml::de::from_str(reply.text()?).map_err(|_| Failure::Garbled {
        status: reply.status,
        why: "it is no whole answer to undelete()".to_owned(),
    })?;
    let results = envelope.body.response.result;
    if results.len() != asked {
        return Err(Failure::unexpected(reply, "it has not as many outcomes as records were to be restored"));
    }
    let fault = |it: WireFault| Fault { fields: it.fields, ..Fault::new(&it.status_code, &it.message) };
    let outcome = |Wire { success, errors }| {
        if success { Ok(()) } else { Err(RowRefusal { faults: errors.into_iter().map(fault).collect() }) }
    };
    Ok(results.into_iter().map(outcome).collect())
}
