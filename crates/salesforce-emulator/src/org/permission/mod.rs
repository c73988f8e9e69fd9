//! Who may do what: permission sets, org-wide sharing, and the rule that follows from them. Pure.
//!
//! A user has one profile and any number of permission sets; a profile is a permission set of which everybody has one. What
//! one of them grants no other takes away. (Salesforce Security Guide, "User Permissions and Access".)

mod register;
mod rights;
mod set;
mod sharing;
mod visibility;

pub(super) use register::Register;
pub use register::{Assignment, PermissionError};
pub(super) use rights::{Rights, RowAction, Rows};
pub(super) use set::{FieldAccess, ObjectAccess};
pub use set::{FieldAction, ObjectAction, PermissionSet, UserPermission};
pub use sharing::{Level, Sharing};
pub(super) use visibility::Visibility;
