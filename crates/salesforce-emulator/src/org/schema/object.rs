//! An object: its fields, its relationships, and its describe put together from them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::field::Field;

/// Members of an object in describeGlobal, in the order of the recorded reply.
const SUMMARY: [&str; 27] = [
    "activateable",
    "associateEntityType",
    "associateParentEntity",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "deletable",
    "deprecatedAndHidden",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "keyPrefix",
    "label",
    "labelPlural",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "name",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
];
/// Resources of an object that describeGlobal names; the describe names some more.
const SUMMARY_URLS: [&str; 8] =
    ["compactLayouts", "rowTemplate", "approvalLayouts", "listviews", "describe", "quickActions", "layouts", "sobject"];
/// Stand for the object's name and prefix in members that made objects share.
pub(super) const NAME: &str = "~NAME~";
pub(super) const PREFIX: &str = "~PREFIX~";

/// One object.
#[derive(Debug, Clone)]
pub struct SObject {
    /// API name in its canonical case.
    pub name: String,
    /// Label in the singular.
    pub label: String,
    /// Label in the plural.
    pub plural: String,
    /// First three characters of ids; history objects have none of their own.
    pub key_prefix: Option<String>,
    /// Added by the org's administrator.
    pub custom: bool,
    /// Records may be created.
    pub createable: bool,
    /// Records may be updated.
    pub updateable: bool,
    /// Records may be deleted.
    pub deletable: bool,
    /// Deleted records may be restored.
    pub undeletable: bool,
    /// `getUpdated` and `getDeleted` tell of its records.
    pub replicateable: bool,
    pub(super) deprecated: bool,
    /// The fields, in describe order.
    pub fields: Fields,
    /// Relationships from this object to its children.
    pub children: Vec<ChildRelationship>,
    /// All members of the describe in their order; where a value stands above, the one here is a placeholder.
    pub(super) members: Arc<Map<String, Json>>,
    /// When its describe last changed, in virtual time.
    pub modified: Timestamp,
    pub(super) hidden: bool,
    /// Names of the fields that nobody may see.
    pub(super) hidden_fields: BTreeSet<String>,
}

/// A relationship from a parent to its children; serialised, it is the describe's own JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChildRelationship {
    /// Deleting the parent deletes the children.
    pub cascade_delete: bool,
    /// Object of the children.
    #[serde(rename = "childSObject")]
    pub child: String,
    pub(super) deprecated_and_hidden: bool,
    /// Their field that names the parent.
    pub field: String,
    pub(super) junction_id_list_names: Vec<String>,
    pub(super) junction_reference_to: Vec<String>,
    /// Name of the children in sub-queries, such as `Contacts`.
    pub relationship_name: Option<String>,
    /// As long as there are children, the parent cannot be deleted.
    pub restricted_delete: bool,
}

/// The fields of an object: a slice, made when it is first looked at, because an org has thousands of objects that nobody
/// reads.
#[derive(Debug, Clone)]
pub struct Fields(Arc<LazyLock<Found, Box<dyn FnOnce() -> Found + Send>>>);

#[derive(Debug)]
struct Found {
    list: Vec<Field>,
    by_name: HashMap<String, usize>,
}

impl Fields {
    pub(super) fn lazy(make: impl FnOnce() -> Vec<Field> + Send + 'static) -> Self {
        let found = move || {
            let list = make();
            let by_name = list.iter().enumerate().map(|(at, field)| (field.name.to_ascii_lowercase(), at)).collect();
            Found { list, by_name }
        };
        Self(Arc::new(LazyLock::new(Box::new(found))))
    }
}

impl From<Vec<Field>> for Fields {
    fn from(list: Vec<Field>) -> Self {
        Self::lazy(|| list)
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        &self.0.list
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl SObject {
    /// Where a field stands, by its name in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.0.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// A field by its name in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.fields[at])
    }

    /// The reference field behind a relationship name such as `Owner`, in any case.
    pub fn parent(&self, relationship: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            field.relationship_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship))
        })
    }

    /// `Name` is put together from `FirstName` and `LastName`.
    pub(crate) fn has_person_name(&self) -> bool {
        self.field("LastName").is_some_and(|field| field.compound() == Some("Name"))
    }

    /// The describe document for one API version on one host.
    pub fn describe(&self, version: &str, host: &str) -> String {
        self.json(self.members.keys().map(String::as_str), version, host)
    }

    /// What describeGlobal says of it.
    pub fn summary(&self, version: &str, host: &str) -> String {
        let mut text = self.json(SUMMARY.into_iter(), version, host);
        let urls = SUMMARY_URLS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.members.get("urls")?.get(name)?.clone())));
        let urls = Json::from(urls.collect::<Map<_, _>>()).to_string();
        text.pop();
        text.push_str(",\"urls\":");
        text.push_str(&self.placed(&urls, version, host));
        text.push('}');
        text
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(in crate::org) fn hides(&self, field: &str) -> bool {
        self.hidden_fields.contains(field)
    }

    /// What of it the user may see, if he may see it at all; `sees` tells which fields of which objects are there for him.
    pub(super) fn visible(self: &Arc<Self>, sees: impl Fn(&str, &str) -> bool) -> Arc<Self> {
        let related = |relation: &&ChildRelationship| sees(&relation.child, &relation.field);
        if self.hidden_fields.is_empty() && self.children.iter().all(|relation| related(&relation)) {
            return Arc::clone(self);
        }
        let fields: Vec<Field> = self.fields.iter().filter(|field| !self.hides(&field.name)).cloned().collect();
        let children = self.children.iter().filter(related).cloned().collect();
        Arc::new(Self { fields: fields.into(), children, ..Self::clone(self) })
    }

    fn json<'a>(&self, names: impl Iterator<Item = &'a str>, version: &str, host: &str) -> String {
        let mut text = String::from("{");
        for name in names {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&format!("\"{name}\":{}", self.member(name)));
        }
        text.push('}');
        self.placed(&text, version, host)
    }

    /// One member of the describe.
    fn member(&self, name: &str) -> Json {
        match name {
            "name" => self.name.as_str().into(),
            "label" => self.label.as_str().into(),
            "labelPlural" => self.plural.as_str().into(),
            "keyPrefix" => self.key_prefix.as_deref().into(),
            "custom" => self.custom.into(),
            "createable" => self.createable.into(),
            "updateable" => self.updateable.into(),
            "deletable" => self.deletable.into(),
            "undeletable" => self.undeletable.into(),
            "replicateable" => self.replicateable.into(),
            "deprecatedAndHidden" => self.deprecated.into(),
            "fields" => json!(&*self.fields),
            "childRelationships" => json!(self.children),
            _ => self.members.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Fills the places that depend on the request, and on the object where its members are shared with others.
    fn placed(&self, text: &str, version: &str, host: &str) -> String {
        let text = text.replace("/vXX.X/", &format!("/v{version}/")).replace("https://INSTANCE", host);
        text.replace(NAME, &self.name).replace(PREFIX, self.key_prefix.as_deref().unwrap_or("000"))
    }
}
