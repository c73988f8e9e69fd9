//! Requests as they stand in JSON.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};

use super::{Binding, Collection, Exists, FieldSelection, Inference, Projection, Range, Unpackable, ValidateBinding};
use crate::{
    capture::empty_config,
    error::RequestFault,
    parse,
    wire::{Linked, Linking, RangeSpec, U32},
};

pub(super) fn request(line: &str) -> Result<super::Request, RequestFault> {
    let wire: Request = parse::from_str(line)?;
    let found = wire.kinds();
    let [kind] = found[..] else {
        return Err(RequestFault::Kinds { expected: &super::Request::KINDS, found });
    };
    let Request { validate, apply, open, load, store, .. } = wire;
    Ok(match (kind, validate, apply, open, load, store) {
        (_, Some(validate), ..) => super::Request::Validate(validate.resolve()?),
        (_, _, Some(apply), ..) => super::Request::Apply(apply.resolve()?),
        (_, _, _, Some(open), ..) => super::Request::Open(open.resolve()?),
        (_, _, _, _, Some(load), _) => super::Request::Load(load.resolve()?),
        (_, _, _, _, _, Some(store)) => super::Request::Store(store.resolve()?),
        ("acknowledge", ..) => super::Request::Acknowledge,
        ("flush", ..) => super::Request::Flush,
        ("startCommit", ..) => super::Request::StartCommit,
        _ => super::Request::Spec,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    spec: Option<IgnoredAny>,
    validate: Option<Validate>,
    apply: Option<Apply>,
    open: Option<Open>,
    acknowledge: Option<IgnoredAny>,
    load: Option<Load>,
    flush: Option<IgnoredAny>,
    store: Option<Store>,
    start_commit: Option<IgnoredAny>,
}

impl Request {
    /// The kinds it holds.
    fn kinds(&self) -> Vec<&'static str> {
        let present = [
            self.spec.is_some(),
            self.validate.is_some(),
            self.apply.is_some(),
            self.open.is_some(),
            self.acknowledge.is_some(),
            self.load.is_some(),
            self.flush.is_some(),
            self.store.is_some(),
            self.start_commit.is_some(),
        ];
        super::Request::KINDS.into_iter().zip(present).filter_map(|(kind, present)| present.then_some(kind)).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validate {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<BindingSpec>>,
    last_materialization: Option<MaterializationSpec>,
    last_version: Option<String>,
    linked_collections: Option<Vec<CollectionSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Apply {
    materialization: Option<MaterializationSpec>,
    version: Option<String>,
    last_materialization: Option<MaterializationSpec>,
    last_version: Option<String>,
}

#[derive(Deserialize)]
struct Open {
    materialization: Option<MaterializationSpec>,
    version: Option<String>,
    range: Option<RangeSpec>,
    state: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Load {
    binding: Option<U32>,
    key: Option<Vec<Box<RawValue>>>,
    key_packed: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    binding: Option<U32>,
    key: Option<Vec<Box<RawValue>>>,
    key_packed: Option<String>,
    values: Option<Vec<Box<RawValue>>>,
    values_packed: Option<String>,
    doc: Option<Box<RawValue>>,
    exists: Option<bool>,
    delete: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct MaterializationSpec {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<BindingSpec>>,
    inactive_bindings: Option<Vec<BindingSpec>>,
    linked_collections: Option<Vec<CollectionSpec>>,
}

/// A binding of `validate`, or of a materialization.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingSpec {
    resource_config: Option<Box<RawValue>>,
    resource_path: Option<Vec<String>>,
    collection: Option<CollectionSpec>,
    collection_index: Option<U32>,
    field_config: Option<BTreeMap<String, Box<RawValue>>>,
    field_selection: Option<FieldSelectionSpec>,
    delta_updates: Option<bool>,
    backfill: Option<U32>,
    state_key: Option<String>,
    group_by: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct FieldSelectionSpec {
    keys: Option<Vec<String>>,
    values: Option<Vec<String>>,
    document: Option<String>,
    field_config: Option<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Deserialize)]
struct CollectionSpec {
    name: Option<String>,
    key: Option<Vec<String>>,
    projections: Option<Vec<ProjectionSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectionSpec {
    ptr: Option<String>,
    field: Option<String>,
    explicit: Option<bool>,
    is_partition_key: Option<bool>,
    is_primary_key: Option<bool>,
    inference: Option<InferenceSpec>,
}

#[derive(Deserialize, Default)]
struct InferenceSpec {
    types: Option<Vec<String>>,
    exists: Option<String>,
    string: Option<StringSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StringSpec {
    format: Option<String>,
    content_encoding: Option<String>,
    max_length: Option<U32>,
}

impl Validate {
    fn resolve(self) -> Result<super::Validate, RequestFault> {
        let linked = Linked::<Collection>::new(self.linked_collections);
        let bindings = linked.resolve_all(self.bindings, "validate.bindings", |wire: BindingSpec, collection| {
            ValidateBinding {
                resource_config: wire.resource_config.unwrap_or_else(empty_config),
                collection,
                field_config: wire.field_config.unwrap_or_default(),
                backfill: wire.backfill.unwrap_or_default().0,
                group_by: wire.group_by.unwrap_or_default(),
            }
        })?;
        let last = self.last_materialization.map(|spec| spec.resolve("validate.lastMaterialization"));
        Ok(super::Validate {
            name: self.name.unwrap_or_default(),
            config: self.config.unwrap_or_else(empty_config),
            bindings,
            last_materialization: last.transpose()?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl Apply {
    fn resolve(self) -> Result<super::Apply, RequestFault> {
        let last = self.last_materialization.map(|spec| spec.resolve("apply.lastMaterialization"));
        Ok(super::Apply {
            materialization: self.materialization.unwrap_or_default().resolve("apply.materialization")?,
            version: self.version.unwrap_or_default(),
            last_materialization: last.transpose()?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl Open {
    fn resolve(self) -> Result<super::Open, RequestFault> {
        Ok(super::Open {
            materialization: self.materialization.unwrap_or_default().resolve("open.materialization")?,
            version: self.version.unwrap_or_default(),
            range: self.range.map_or(Range::FULL, Range::from),
            state: Value::Object(self.state.unwrap_or_default()),
        })
    }
}

impl Load {
    fn resolve(self) -> Result<super::Load, RequestFault> {
        let key = elements(self.key, self.key_packed.as_deref(), "load.keyPacked")?;
        Ok(super::Load { binding: index(self.binding), key })
    }
}

impl Store {
    fn resolve(self) -> Result<super::Store, RequestFault> {
        Ok(super::Store {
            binding: index(self.binding),
            key: elements(self.key, self.key_packed.as_deref(), "store.keyPacked")?,
            values: elements(self.values, self.values_packed.as_deref(), "store.valuesPacked")?,
            doc: self.doc,
            exists: self.exists.unwrap_or_default(),
            delete: self.delete.unwrap_or_default(),
        })
    }
}

/// The index of a binding: the first one's is not written.
fn index(binding: Option<U32>) -> usize {
    binding.unwrap_or_default().0 as usize
}

/// A key or values: the JSON array, which older runtimes do not send, or what is packed.
fn elements(
    array: Option<Vec<Box<RawValue>>>,
    packed: Option<&str>,
    path: &'static str,
) -> Result<Vec<Box<RawValue>>, RequestFault> {
    match (array, packed) {
        (Some(array), _) if !array.is_empty() => Ok(array),
        (_, Some(packed)) => {
            let bytes = BASE64_STANDARD.decode(packed).map_err(|_| Unpackable::Base64);
            bytes.and_then(|bytes| super::unpack(&bytes)).map_err(|why| RequestFault::Packed { path, why })
        }
        (array, None) => Ok(array.unwrap_or_default()),
    }
}

impl MaterializationSpec {
    fn resolve(self, path: &str) -> Result<super::MaterializationSpec, RequestFault> {
        let linked = Linked::<Collection>::new(self.linked_collections);
        let binding = |wire: BindingSpec, collection| Binding {
            resource_config: wire.resource_config.unwrap_or_else(empty_config),
            resource_path: wire.resource_path.unwrap_or_default(),
            collection,
            field_selection: wire.field_selection.unwrap_or_default().into(),
            delta_updates: wire.delta_updates.unwrap_or_default(),
            backfill: wire.backfill.unwrap_or_default().0,
            state_key: wire.state_key.unwrap_or_default(),
        };
        Ok(super::MaterializationSpec {
            name: self.name.unwrap_or_default(),
            config: self.config,
            bindings: linked.resolve_all(self.bindings, &format!("{path}.bindings"), binding)?,
            inactive_bindings: linked.resolve_all(
                self.inactive_bindings,
                &format!("{path}.inactiveBindings"),
                binding,
            )?,
        })
    }
}

impl Linking for BindingSpec {
    type Spec = CollectionSpec;
    type Collection = Collection;

    fn link(&mut self) -> (Option<CollectionSpec>, Option<U32>) {
        (self.collection.take(), self.collection_index)
    }
}

impl From<FieldSelectionSpec> for FieldSelection {
    fn from(wire: FieldSelectionSpec) -> Self {
        Self {
            keys: wire.keys.unwrap_or_default(),
            values: wire.values.unwrap_or_default(),
            document: wire.document.filter(|field| !field.is_empty()),
            field_config: wire.field_config.unwrap_or_default(),
        }
    }
}

impl From<CollectionSpec> for Collection {
    fn from(wire: CollectionSpec) -> Self {
        Self {
            name: wire.name.unwrap_or_default(),
            key: wire.key.unwrap_or_default(),
            projections: wire.projections.unwrap_or_default().into_iter().map(Projection::from).collect(),
        }
    }
}

impl From<ProjectionSpec> for Projection {
    fn from(wire: ProjectionSpec) -> Self {
        Self {
            ptr: wire.ptr.unwrap_or_default(),
            field: wire.field.unwrap_or_default(),
            explicit: wire.explicit.unwrap_or_default(),
            is_partition_key: wire.is_partition_key.unwrap_or_default(),
            is_primary_key: wire.is_primary_key.unwrap_or_default(),
            inference: wire.inference.unwrap_or_default().into(),
        }
    }
}

impl From<InferenceSpec> for Inference {
    fn from(wire: InferenceSpec) -> Self {
        let string = wire.string.unwrap_or_default();
        Self {
            types: wire.types.unwrap_or_default(),
            exists: match wire.exists.as_deref() {
                Some("MUST") => Exists::Must,
                Some("MAY") => Exists::May,
                Some("IMPLICIT") => Exists::Implicit,
                Some("CANNOT") => Exists::Cannot,
                _ => Exists::Unsaid,
            },
            format: string.format.unwrap_or_default(),
            content_encoding: string.content_encoding.unwrap_or_default(),
            max_length: string.max_length.map(|length| length.0).filter(|length| *length > 0),
        }
    }
}
