//! Requests in, answers out: what the process does when Flow has started it.

use flow_protocol::{
    capture::{Request, Response},
    stdio::{Requests, Responses},
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    apply,
    config::Config,
    discover,
    error::Error,
    open,
    resource::{self, Resource},
    spec, validate,
};

/// Answers requests until they end. `open` turns the rest of the process into a session.
///
/// # Errors
/// The first request that cannot be served: Flow expects the process to end with it.
pub async fn serve<R, W>(mut requests: Requests<R>, mut responses: Responses<W>) -> Result<(), Error>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin,
{
    while let Some(request) = requests.next().await? {
        let response = match request {
            Request::Spec => Response::Spec(spec::spec()),
            Request::Discover(request) => {
                let org = crate::org(&Config::parse(&request.config)?)?;
                Response::Discovered(discover::discover(&org).await?)
            }
            Request::Validate(request) => {
                let config = Config::parse(&request.config)?;
                let resources = resources(request.bindings.iter().map(|binding| &*binding.resource_config))?;
                validate::validate(&crate::org(&config)?, &resources).await?;
                Response::Validated(resources.iter().map(Resource::path).collect())
            }
            Request::Apply(request) => {
                let capture = request.task;
                let config = Config::parse(open::config_of(&capture)?)?;
                let resources = resources(capture.bindings.iter().map(|binding| &*binding.resource_config))?;
                let action_description = apply::apply(&crate::org(&config)?, &capture.name, &resources).await?;
                Response::Applied { action_description }
            }
            Request::Open(request) => return open::open(request, requests, responses).await,
            Request::Acknowledge { .. } => {
                return Err(Error::OutOfPlace { request: "acknowledge", why: "no session is open" });
            }
        };
        responses.send(&response).await?;
    }
    Ok(())
}

/// The resources of bindings, each object once.
pub(crate) fn resources<'a>(
    configs: impl Iterator<Item = &'a serde_json::value::RawValue>,
) -> Result<Vec<Resource>, Error> {
    let resources = configs.map(Resource::parse).collect::<Result<Vec<_>, _>>()?;
    resource::check_distinct(&resources)?;
    Ok(resources)
}
