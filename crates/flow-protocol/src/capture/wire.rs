//! Requests as they stand in JSON.
//!
//! The runtime writes them by protobuf's JSON mapping: a field at its default is absent, a `null` means the same, the
//! kinds are sibling fields of which one is set, and 32-bit numbers may be strings. A binding refers to its collection
//! in one of two ways: inline, or by index into the `linkedCollections` of the message around it.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};
use serde_json::{Map, Value, value::RawValue};

use super::{Binding, Collection, Range, ValidateBinding, empty_config};
use crate::{error::RequestFault, parse};

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
        _ => return Err(RequestFault::Kinds { found }),
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RangeSpec {
    key_begin: Option<U32>,
    key_end: Option<U32>,
    r_clock_begin: Option<U32>,
    r_clock_end: Option<U32>,
}

impl From<Discover> for super::Discover {
    fn from(wire: Discover) -> Self {
        Self { name: wire.name.unwrap_or_default(), config: wire.config.unwrap_or_else(empty_config) }
    }
}

impl Validate {
    fn resolve(self) -> Result<super::Validate, RequestFault> {
        let linked = Linked::new(self.linked_collections);
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
        let linked = Linked::new(self.linked_collections);
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

impl From<RangeSpec> for Range {
    fn from(wire: RangeSpec) -> Self {
        Self {
            key_begin: wire.key_begin.unwrap_or_default().0,
            key_end: wire.key_end.unwrap_or_default().0,
            r_clock_begin: wire.r_clock_begin.unwrap_or_default().0,
            r_clock_end: wire.r_clock_end.unwrap_or_default().0,
        }
    }
}

impl From<CollectionSpec> for Collection {
    fn from(wire: CollectionSpec) -> Self {
        Self { name: wire.name.unwrap_or_default(), key: wire.key.unwrap_or_default() }
    }
}

/// The collections a message's bindings refer to by index. Empty when they carry them inline.
struct Linked(Vec<Arc<Collection>>);

impl Linked {
    fn new(table: Option<Vec<CollectionSpec>>) -> Self {
        Self(table.unwrap_or_default().into_iter().map(|wire| Arc::new(wire.into())).collect())
    }

    /// Converts bindings, each with its collection. `path` is where they stand, for the error.
    fn resolve_all<T>(
        &self,
        bindings: Option<Vec<BindingSpec>>,
        path: &str,
        convert: impl Fn(BindingSpec, Arc<Collection>) -> T,
    ) -> Result<Vec<T>, RequestFault> {
        let resolve = |(position, mut wire): (usize, BindingSpec)| {
            let collection = match (wire.collection.take(), wire.collection_index) {
                (Some(inline), _) => Arc::new(inline.into()),
                // Neither form: the binding says nothing about its collection.
                (None, None) if self.0.is_empty() => Arc::default(),
                (None, index) => {
                    let index = index.unwrap_or_default().0;
                    self.0.get(index as usize).cloned().ok_or_else(|| RequestFault::Collection {
                        binding: format!("{path}[{position}]"),
                        index,
                        count: self.0.len(),
                    })?
                }
            };
            Ok(convert(wire, collection))
        };
        bindings.unwrap_or_default().into_iter().enumerate().map(resolve).collect()
    }
}

/// A 32-bit number. Protobuf's JSON mapping allows it to come as a decimal string.
#[derive(Clone, Copy, Default)]
struct U32(u32);

impl<'de> Deserialize<'de> for U32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = U32;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer from 0 to 4294967295, as number or string")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<U32, E> {
                let misfit = |_| E::invalid_value(de::Unexpected::Unsigned(number), &self);
                u32::try_from(number).map(U32).map_err(misfit)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<U32, E> {
                text.parse().map(U32).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
