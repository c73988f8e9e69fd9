//! Requests in, answers out: what the process does when Flow has started it.

use flow_protocol::{
    materialize::{MaterializationSpec, Request, Response},
    stdio::{Requests, Responses},
};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    config::Config,
    error::Error,
    resource::Resource,
    session, spec,
    validate::{self, Wanted},
};

/// Answers requests until they end. `open` turns the rest of the process into a session.
///
/// # Errors
/// The first request that cannot be served: Flow expects the process to end with it.
pub async fn serve<R, W>(mut requests: Requests<R>, mut responses: Responses<W>) -> Result<(), Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    while let Some(request) = requests.next().await? {
        let response = match request {
            Request::Spec => Response::Spec(spec::spec()),
            Request::Validate(request) => {
                let config = Config::parse(&request.config)?;
                let wanted = request.bindings.into_iter().map(|binding| {
                    let resource = Resource::parse(&binding.resource_config)?;
                    Ok(Wanted::unselected(resource, binding.collection, binding.group_by, binding.field_config))
                });
                let wanted = wanted.collect::<Result<Vec<_>, Error>>()?;
                Response::Validated(validate::validate(&crate::org(&config)?, &wanted).await?)
            }
            Request::Apply(request) => {
                // Nothing is made in the org; that the objects are there is found out when the session opens.
                Config::parse(config_of(&request.task)?)?;
                Response::Applied { action_description: String::new() }
            }
            Request::Open(request) => return session::run(request, requests, responses).await,
            Request::Acknowledge | Request::Load(_) | Request::Flush | Request::Store(_) | Request::StartCommit => {
                return Err(Error::OutOfPlace { request: "of a transaction", why: "no session is open" });
            }
        };
        responses.send(&response).await?;
    }
    Ok(())
}

/// The endpoint config of a materialization.
pub(crate) fn config_of(materialization: &MaterializationSpec) -> Result<&RawValue, Error> {
    let missing = Error::OutOfPlace { request: "open or apply", why: "its materialization has no config" };
    materialization.config.as_deref().ok_or(missing)
}
