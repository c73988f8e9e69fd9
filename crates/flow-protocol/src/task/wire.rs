//! What requests of captures and of materializations have in common in their JSON.
//!
//! The runtime writes them by protobuf's JSON mapping: a field at its default is absent, a `null` means the same, the
//! kinds are sibling fields of which one is set, and 32-bit numbers may be strings. A binding refers to its collection in
//! one of two ways: inline, or by index into the `linkedCollections` of the message around it. The task itself goes by the
//! name of its protocol, `capture` or `materialization`; either is read in both, as a runtime sends no other's.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::Range;
use crate::error::RequestFault;

/// The request of a line, out of all that it could be, in the order of `kinds`.
pub(crate) fn only_one<R, const N: usize>(
    kinds: &'static [&'static str; N],
    requests: [Option<Result<R, RequestFault>>; N],
) -> Result<R, RequestFault> {
    let present = kinds.iter().zip(requests).filter_map(|(kind, request)| Some((*kind, request?)));
    let (found, mut requests): (Vec<_>, Vec<_>) = present.unzip();
    match (requests.pop(), requests.is_empty()) {
        (Some(request), true) => request,
        _ => Err(RequestFault::Kinds { expected: kinds, found }),
    }
}

/// A binding as it stands in the messages of a protocol.
pub(crate) trait BindingSpec: DeserializeOwned {
    /// How places in a request name the task.
    const TASK: &'static str;
    /// How they name the task as it was before.
    const LAST_TASK: &'static str;

    /// Its collection as it stands there.
    type CollectionSpec: DeserializeOwned + Into<Self::Collection>;
    /// What becomes of the collection.
    type Collection: Default;
    /// What becomes of a binding to be validated.
    type Unvalidated;
    /// What becomes of a binding of a task.
    type Binding;

    /// Its collection, or where that is in the message's table.
    fn link(&mut self) -> (Option<Self::CollectionSpec>, Option<U32>);
    /// A binding to be validated.
    fn unvalidated(self, collection: Arc<Self::Collection>) -> Self::Unvalidated;
    /// A binding of a task.
    fn validated(self, collection: Arc<Self::Collection>) -> Self::Binding;
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
pub(crate) struct Validate<B: BindingSpec> {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<B>>,
    #[serde(rename = "lastCapture", alias = "lastMaterialization")]
    last_task: Option<TaskSpec<B>>,
    last_version: Option<String>,
    linked_collections: Option<Vec<B::CollectionSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
pub(crate) struct Apply<B: BindingSpec> {
    #[serde(rename = "capture", alias = "materialization")]
    task: Option<TaskSpec<B>>,
    version: Option<String>,
    #[serde(rename = "lastCapture", alias = "lastMaterialization")]
    last_task: Option<TaskSpec<B>>,
    last_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(crate) struct Open<B: BindingSpec> {
    #[serde(rename = "capture", alias = "materialization")]
    task: Option<TaskSpec<B>>,
    version: Option<String>,
    range: Option<RangeSpec>,
    state: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
struct TaskSpec<B: BindingSpec> {
    name: Option<String>,
    config: Option<Box<RawValue>>,
    bindings: Option<Vec<B>>,
    inactive_bindings: Option<Vec<B>>,
    linked_collections: Option<Vec<B::CollectionSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RangeSpec {
    key_begin: Option<U32>,
    key_end: Option<U32>,
    r_clock_begin: Option<U32>,
    r_clock_end: Option<U32>,
}

/// The configuration of a message that carries none.
pub(crate) fn empty_config() -> Box<RawValue> {
    to_raw_value(&Map::new()).expect("an empty object is JSON")
}

impl<B: BindingSpec> Validate<B> {
    pub(crate) fn resolve(self) -> Result<super::Validate<B::Unvalidated, B::Binding>, RequestFault> {
        let linked = Linked::<B>::new(self.linked_collections);
        Ok(super::Validate {
            name: self.name.unwrap_or_default(),
            config: self.config.unwrap_or_else(empty_config),
            bindings: linked.resolve(self.bindings, "validate.bindings", B::unvalidated)?,
            last_task: task(self.last_task, "validate", B::LAST_TASK)?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl<B: BindingSpec> Apply<B> {
    pub(crate) fn resolve(self) -> Result<super::Apply<B::Binding>, RequestFault> {
        Ok(super::Apply {
            task: task(self.task, "apply", B::TASK)?.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            last_task: task(self.last_task, "apply", B::LAST_TASK)?,
            last_version: self.last_version.unwrap_or_default(),
        })
    }
}

impl<B: BindingSpec> Open<B> {
    pub(crate) fn resolve(self) -> Result<super::Open<B::Binding>, RequestFault> {
        Ok(super::Open {
            task: task(self.task, "open", B::TASK)?.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            range: self.range.map_or(Range::FULL, Range::from),
            state: Value::Object(self.state.unwrap_or_default()),
        })
    }
}

/// The task of a request, which calls it by `name`.
fn task<B: BindingSpec>(
    spec: Option<TaskSpec<B>>,
    request: &str,
    name: &str,
) -> Result<Option<super::TaskSpec<B::Binding>>, RequestFault> {
    let resolve = |spec: TaskSpec<B>| {
        let linked = Linked::<B>::new(spec.linked_collections);
        let bindings = |list, member| linked.resolve(list, &format!("{request}.{name}.{member}"), B::validated);
        Ok(super::TaskSpec {
            name: spec.name.unwrap_or_default(),
            config: spec.config,
            bindings: bindings(spec.bindings, "bindings")?,
            inactive_bindings: bindings(spec.inactive_bindings, "inactiveBindings")?,
        })
    };
    spec.map(resolve).transpose()
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

/// The collections a message's bindings refer to by index. Empty when they carry them inline.
struct Linked<B: BindingSpec>(Vec<Arc<B::Collection>>);

impl<B: BindingSpec> Linked<B> {
    fn new(table: Option<Vec<B::CollectionSpec>>) -> Self {
        Self(table.unwrap_or_default().into_iter().map(|wire| Arc::new(wire.into())).collect())
    }

    /// Converts bindings, each with its collection. `path` is where they stand, for the error.
    fn resolve<T>(
        &self,
        bindings: Option<Vec<B>>,
        path: &str,
        convert: impl Fn(B, Arc<B::Collection>) -> T,
    ) -> Result<Vec<T>, RequestFault> {
        let resolve = |(position, mut wire): (usize, B)| {
            let collection = match wire.link() {
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
pub(crate) struct U32(pub(crate) u32);

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
