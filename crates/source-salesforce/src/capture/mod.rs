//! The capture session.
//!
//! In reading order: what is remembered ([`position`]); the pure rules ([`second`], [`freshness`], [`ledger`],
//! [`fetches`]) and the machine of one binding that they make up ([`binding`]); where its documents go ([`output`]); a binding
//! in a running session ([`lane`]); and the loop that feeds the machines and does what they say ([`session`]).

pub mod binding;
pub mod fetches;
pub mod freshness;
pub mod lane;
pub mod ledger;
pub mod output;
pub mod position;
pub mod second;
pub mod session;
