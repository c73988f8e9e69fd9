//! PushTopics: what Salesforce refuses to make of a record, what a topic makes of a change.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value as Stored;

use crate::org::id::Id;
use crate::org::records::{Change, ChangeKind};
use crate::org::refusal::Refusal;
use crate::org::schema::{Field, FieldType, SObject, Schema, Views};
use crate::soql::{self, Asker, Compiled, FieldPath, Gap, Output, Query, Select, SelectItem};

/// Standard objects that can be streamed; all custom objects can. (Streaming API Developer Guide, "Supported Objects".)
const SUPPORTED: [&str; 18] = [
    "Account",
    "Campaign",
    "Case",
    "Contact",
    "ContractLineItem",
    "Entitlement",
    "Lead",
    "LiveChatTranscript",
    "MessagingSession",
    "Opportunity",
    "Quote",
    "QuoteLineItem",
    "ServiceAppointment",
    "ServiceContract",
    "Task",
    "UserServicePresence",
    "WorkOrder",
    "WorkOrderLineItem",
];

/// Fields whose changes are told through others: a task's being closed through its status, how many people it is about
/// through one of them. (Streaming API Developer Guide, "Supported PushTopic Queries".)
const FOLLOWING: [(&str, &str); 3] = [("Task", "IsClosed"), ("Task", "WhoCount"), ("Task", "WhatCount")];

/// The object whose records are PushTopics.
pub(in crate::org) const OBJECT: &str = "PushTopic";

/// A PushTopic of the org.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Number of its log: the same for as long as the record lives, another after it was made anew.
    pub(crate) stream: u64,
    pub(crate) active: bool,
    query: Query,
    /// None when the query names what is no longer there, such as a removed field, or what nobody may see.
    rule: Option<Rule>,
}

/// May a user listen to a topic?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    /// Topics are hidden from them.
    NoTopics,
    /// The object is hidden from them, or gone.
    NoObject,
    /// A field of the WHERE is hidden from them.
    NoFilterField,
}

/// What a topic makes of changes.
#[derive(Debug)]
pub(in crate::org) struct Rule {
    /// What its events carry: of the selected fields those that anybody may see.
    pub(in crate::org) plan: Compiled,
    selected: Vec<usize>,
    filter: Option<(String, Vec<Stored>)>,
    filtered: Vec<usize>,
    notify_for: NotifyFor,
    on: Operations,
}

/// What is announced at all.
#[derive(Debug, Clone, Copy)]
struct Operations {
    create: bool,
    update: bool,
    delete: bool,
    undelete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotifyFor {
    All,
    Referenced,
    Select,
    Where,
}

/// Is this the object whose records are PushTopics?
pub(in crate::org) fn is(object: &SObject) -> bool {
    object.name == OBJECT
}

/// Checks a PushTopic record that is about to be written.
pub(in crate::org) fn check(schema: &Schema, object: &SObject, row: &mut [Stored]) -> Result<(), Refusal> {
    let get = |name: &str| object.position(name).map(|at| &row[at]);
    if !matches!(get("ApiVersion"), Some(Stored::Real(version)) if (20.1..=67.0).contains(version)) {
        return Err(Refusal::field(
            "INVALID_FIELD",
            "Api Version: the API version of a push topic must be greater than 20.0",
            "ApiVersion",
        ));
    }
    if let Some(Stored::Text(notify)) = get("NotifyForFields")
        && NotifyFor::parse(notify).is_none()
    {
        let message = format!("Notify For Fields: bad value for restricted picklist field: {notify}");
        return Err(Refusal::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, "NotifyForFields"));
    }
    let Some(Stored::Text(text)) = get("Query") else { return Ok(()) };
    understand(schema, text).map(drop).map_err(|message| Refusal::field("INVALID_FIELD", message, "Query"))
}

/// Parses and compiles a topic's query, or says in Salesforce's words what it does not allow.
fn understand(schema: &Schema, text: &str) -> Result<(Query, Compiled), String> {
    let refused = |error: soql::Error| match error {
        soql::Error::Gap(Gap::Aggregate(_)) => AGGREGATES.to_owned(),
        soql::Error::Gap(Gap::Feature(feature)) => format!("{feature} is not supported in a push topic"),
        soql::Error::Refused { message, .. } => message,
    };
    const AGGREGATES: &str = "Aggregate queries are not supported";
    let query = soql::parse(text).map_err(refused)?;
    let Select::Items(items) = &query.select else { return Err(AGGREGATES.to_owned()) };
    let condition = query.condition.as_ref();
    let forbidden = [
        (query.has_sub_queries() || query.has_semi_joins(), "semi/anti join sub-selects are not supported"),
        (query.has_aggregates(), AGGREGATES),
        (query.has_type_of(), "'TYPEOF' clause is not allowed"),
        (query.has_field_sets(), "'FIELDS' is not supported"),
        (condition.is_some_and(soql::Condition::has_functions), "functions are not supported"),
        (condition.is_some_and(soql::Condition::has_relative_dates), "date literals are not supported"),
        (query.scope != soql::Scope::Everything, "'USING SCOPE' is not allowed"),
    ];
    if let Some((_, message)) = forbidden.iter().find(|(found, _)| *found) {
        return Err((*message).to_owned());
    }
    let mut paths: Vec<_> =
        items.iter().filter_map(|item| if let SelectItem::Field(path) = item { Some(path) } else { None }).collect();
    if paths.len() < items.len() {
        return Err("functions are not supported".to_owned());
    }
    let selects_id = paths.iter().any(|path| path.names.last().is_some_and(|name| name.eq_ignore_ascii_case("Id")));
    if let Some(condition) = &query.condition {
        condition.fields(&mut |path| paths.push(path));
    }
    let forbidden = [
        (paths.iter().any(|path| path.names.len() > 1), "relationships are not supported"),
        (query.condition.as_ref().is_some_and(soql::Condition::has_not), "'NOT' is not supported"),
        (!query.order.is_empty(), "'ORDER BY' clause is not allowed"),
        (query.limit.is_some(), "'LIMIT' is not allowed"),
        (query.offset.is_some(), "'OFFSET' clause is not allowed"),
    ];
    if let Some((_, message)) = forbidden.iter().find(|(found, _)| *found) {
        return Err((*message).to_owned());
    }
    let compiled = soql::compile(schema, &query, true, &Asker::nobody()).map_err(refused)?;
    let object = &compiled.object;
    if !object.name.ends_with("__c") && !SUPPORTED.contains(&object.name.as_str()) {
        return Err(format!("Entity '{}' is not supported by push topics", object.name));
    }
    if !selects_id {
        return Err("The query must select the Id field".to_owned());
    }
    let searched = |path: &soql::FieldPath| path.names.last().and_then(|name| object.field(name));
    if let Some(condition) = &query.condition {
        let mut unsearchable = None;
        condition.fields(&mut |path| {
            let cannot = searched(path).filter(|field| field.kind == FieldType::TextArea || field.calculated);
            unsearchable = unsearchable.or(cannot);
        });
        if let Some(field) = unsearchable {
            return Err(format!("field '{}' can not be filtered in a query call", field.name));
        }
    }
    let binary = |path: &&FieldPath| searched(path).is_some_and(|field| field.kind == FieldType::Base64);
    if let Some(path) = selected(&query).find(binary) {
        return Err(format!("field '{}' is not supported in a push topic", path.names.join(".")));
    }
    Ok((query, compiled))
}

impl Topic {
    /// Reads the topics of the org. Queries were checked when they were written; the schema may have changed since.
    pub(in crate::org) fn load(connection: &Connection, views: &Views) -> rusqlite::Result<Vec<Arc<Self>>> {
        let mut statement = connection.prepare_cached(
            "SELECT Id,Name,Query,NotifyForFields,IsActive,NotifyForOperationCreate,NotifyForOperationUpdate,
                    NotifyForOperationDelete,NotifyForOperationUndelete FROM PushTopic WHERE IsDeleted=0",
        )?;
        let topics = statement.query_map([], |row| {
            let (id, text): (String, String) = (row.get(0)?, row.get(2)?);
            let notify_for: String = row.get(3)?;
            let Ok(query) = soql::parse(&text) else { return Ok(None) };
            let on =
                Operations { create: row.get(5)?, update: row.get(6)?, delete: row.get(7)?, undelete: row.get(8)? };
            let notify_for = NotifyFor::parse(&notify_for).unwrap_or(NotifyFor::Referenced);
            Ok(Some(Arc::new(Self {
                name: row.get(1)?,
                stream: Id::parse(&id).map_or(0, stream_of),
                active: row.get(4)?,
                rule: Rule::of(&text, views, notify_for, on).filter(|_| Access::to(&query, views) == Access::Granted),
                query,
            })))
        })?;
        topics.filter_map(Result::transpose).collect()
    }

    /// What it makes of changes, if anybody hears of any.
    pub(in crate::org) fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref().filter(|_| self.active)
    }

    /// May somebody with these views listen?
    pub(super) fn access_of(&self, views: &Views) -> Access {
        Access::to(&self.query, views)
    }

    /// The selected fields that a schema does not show.
    pub(super) fn unseen(&self, visible: &Schema) -> Vec<String> {
        let object = visible.object(&self.query.from);
        let outputs = self.rule.iter().flat_map(|rule| &rule.plan.outputs).map(Output::name);
        outputs.filter(|name| object.is_none_or(|object| object.field(name).is_none())).map(str::to_owned).collect()
    }

    /// Does its query read the object, or name that field of it?
    pub(in crate::org) fn reads(&self, object: &str, field: Option<&str>) -> bool {
        let names = |wanted: &str| {
            let mut named = false;
            let mut look = |path: &FieldPath| named |= path.names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
            selected(&self.query).for_each(&mut look);
            self.query.condition.iter().for_each(|condition| condition.fields(&mut |path| look(path)));
            named
        };
        self.query.from.eq_ignore_ascii_case(object) && field.is_none_or(names)
    }

    /// Does its query select all of these fields? Names the ones it does not.
    pub(crate) fn missing_fields(&self, fields: &[&str]) -> Vec<String> {
        let selects = |wanted: &str| {
            let named = |path: &FieldPath| path.names.last().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            selected(&self.query).any(named)
        };
        fields.iter().filter(|name| !selects(name)).map(|name| (*name).to_owned()).collect()
    }
}

impl Access {
    fn to(query: &Query, views: &Views) -> Self {
        let Some(object) = views.visible.object(&query.from) else { return Self::NoObject };
        let whole = views.whole.object(&query.from);
        let mut hidden = false;
        if let Some(condition) = &query.condition {
            condition.fields(&mut |path| {
                let name = path.names.last().map_or("", String::as_str);
                hidden |= object.field(name).is_none() && whole.is_some_and(|whole| whole.field(name).is_some());
            });
        }
        if hidden { Self::NoFilterField } else { Self::Granted }
    }
}

impl Rule {
    fn of(text: &str, views: &Views, notify_for: NotifyFor, on: Operations) -> Option<Self> {
        let (query, compiled) = understand(&views.whole, text).ok()?;
        let object = compiled.object;
        let mut plan = soql::compile(&views.whole, &with_whole_names(&query, &object), true, &Asker::nobody()).ok()?;
        let position = |path: &FieldPath| path.names.last().and_then(|name| object.position(name));
        let selected = selected(&query).filter_map(position).collect();
        let mut filtered = Vec::new();
        if let Some(condition) = &query.condition {
            condition.fields(&mut |path| filtered.extend(position(path)));
        }
        let filter = soql::filter(&views.whole, &object, &query).ok()?;
        plan.outputs.retain(|output| !object.hides(output.name()));
        Some(Self { plan, selected, filter, filtered, notify_for, on })
    }

    /// Is this change one the topic announces, before its WHERE is asked?
    pub(in crate::org) fn concerns(&self, change: &Change) -> bool {
        if !Arc::ptr_eq(&self.plan.object, &change.object) {
            return false;
        }
        match change.kind {
            ChangeKind::Created => self.on.create,
            ChangeKind::Deleted => self.on.delete,
            ChangeKind::Undeleted => self.on.undelete,
            ChangeKind::Updated => {
                // Parts of a person's name count through `Name` alone; addresses are never among the changed, only their parts.
                let counts = |at: &&usize| {
                    let field = &self.plan.object.fields[**at];
                    field.compound() != Some("Name") && !FOLLOWING.contains(&(&*self.plan.object.name, &*field.name))
                };
                let among = |fields: &[usize]| change.changed.iter().filter(counts).any(|at| fields.contains(at));
                self.on.update
                    && match self.notify_for {
                        NotifyFor::All => !change.changed.is_empty(),
                        NotifyFor::Referenced => among(&self.selected) || among(&self.filtered),
                        NotifyFor::Select => among(&self.selected),
                        NotifyFor::Where => among(&self.filtered),
                    }
            }
        }
    }

    /// Does the record, as it is now, match the WHERE?
    pub(in crate::org) fn matches(&self, connection: &Connection, id: Id) -> rusqlite::Result<bool> {
        let Some((condition, parameters)) = &self.filter else { return Ok(true) };
        let place = parameters.len() + 1;
        let sql = format!("SELECT 1 FROM \"{}\" t0 WHERE t0.\"Id\"=?{place} AND ({condition})", self.plan.object.name);
        let id = Stored::Text(id.to_string());
        connection.prepare_cached(&sql)?.exists(rusqlite::params_from_iter(parameters.iter().chain([&id])))
    }
}

impl NotifyFor {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "All" => Self::All,
            "Referenced" => Self::Referenced,
            "Select" => Self::Select,
            "Where" => Self::Where,
            _ => return None,
        })
    }
}

/// The query as its events answer it: of a person's name all parts are told, even if only one was asked for. (Streaming API
/// Developer Guide, "Compound Fields in PushTopic Queries".)
fn with_whole_names(query: &Query, object: &SObject) -> Query {
    let mut query = query.clone();
    let part = |field: &Field| field.compound() == Some("Name");
    let asked = |wanted: &Field| {
        selected(&query).any(|path| path.names.last().is_some_and(|name| name.eq_ignore_ascii_case(&wanted.name)))
    };
    if !object.has_person_name()
        || !object.fields.iter().any(|field| (part(field) || field.name == "Name") && asked(field))
    {
        return query;
    }
    let span = query.from_span;
    let missing = object.fields.iter().filter(|field| part(field) && !asked(field));
    let missing =
        missing.map(|field| SelectItem::Field(FieldPath { names: vec![field.name.clone()], span })).collect::<Vec<_>>();
    if let Select::Items(items) = &mut query.select {
        items.extend(missing);
    }
    query
}

/// The fields of the select list.
fn selected(query: &Query) -> impl Iterator<Item = &FieldPath> {
    let items = if let Select::Items(items) = &query.select { items.as_slice() } else { &[] };
    items.iter().filter_map(|item| if let SelectItem::Field(path) = item { Some(path) } else { None })
}

/// The number of a topic's log, from the digits of its id, which are never given twice.
fn stream_of(id: Id) -> u64 {
    id.short().bytes().skip(6).fold(0, |sum, digit| sum << 7 | u64::from(digit))
}
