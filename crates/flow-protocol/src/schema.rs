//! Config schemas as Flow's forms want them.
//!
//! [`of`] makes a schema from a type that derives [`JsonSchema`]: one piece without references, optional fields that may
//! be absent but not `null`, and a discriminator where alternatives tell themselves apart by a constant. What a type
//! cannot say is written on its fields:
//!
//! ```
//! # use schemars::JsonSchema;
//! /// Sign-in
//! #[derive(JsonSchema)]
//! # #[allow(dead_code)]
//! struct Credentials {
//!     /// # Consumer Secret
//!     /// The secret of the connected app.
//!     #[schemars(extend("secret" = true, "order" = 1))]
//!     client_secret: String,
//! }
//! ```
//!
//! Annotations Flow knows: `secret` and `multiline` (on strings), `advanced` (on an object, shown folded), `order`, and
//! `x-oauth2-provider` (on one alternative of the credentials). [`violations`] checks a schema against Flow's rules.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::Value;

pub use self::rules::violations;

mod rules;
mod transform;

/// The schema of a configuration type.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    transform::absent_instead_of_null(&mut schema);
    transform::without_number_formats(&mut schema);
    transform::discriminate(&mut schema);
    schema.to_value()
}
