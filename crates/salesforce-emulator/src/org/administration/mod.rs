//! What the org's administrator does while it runs: policies, users and what they are granted, the schema.

mod policies;
mod schema;
mod users;

pub use users::{NewUser, User};
