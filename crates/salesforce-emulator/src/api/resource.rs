//! Method and path → what is asked for. One table, so that counting, faults and handling agree on it.

use http::Method;

use super::bulk::Jobs;
use crate::org::{Face, Id};

/// A thing a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    Versions,
    Token,
    Revoke,
    Introspect,
    Authorize,
    UserInfo,
    Identity {
        org: &'a str,
        user: &'a str,
    },
    /// The partner API over SOAP; the version is unchecked.
    Soap {
        version: &'a str,
    },
    /// A resource below `/services/data/vVV.V`, which needs a session.
    Data {
        version: &'a str,
        data: Data<'a>,
    },
    /// A resource of Salesforce's that the emulated org does not imitate.
    NotImitated(&'static str),
    /// A known path, another method: these are allowed.
    MethodNotAllowed(&'static str),
    /// CometD; counted here, handled elsewhere.
    Streaming,
    Unknown,
}

/// What is asked for below an API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data<'a> {
    Directory,
    Limits,
    RecordCount,
    DescribeGlobal,
    Basic { object: &'a str },
    Describe { object: &'a str },
    Query { deleted: bool },
    QueryMore { locator: &'a str },
    Create { object: &'a str },
    Read { object: &'a str, id: &'a str },
    Update { object: &'a str, id: &'a str },
    Delete { object: &'a str, id: &'a str },
    Updated { object: &'a str },
    Deleted { object: &'a str },
    Composite,
    Batch,
    CreateRows,
    UpdateRows,
    UpsertRows { object: &'a str, field: &'a str },
    DeleteRows,
    Upsert { object: &'a str, field: &'a str, value: &'a str },
    ReadBy { object: &'a str, field: &'a str, value: &'a str },
    DeleteBy { object: &'a str, field: &'a str, value: &'a str },
    Retrieve { object: &'a str },
    Jobs(Jobs<'a>),
    NotImitated(&'static str),
    MethodNotAllowed(&'static str),
    Unknown,
}

/// API versions the org speaks.
pub(super) const VERSIONS: std::ops::RangeInclusive<u32> = 31..=67;

impl<'a> Resource<'a> {
    /// What is asked for at one of the org's addresses. At the login host one can only sign in.
    pub(super) fn at(face: Face, method: &Method, path: &'a str) -> Self {
        let resource = Self::of(method, path);
        let everywhere = matches!(
            resource,
            Self::Versions
                | Self::Token
                | Self::Revoke
                | Self::Introspect
                | Self::Authorize
                | Self::UserInfo
                | Self::Identity { .. }
                | Self::Soap { .. }
                | Self::MethodNotAllowed(_)
        );
        if face == Face::MyDomain || everywhere { resource } else { Self::Unknown }
    }

    /// What is asked for at the org's own address.
    pub(super) fn of(method: &Method, path: &'a str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let reads = method == Method::GET || method == Method::HEAD;
        let posts = method == Method::POST;
        match segments[..] {
            ["cometd", ..] => Self::Streaming,
            ["services", "data"] if reads => Self::Versions,
            ["services", "data", version, ref rest @ ..] => {
                match version.strip_prefix('v').filter(|version| is_version(version)) {
                    Some(version) => Self::Data { version, data: Data::of(method, rest) },
                    None => Self::Unknown,
                }
            }
            ["services", "oauth2", "token"] if posts => Self::Token,
            ["services", "oauth2", "token"] => Self::MethodNotAllowed("POST"),
            ["services", "oauth2", "revoke"] if posts || reads => Self::Revoke,
            ["services", "oauth2", "introspect"] if posts => Self::Introspect,
            ["services", "oauth2", "userinfo"] if posts || reads => Self::UserInfo,
            ["services", "oauth2", "authorize"] if reads => Self::Authorize,
            ["services", "Soap", "u", version] if posts => Self::Soap { version },
            ["services", "Soap", "u", version, _org] if posts => Self::Soap { version },
            ["services", "Soap", ..] => Self::NotImitated("SOAP"),
            ["services", "async", ..] => Self::NotImitated("Bulk API 1.0"),
            ["services", "apexrest", ..] => Self::NotImitated("Apex REST"),
            ["id", org, user] if reads => Self::Identity { org, user },
            _ => Self::Unknown,
        }
    }

    /// The name under which it is counted and struck by faults.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Token => "token",
            Self::Revoke => "revoke",
            Self::Introspect => "introspect",
            Self::Authorize => "authorize",
            Self::UserInfo => "userinfo",
            Self::Soap { .. } => "soap",
            Self::Identity { .. } => "identity",
            Self::Streaming => "streaming",
            Self::NotImitated(_) | Self::MethodNotAllowed(_) | Self::Unknown => "other",
            Self::Data { data, .. } => match data {
                Data::Directory => "resources",
                Data::Limits => "limits",
                Data::RecordCount => "record_count",
                Data::DescribeGlobal => "describe_global",
                Data::Basic { .. } => "basic",
                Data::Describe { .. } => "describe",
                Data::Query { deleted: false } => "query",
                Data::Query { deleted: true } => "query_all",
                Data::QueryMore { .. } => "query_more",
                Data::Create { .. } => "create",
                Data::Read { .. } => "read",
                Data::Update { .. } => "update",
                Data::Delete { .. } => "delete",
                Data::Updated { .. } => "updated",
                Data::Deleted { .. } => "deleted",
                Data::Composite => "composite",
                Data::Batch => "batch",
                Data::CreateRows => "create_rows",
                Data::UpdateRows => "update_rows",
                Data::UpsertRows { .. } => "upsert_rows",
                Data::DeleteRows => "delete_rows",
                Data::Upsert { .. } => "upsert",
                Data::ReadBy { .. } => "read",
                Data::DeleteBy { .. } => "delete",
                Data::Retrieve { .. } => "retrieve",
                Data::Jobs(jobs) => jobs.kind(),
                Data::NotImitated(_) | Data::MethodNotAllowed(_) | Data::Unknown => "other",
            },
        }
    }

    /// Does it write records, and nothing else?
    pub(super) fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Data {
                data: Data::Create { .. }
                    | Data::Update { .. }
                    | Data::Delete { .. }
                    | Data::Upsert { .. }
                    | Data::DeleteBy { .. }
                    | Data::CreateRows
                    | Data::UpdateRows
                    | Data::UpsertRows { .. }
                    | Data::DeleteRows,
                ..
            }
        )
    }

    /// Does it use up the org's daily calls?
    pub(super) fn is_api_call(&self) -> bool {
        matches!(self, Self::Data { .. })
    }
}

impl<'a> Data<'a> {
    fn of(method: &Method, segments: &[&'a str]) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        let posts = method == Method::POST;
        let only_get = |data| if reads { data } else { Self::MethodNotAllowed("GET, HEAD") };
        let only_post = |data| if posts { data } else { Self::MethodNotAllowed("POST") };
        match *segments {
            [] => only_get(Self::Directory),
            ["limits"] => only_get(Self::Limits),
            ["limits", "recordCount"] => only_get(Self::RecordCount),
            ["query"] => only_get(Self::Query { deleted: false }),
            ["queryAll"] => only_get(Self::Query { deleted: true }),
            ["query" | "queryAll", locator] => only_get(Self::QueryMore { locator }),
            ["sobjects"] => only_get(Self::DescribeGlobal),
            ["sobjects", object] if posts => Self::Create { object },
            ["sobjects", object] if reads => Self::Basic { object },
            ["sobjects", _] => Self::MethodNotAllowed("GET, HEAD, POST"),
            ["sobjects", object, "describe"] => only_get(Self::Describe { object }),
            ["sobjects", _, "describe", ..] => Self::NotImitated("layouts and approval layouts"),
            ["sobjects", object, "updated"] => only_get(Self::Updated { object }),
            ["sobjects", object, "deleted"] => only_get(Self::Deleted { object }),
            ["sobjects", _, "listviews" | "quickActions" | "defaultValues" | "eventSchema", ..] => {
                Self::NotImitated("this part of an object's description")
            }
            ["sobjects", object, id] => match method.as_str() {
                "GET" | "HEAD" => Self::Read { object, id },
                "PATCH" => Self::Update { object, id },
                "DELETE" => Self::Delete { object, id },
                "POST" if id.eq_ignore_ascii_case("Id") => Self::Create { object },
                _ => Self::MethodNotAllowed("DELETE, GET, HEAD, PATCH"),
            },
            ["sobjects", "User", _, "password"] => Self::NotImitated("passwords set by clients"),
            ["sobjects", _, id, _] if !reads && Id::parse(id).is_some() => {
                Self::NotImitated("relationships of a record")
            }
            ["sobjects", object, field, value] => match method.as_str() {
                "GET" | "HEAD" => Self::ReadBy { object, field, value },
                "PATCH" => Self::Upsert { object, field, value },
                "DELETE" => Self::DeleteBy { object, field, value },
                _ => Self::NotImitated("relationships of a record"),
            },
            ["sobjects", _, _, _, ..] => Self::NotImitated("relationships of a record"),
            ["composite"] => only_post(Self::Composite),
            ["composite", "batch"] => only_post(Self::Batch),
            ["composite", "sobjects", object] if reads || posts => Self::Retrieve { object },
            ["composite", "graph" | "tree", ..] => Self::NotImitated("composite graphs and trees"),
            ["composite", "sobjects", object, field] if method == Method::PATCH => Self::UpsertRows { object, field },
            ["composite", "sobjects"] => match method.as_str() {
                "POST" => Self::CreateRows,
                "PATCH" => Self::UpdateRows,
                "DELETE" => Self::DeleteRows,
                _ => Self::MethodNotAllowed("DELETE, PATCH, POST"),
            },
            ["composite", "sobjects", _] => Self::MethodNotAllowed("GET, HEAD, POST"),
            ["composite", "sobjects", _, _] => Self::MethodNotAllowed("PATCH"),
            ["jobs", ref rest @ ..] => Self::Jobs(Jobs::of(method, rest)),
            ["tooling", ..] => Self::NotImitated("the Tooling API"),
            ["search" | "parameterizedSearch", ..] => Self::NotImitated("SOSL"),
            ["event", "eventSchema", ..] => Self::NotImitated("event schemas"),
            [
                "actions"
                | "analytics"
                | "appMenu"
                | "async-queries"
                | "chatter"
                | "compactLayouts"
                | "connect"
                | "consent"
                | "dedupe"
                | "folders"
                | "knowledgeManagement"
                | "licensing"
                | "metadata"
                | "process"
                | "quickActions"
                | "recent"
                | "support"
                | "tabs"
                | "theme"
                | "ui-api"
                | "wave",
                ..,
            ] => Self::NotImitated("this resource"),
            _ => Self::Unknown,
        }
    }

    /// Only a few such requests may stand in one composite request.
    pub(super) fn is_heavy(&self) -> bool {
        matches!(
            self,
            Self::Query { .. }
                | Self::QueryMore { .. }
                | Self::Retrieve { .. }
                | Self::CreateRows
                | Self::UpdateRows
                | Self::UpsertRows { .. }
                | Self::DeleteRows
        )
    }
}

/// `62.0`: a supported version with its one decimal.
fn is_version(text: &str) -> bool {
    let major = text.strip_suffix(".0").filter(|major| !major.starts_with(['0', '+']));
    major.and_then(|major| major.parse().ok()).is_some_and(|major: u32| VERSIONS.contains(&major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let table = [
            "GET /services/data",
            "GET /services/data/",
            "GET /services/data/v62.0",
            "GET /services/data/v62.0/",
            "GET /services/data/v62",
            "GET /services/data/v062.0/sobjects",
            "GET /services/data/v99.0/sobjects",
            "GET /services/data/v62.0/sobjects/",
            "POST /services/data/v62.0/sobjects",
            "GET /services/data/v62.0/sobjects/Account",
            "POST /services/data/v62.0/sobjects/Account/",
            "PUT /services/data/v62.0/sobjects/Account",
            "GET /services/data/v62.0/sobjects/Account/describe/",
            "GET /services/data/v62.0/sobjects/Account/001/",
            "PATCH /services/data/v62.0/sobjects/Account/001",
            "DELETE /services/data/v62.0/sobjects/Account/001",
            "POST /services/data/v62.0/sobjects/Account/001",
            "PATCH /services/data/v62.0/sobjects/Account/Ext__c/1",
            "GET /services/data/v62.0/query/",
            "GET /services/data/v62.0/queryAll",
            "GET /services/data/v62.0/query/01gx-2000",
            "GET /services/data/v62.0/sobjects/Account/updated/",
            "POST /services/data/v62.0/sobjects/Account/deleted",
            "POST /services/data/v62.0/composite",
            "GET /services/data/v62.0/composite/batch",
            "POST /services/data/v62.0/composite/sobjects/Account",
            "PATCH /services/data/v62.0/composite/sobjects",
            "GET /services/data/v62.0/composite/sobjects",
            "PATCH /services/data/v62.0/composite/sobjects/Account/Ext__c",
            "POST /services/data/v62.0/composite/sobjects/Account/Ext__c",
            "DELETE /services/data/v62.0/sobjects/Account/Ext__c/1",
            "PATCH /services/data/v62.0/sobjects/Contact/0035900000000G8AAI/Account",
            "POST /services/data/v62.0/composite/tree/Account",
            "GET /services/data/v62.0/sobjects/Attachment/00P/Body/x",
            "GET /services/data/v62.0/quickActions/LogACall/describe",
            "POST /services/data/v62.0/sobjects/User/005/password",
            "GET /services/data/v62.0/nonsense",
            "POST /services/oauth2/token",
            "GET /services/oauth2/token",
            "GET /services/oauth2/authorize",
            "POST /services/Soap/u/62.0",
            "POST /services/Soap/u/62.0/00D",
            "POST /services/Soap/m/62.0",
            "GET /id/00D/005",
            "POST /cometd/62.0/connect",
            "GET /",
            "GET /secur/login",
        ];
        let answers: Vec<String> = table
            .iter()
            .map(|line| {
                let (method, path) = line.split_once(' ').unwrap();
                let resource = Resource::of(&method.parse().unwrap(), path);
                format!("{line} → {resource:?} [{}]", resource.kind())
            })
            .collect();
        insta::assert_snapshot!(answers.join("\n"));
    }

    /// Records are written one by one, by what identifies them, and in collections.
    #[test]
    fn what_writes() {
        for (line, writes) in [
            ("POST /services/data/v62.0/sobjects/Account", true),
            ("GET /services/data/v62.0/sobjects/Account/001", false),
            ("DELETE /services/data/v62.0/sobjects/Account/001", true),
            ("PATCH /services/data/v62.0/sobjects/Account/Ext__c/1", true),
            ("GET /services/data/v62.0/sobjects/Account/Ext__c/1", false),
            ("DELETE /services/data/v62.0/sobjects/Account/Ext__c/1", true),
            ("DELETE /services/data/v62.0/composite/sobjects", true),
            ("POST /services/data/v62.0/composite/sobjects/Account", false),
        ] {
            let (method, path) = line.split_once(' ').unwrap();
            assert_eq!(Resource::of(&method.parse().unwrap(), path).is_write(), writes, "{line}");
        }
    }

    #[test]
    fn only_signing_in_is_possible_at_the_login_host() {
        for (line, there) in [
            ("POST /services/oauth2/token", true),
            ("GET /services/data", true),
            ("GET /id/00D/005", true),
            ("POST /services/Soap/u/62.0", true),
            ("GET /services/data/v62.0/sobjects", false),
            ("POST /services/Soap/m/62.0", false),
            ("POST /cometd/62.0", false),
        ] {
            let (method, path) = line.split_once(' ').unwrap();
            let resource = Resource::at(Face::LoginHost, &method.parse().unwrap(), path);
            assert_eq!(resource != Resource::Unknown, there, "{line}");
        }
    }
}
