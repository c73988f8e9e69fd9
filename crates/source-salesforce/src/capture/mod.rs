//! The capture session.
//!
//! In reading order: what is remembered ([`position`]); the pure rules ([`second`], [`freshness`], [`ledger`], [`fetches`], [`agenda`],
//! [`seen`]) and the machine of one binding that they make up ([`binding`]); where its documents go ([`output`]); a binding in a running
//! session ([`lane`]), when it polls or sweeps ([`timetable`]), the Bulk jobs by which it reads ([`jobs`]) and those that nobody needs any
//! more ([`obsolete`]), its refreshes ([`refresh`]); what it may ask of the org ([`budget`], [`plan`], [`deliveries`]) and what it asks
//! ([`reads`], [`visible`]), and whether all that a session rests on still holds ([`inspection`], [`outlook`]); and the loop that feeds the
//! machines and does what they say ([`session`]), by the [`clock`] that it alone reads.

pub mod agenda;
pub mod binding;
pub mod budget;
mod clock;
pub mod deliveries;
pub mod fetches;
pub mod freshness;
pub mod inspection;
mod jobs;
pub mod lane;
pub mod ledger;
mod meter;
mod obsolete;
pub mod outlook;
pub mod output;
pub mod plan;
pub mod position;
mod reads;
mod refresh;
pub mod report;
pub mod second;
pub mod seen;
pub mod session;
pub mod tally;
mod timetable;
pub mod visible;
