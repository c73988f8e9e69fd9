//! Asking for describes: of one object, of many in one call, of those only that changed.

use http::{HeaderValue, StatusCode, header};

use crate::{
    Action, Describe, Error, GlobalDescribe, Org, SObjectName, call::Call, composite::MOST_SUBREQUESTS,
    failure::Failure, http::Reply,
};

/// When a describe last changed: the `Last-Modified` header as it came, to be handed back as it is. Two may be
/// compared for being the same, and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastModified(HeaderValue);

impl LastModified {
    /// The text of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn as_header(&self) -> &HeaderValue {
        &self.0
    }

    fn of(reply: &Reply) -> Option<LastModified> {
        let value = reply.headers.get(header::LAST_MODIFIED)?;
        value.to_str().is_ok().then(|| LastModified(value.clone()))
    }
}

impl Org {
    /// Every object the user may see; about a thousand even in an empty org.
    ///
    /// # Errors
    /// As any call.
    pub async fn describe_global(&self) -> Result<GlobalDescribe, Error> {
        self.send(&self.global(None), global).await
    }

    /// As [`Org::describe_global`], if any object changed since: `None` if none did. It costs a call all the same.
    ///
    /// # Errors
    /// As any call.
    pub async fn describe_global_changed(&self, since: &LastModified) -> Result<Option<GlobalDescribe>, Error> {
        self.send(&self.global(Some(since.clone())), |reply| if_changed(reply, global)).await
    }

    /// An object and its fields.
    ///
    /// # Errors
    /// `NOT_FOUND` if the object does not exist or the user may not see it. Otherwise as any call.
    pub async fn describe(&self, object: &SObjectName) -> Result<Describe, Error> {
        self.send(&self.object(object, None), describe).await
    }

    /// Objects and their fields, in the order of `objects`: one call for every 25 of them.
    ///
    /// # Errors
    /// Of a call as a whole; what the org refuses of one object only, such as `NOT_FOUND`, is that object's outcome.
    pub async fn describe_many(&self, objects: &[SObjectName]) -> Result<Vec<Result<Describe, Error>>, Error> {
        let calls: Vec<Call> = objects.iter().map(|object| self.object(object, None)).collect();
        self.send_together(&calls, MOST_SUBREQUESTS, |_, reply| describe(reply)).await
    }

    /// As [`Org::describe_many`], without those that are as they were when last described: these are `None`. An
    /// object that goes without a time is described in any case. The times have a resolution of one second, and a
    /// change of what the user may see need not move them.
    ///
    /// # Errors
    /// As [`Org::describe_many`].
    pub async fn describe_changed(
        &self,
        known: &[(SObjectName, Option<LastModified>)],
    ) -> Result<Vec<Result<Option<Describe>, Error>>, Error> {
        let calls: Vec<Call> = known.iter().map(|(object, since)| self.object(object, since.clone())).collect();
        self.send_together(&calls, MOST_SUBREQUESTS, |_, reply| if_changed(reply, describe)).await
    }

    fn global(&self, since: Option<LastModified>) -> Call {
        Call::read(Action::DescribeGlobal).path(self.data_path(format_args!("/sobjects"))).if_modified_since(since)
    }

    fn object(&self, object: &SObjectName, since: Option<LastModified>) -> Call {
        let path = self.data_path(format_args!("/sobjects/{object}/describe"));
        Call::read(Action::Describe(object.clone())).path(path).if_modified_since(since)
    }
}

fn describe(reply: &Reply) -> Result<Describe, Failure> {
    Ok(Describe { last_modified: LastModified::of(reply), ..reply.json()? })
}

fn global(reply: &Reply) -> Result<GlobalDescribe, Failure> {
    Ok(GlobalDescribe { last_modified: LastModified::of(reply), ..reply.json()? })
}

fn if_changed<T>(reply: &Reply, read: impl Fn(&Reply) -> Result<T, Failure>) -> Result<Option<T>, Failure> {
    if reply.status == StatusCode::NOT_MODIFIED { Ok(None) } else { read(reply).map(Some) }
}
