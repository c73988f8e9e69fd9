//! Requests as they stand in JSON. What they have in common with those of materializations is in [`crate::wire`].

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};

use super::{Binding, Collection, Range, ValidateBinding, empty_config};
use crate::{
    error::RequestFault,
    parse,
    wire::{Linked, Linking, RangeSpec, U32},
};

pub(super) fn request(line: &str) -> Result<super::Request, RequestFault> {
    let Request { spec, discover, validate, apply, open, acknowledge } = parse::from_str(line)?;
    let found: Vec<&'static str> = [
        ("spec", spec.is_some()),
        ("discover", discover.is_some()),
        ("validate", validate.is_some()),
        ("apply", apply.is_some()),
        ("open", open.is_some()),
        ("acknowledge", acknowledge.is_some()),
    ]
    .into_iter()
    .filter_map(|(kind, present)| present.then_some(kind))
    .collect();

    Ok(match (spec, discover, validate, apply, open, acknowledge) {
        (Some(IgnoredAny), None, None, None, None, None) => super::Request::Spec,
        (None, Some(discover), None, None, None, None) => super::Request::Discover(discover.into()),
        (None, None, Some(validate), None, None, None) => super::Request::Validate(validate.resolve()?),
        (None, None, None, Some(apply), None, None) => super::Request::Apply(apply.resolve()?),
        (None, None, None, None, Some(open), None) => super::Request::Open(open.resolve()?),
        (None, None, None, None, None, Some(acknowledge)) => {
            super::Request::Acknowledge { checkpoints: acknowledge.checkpoints.unwrap_or_default().0 }
        }
        _ => return Err(RequestFault::Kinds { expected: &super::Request::KINDS, found }),
    })
}

#[derive(Deserialize)]
struct Request {
    spec: Option<IgnoredAny>,
    discover: Option<Discover>,
    validate: Option<Validate>,
    apply: Option<Apply>,
    open: Option<Open>,
    acknowledge: Option<Acknowledge>,
}

#[derive(Deserialize)]
struct Discover {
    name: Option<String>,
    config: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validate {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<BindingSpec>>,
    last_capture: Option<CaptureSpec>,
    last_version: Option<String>,
    linked_collections: Option<Vec<CollectionSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Apply {
    capture: Option<CaptureSpec>,
    version: Option<String>,
    last_capture: Option<CaptureSpec>,
    last_version: Option<String>,
}

#[derive(Deserialize)]
struct Open {
    capture: Option<CaptureSpec>,
    version: Option<String>,
    range: Option<RangeSpec>,
    state: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Acknowledge {
    checkpoints: Option<U32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct CaptureSpec {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<BindingSpec>>,
    inactive_bindings: Option<Vec<BindingSpec>>,
    interval_seconds: Option<U32>,
    linked_collections: Option<Vec<CollectionSpec>>,
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

impl Validate {
    fn resolve(self) -> Result<super::Validate, RequestFault> {
        let linked = Linked::<Collection>::new(self.linked_collections);
        let bindings = linked.resolve_all(self.bindings, "validate.bindings", |wire, collection| ValidateBinding {
            resource_config: wire.resource_config.unwrap_or_else(empty_config),
            collection,
            backfill: wire.backfill.unwrap_or_default().0,
        })?;
        Ok(super::Validate {
            name: self.name.unwrap_or_default(),
            config: self.config.unwrap_or_else(empty_config),
            bindings,
            last_capture: self.last_capture.map(|spec| spec.resolve("validate.lastCapture")).transpose()?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl Apply {
    fn resolve(self) -> Result<super::Apply, RequestFault> {
        Ok(super::Apply {
            capture: self.capture.unwrap_or_default().resolve("apply.capture")?,
            version: self.version.unwrap_or_default(),
            last_capture: self.last_capture.map(|spec| spec.resolve("apply.lastCapture")).transpose()?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl Open {
    fn resolve(self) -> Result<super::Open, RequestFault> {
        Ok(super::Open {
            capture: self.capture.unwrap_or_default().resolve("open.capture")?,
            version: self.version.unwrap_or_default(),
            range: self.range.map_or(Range::FULL, Range::from),
            state: Value::Object(self.state.unwrap_or_default()),
        })
    }
}

impl CaptureSpec {
    fn resolve(self, path: &str) -> Result<super::CaptureSpec, RequestFault> {
        let linked = Linked::<Collection>::new(self.linked_collections);
        let binding = |wire: BindingSpec, collection| Binding {
            resource_config: wire.resource_config.unwrap_or_else(empty_config),
            resource_path: wire.resource_path.unwrap_or_default(),
            collection,
            backfill: wire.backfill.unwrap_or_default().0,
            state_key: wire.state_key.unwrap_or_default(),
        };
        Ok(super::CaptureSpec {
            name: self.name.unwrap_or_default(),
            config: self.config,
            bindings: linked.resolve_all(self.bindings, &format!("{path}.bindings"), binding)?,
            inactive_bindings: linked.resolve_all(
                self.inactive_bindings,
                &format!("{path}.inactiveBindings"),
                binding,
            )?,
            interval_seconds: self.interval_seconds.unwrap_or_default().0,
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

impl From<CollectionSpec> for Collection {
    fn from(wire: CollectionSpec) -> Self {
        Self { name: wire.name.unwrap_or_default(), key: wire.key.unwrap_or_default() }
    }
}
