//! Requests as they stand in JSON. What they have in common with those of materializations is in [`task::wire`].

use std::sync::Arc;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Binding, Collection, ValidateBinding};
use crate::{
    error::RequestFault,
    parse,
    task::{
        self,
        wire::{Apply, Open, U32, Validate, empty_config},
    },
};

pub(super) fn request(line: &str) -> Result<super::Request, RequestFault> {
    let Request { spec, discover, validate, apply, open, acknowledge } = parse::from_str(line)?;
    let requests = [
        spec.map(|IgnoredAny| Ok(super::Request::Spec)),
        discover.map(|wire| Ok(super::Request::Discover(wire.into()))),
        validate.map(|wire| wire.resolve().map(super::Request::Validate)),
        apply.map(|wire| wire.resolve().map(super::Request::Apply)),
        open.map(|wire| wire.resolve().map(super::Request::Open)),
        acknowledge.map(|wire| Ok(super::Request::Acknowledge { checkpoints: wire.checkpoints.unwrap_or_default().0 })),
    ];
    task::wire::only_one(&super::Request::KINDS, requests)
}

#[derive(Deserialize)]
struct Request {
    spec: Option<IgnoredAny>,
    discover: Option<Discover>,
    validate: Option<Validate<BindingSpec>>,
    apply: Option<Apply<BindingSpec>>,
    open: Option<Open<BindingSpec>>,
    acknowledge: Option<Acknowledge>,
}

#[derive(Deserialize)]
struct Discover {
    name: Option<String>,
    config: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Acknowledge {
    checkpoints: Option<U32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingSpec {
    resource_config: Option<Box<RawValue>>,
    resource_path: Option<Vec<String>>,
    collection: Option<CollectionSpec>,
    collection_index: Option<U32>,
    backfill: Option<U32>,
    state_key: Option<String>,
}

#[derive(Deserialize)]
struct CollectionSpec {
    name: Option<String>,
    key: Option<Vec<String>>,
}

impl From<Discover> for super::Discover {
    fn from(wire: Discover) -> Self {
        Self { name: wire.name.unwrap_or_default(), config: wire.config.unwrap_or_else(empty_config) }
    }
}

impl task::wire::BindingSpec for BindingSpec {
    const TASK: &'static str = "capture";
    const LAST_TASK: &'static str = "lastCapture";

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
            backfill: self.backfill.unwrap_or_default().0,
        }
    }

    fn validated(self, collection: Arc<Collection>) -> Binding {
        Binding {
            resource_config: self.resource_config.unwrap_or_else(empty_config),
            resource_path: self.resource_path.unwrap_or_default(),
            collection,
            backfill: self.backfill.unwrap_or_default().0,
            state_key: self.state_key.unwrap_or_default(),
        }
    }
}

impl From<CollectionSpec> for Collection {
    fn from(wire: CollectionSpec) -> Self {
        Self { name: wire.name.unwrap_or_default(), key: wire.key.unwrap_or_default() }
    }
}
