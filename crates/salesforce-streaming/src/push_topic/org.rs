//! The topics of an org: read, created, changed, deleted over REST, one call each.

use jiff::Timestamp;
use salesforce_client::{
    ApiVersion, Class, FieldName, Org, Page, Record, RecordId, SObjectName, parse_datetime, soql::Condition,
    soql::Select,
};
use serde_json::{Map, Value};

use super::{Definition, Difference, NotifyFor, Operations, Problem, TopicName, compare, definition::described};
use crate::Error;

/// A topic as it is in the org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its record.
    pub id: RecordId,
    /// Its name, whoever chose it.
    pub name: String,
    /// Its query.
    pub query: String,
    /// The version of the API that understands the query; `None` if it is none we know.
    pub api_version: Option<ApiVersion>,
    /// Whether it announces anything at all.
    pub is_active: bool,
    /// Which changes it announces; `None` if that is a word we do not know.
    pub notify_for: Option<NotifyFor>,
    /// Which operations it announces.
    pub operations: Operations,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// When it changed last.
    pub modstamp: Timestamp,
}

/// A look at the topics of an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What was there, in no order.
    pub topics: Vec<Existing>,
    /// When, by the org's clock; `None` if its reply does not say.
    pub at: Option<Timestamp>,
}

impl Existing {
    /// The stream that the topic serves for an owner; `None` if it is not the owner's.
    ///
    /// A topic is the owner's only if both its name and its description say so: a name alone may be alike by chance,
    /// and a description can be copied.
    #[must_use]
    pub fn stream_of(&self, owner: &str) -> Option<String> {
        let stream = described(owner, self.description.as_deref()?)?;
        self.name.starts_with(&TopicName::prefix(owner)).then_some(stream)
    }

    fn read(record: &Record<'_>) -> Result<Existing, Error> {
        let text = |field: &str| record.text(field).map(|text| text.into_owned());
        let flag = |field: &str| record.get(field).is_some_and(|value| value.get() == "true");
        let id =
            record.id().map_err(|error| Error::Unreadable { id: "PushTopic".to_owned(), why: error.to_string() })?;
        let need = |field: &str| {
            text(field).ok_or_else(|| Error::Unreadable { id: id.to_string(), why: format!("it has no {field}") })
        };
        Ok(Existing {
            id,
            name: need("Name")?,
            query: need("Query")?,
            api_version: record.get("ApiVersion").and_then(|value| value.get().parse().ok()),
            is_active: flag("IsActive"),
            notify_for: text("NotifyForFields").as_deref().and_then(NotifyFor::parse),
            operations: Operations {
                create: flag("NotifyForOperationCreate"),
                update: flag("NotifyForOperationUpdate"),
                delete: flag("NotifyForOperationDelete"),
                undelete: flag("NotifyForOperationUndelete"),
            },
            description: text("Description"),
            modstamp: parse_datetime(&need("SystemModstamp")?).ok_or_else(|| Error::Unreadable {
                id: id.to_string(),
                why: "its SystemModstamp is no point in time".to_owned(),
            })?,
        })
    }
}

const FIELDS: [&str; 12] = [
    "Id",
    "Name",
    "Query",
    "ApiVersion",
    "IsActive",
    "NotifyForFields",
    "NotifyForOperationCreate",
    "NotifyForOperationUpdate",
    "NotifyForOperationDelete",
    "NotifyForOperationUndelete",
    "Description",
    "SystemModstamp",
];

/// All topics that are `owner`'s.
///
/// # Errors
/// [`Error::Topic`].
pub async fn list(org: &Org, owner: &str) -> Result<Look, Error> {
    let condition = Condition::StartsWith(field("Name"), TopicName::prefix(owner));
    let mut look = query(org, condition, "listing the PushTopics of this task".to_owned()).await?;
    look.topics.retain(|topic| topic.stream_of(owner).is_some());
    Ok(look)
}

/// The topics with these names, of which there must be some, whoever they belong to; names that are not there are left
/// out.
///
/// # Errors
/// [`Error::Topic`].
pub async fn find(org: &Org, names: &[TopicName]) -> Result<Look, Error> {
    let doing = match names {
        [name] => format!("looking for the PushTopic {name}"),
        names => format!("looking for {} PushTopics", names.len()),
    };
    let condition = Condition::one_of(field("Name"), names.iter().map(TopicName::as_str));
    let mut look = query(org, condition, doing).await?;
    // SOQL ignores case, channels do not.
    look.topics.retain(|topic| names.iter().any(|name| name.as_str() == topic.name));
    Ok(look)
}

/// Creates a topic and answers its id.
///
/// If the topic turns out to exist just so, because the reply was lost or another session was faster, it counts as created.
///
/// # Errors
/// [`Error::Topic`], with the [`Problem`] that is in the way.
pub async fn create(org: &Org, definition: &Definition) -> Result<RecordId, Error> {
    let mut body = definition.fields();
    body.insert("Name".to_owned(), definition.name.as_str().into());
    let error = match org.create(&object(), &Value::Object(body)).await {
        Ok(id) => return Ok(id),
        Err(error) => error,
    };
    if error.class() == Class::Unclear || Problem::of(&error) == Problem::NameTaken {
        let found = find(org, std::slice::from_ref(&definition.name)).await?;
        if let Some(topic) = found.topics.into_iter().find(|topic| compare(definition, topic) == Difference::Same) {
            return Ok(topic.id);
        }
    }
    Err(failed(format!("creating the PushTopic {}", definition.name), error))
}

/// Makes a topic what it should be, without touching its name: live subscriptions and positions stay good.
///
/// # Errors
/// [`Error::Topic`], with the [`Problem`] that is in the way.
pub async fn patch(org: &Org, id: RecordId, definition: &Definition) -> Result<(), Error> {
    let outcome = org.update(&object(), id, &Value::Object(definition.fields())).await;
    outcome.map_err(|error| failed(format!("changing the PushTopic {} ({id})", definition.name), error))
}

/// Deletes a topic. One that is gone already counts as deleted.
///
/// # Errors
/// [`Error::Topic`].
pub async fn delete(org: &Org, topic: &Existing) -> Result<(), Error> {
    match org.delete(&object(), topic.id).await {
        Err(error) if Problem::of(&error) != Problem::Gone => {
            Err(failed(format!("deleting the PushTopic {} ({})", topic.name, topic.id), error))
        }
        _ => Ok(()),
    }
}

impl Definition {
    /// What a request says of a topic, apart from its name.
    fn fields(&self) -> Map<String, Value> {
        let Definition { name: _, query, api_version, notify_for, operations, description } = self;
        let Operations { create, update, delete, undelete } = *operations;
        let version: Option<f64> = api_version.to_string().parse().ok();
        [
            ("Query", Value::from(query.as_str())),
            ("ApiVersion", Value::from(version)),
            ("IsActive", Value::from(true)),
            ("NotifyForFields", Value::from(notify_for.as_str())),
            ("NotifyForOperationCreate", Value::from(create)),
            ("NotifyForOperationUpdate", Value::from(update)),
            ("NotifyForOperationDelete", Value::from(delete)),
            ("NotifyForOperationUndelete", Value::from(undelete)),
            ("Description", Value::from(description.as_str())),
        ]
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect()
    }
}

async fn query(org: &Org, condition: Condition, doing: String) -> Result<Look, Error> {
    let select = Select::new(object(), FIELDS.map(field)).filter(condition).to_string();
    let mut topics = Vec::new();
    let mut page: Page = org.query(&object(), &select).await.map_err(|error| failed(doing.clone(), error))?;
    let at = page.answered();
    loop {
        for record in page.rows() {
            topics.push(Existing::read(record)?);
        }
        let Some(next) = page.next() else { return Ok(Look { topics, at }) };
        page = org.query_more(&object(), &next).await.map_err(|error| failed(doing.clone(), error))?;
    }
}

fn failed(doing: String, source: salesforce_client::Error) -> Error {
    Error::Topic { doing, problem: Problem::of(&source), source }
}

fn object() -> SObjectName {
    "PushTopic".parse().expect("a name")
}

fn field(name: &str) -> FieldName {
    name.parse().expect("a name")
}
