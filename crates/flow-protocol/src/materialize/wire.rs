//! Requests as they stand in JSON. What they have in common with those of captures is in [`task::wire`].

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Binding, Collection, Exists, FieldSelection, Inference, Projection, Unpackable, ValidateBinding};
use crate::{
    error::RequestFault,
    parse,
    task::{
        self,
        wire::{Apply, Open, U32, Validate, empty_config},
    },
};

pub(super) fn request(line: &str) -> Result<super::Request, RequestFault> {
    let Request { spec, validate, apply, open, acknowledge, load, flush, store, start_commit } = parse::from_str(line)?;
    let requests = [
        spec.map(|IgnoredAny| Ok(super::Request::Spec)),
        validate.map(|wire| wire.resolve().map(super::Request::Validate)),
        apply.map(|wire| wire.resolve().map(super::Request::Apply)),
        open.map(|wire| wire.resolve().map(super::Request::Open)),
        acknowledge.map(|IgnoredAny| Ok(super::Request::Acknowledge)),
        load.map(|wire| wire.resolve().map(super::Request::Load)),
        flush.map(|IgnoredAny| Ok(super::Request::Flush)),
        store.map(|wire| wire.resolve().map(super::Request::Store)),
        start_commit.map(|IgnoredAny| Ok(super::Request::StartCommit)),
    ];
    task::wire::only_one(&super::Request::KINDS, requests)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    spec: Option<IgnoredAny>,
    validate: Option<Validate<BindingSpec>>,
    apply: Option<Apply<BindingSpec>>,
    open: Option<Open<BindingSpec>>,
    acknowledge: Option<IgnoredAny>,
    load: Option<Load>,
    flush: Option<IgnoredAny>,
    store: Option<Store>,
    start_commit: Option<IgnoredAny>,
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

impl task::wire::BindingSpec for BindingSpec {
    const TASK: &'static str = "materialization";
    const LAST_TASK: &'static str = "lastMaterialization";

    type CollectionSpec = CollectionSpec;
    type Collection = Collection;
    type Unvalidated = ValidateBinding;
    type Binding = Binding;

    fn link(&mut self) -> (Option<CollectionSpec>, Option<U32>) {
        (self.collection.take(), self.collection_index)
    }

    fn unvalidated(self, collection: Arc<Collection>) -> ValidateBinding {
        ValidateBinding {
            resource_config: self.resource_config.unwrap_or_else(empty_config),
            collection,
            field_config: self.field_config.unwrap_or_default(),
            backfill: self.backfill.unwrap_or_default().0,
            group_by: self.group_by.unwrap_or_default(),
        }
    }

    fn validated(self, collection: Arc<Collection>) -> Binding {
        Binding {
            resource_config: self.resource_config.unwrap_or_else(empty_config),
            resource_path: self.resource_path.unwrap_or_default(),
            collection,
            field_selection: self.field_selection.unwrap_or_default().into(),
            delta_updates: self.delta_updates.unwrap_or_default(),
            backfill: self.backfill.unwrap_or_default().0,
            state_key: self.state_key.unwrap_or_default(),
        }
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
