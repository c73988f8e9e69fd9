//! What requests of captures and of materializations have in common in their JSON.
//!
//! The runtime writes them by protobuf's JSON mapping: a field at its default is absent, a `null` means the same, the
//! kinds are sibling fields of which one is set, and 32-bit numbers may be strings. A binding refers to its collection in one of two ways: inline, or by index into the
//! `linkedCollections` of the message around it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, de};

use crate::{capture::Range, error::RequestFault};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RangeSpec {
    key_begin: Option<U32>,
    key_end: Option<U32>,
    r_clock_begin: Option<U32>,
    r_clock_end: Option<U32>,
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

/// A binding as it stands in a message.
pub(crate) trait Linking {
    /// Its collection as it stands there.
    type Spec: Into<Self::Collection>;
    /// What becomes of it.
    type Collection;

    /// Its collection, or where that is in the message's table.
    fn link(&mut self) -> (Option<Self::Spec>, Option<U32>);
}

/// The collections a message's bindings refer to by index. Empty when they carry them inline.
pub(crate) struct Linked<C>(Vec<Arc<C>>);

impl<C: Default> Linked<C> {
    pub(crate) fn new<S: Into<C>>(table: Option<Vec<S>>) -> Self {
        Self(table.unwrap_or_default().into_iter().map(|wire| Arc::new(wire.into())).collect())
    }

    /// Converts bindings, each with its collection. `path` is where they stand, for the error.
    pub(crate) fn resolve_all<B: Linking<Collection = C>, T>(
        &self,
        bindings: Option<Vec<B>>,
        path: &str,
        convert: impl Fn(B, Arc<C>) -> T,
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
