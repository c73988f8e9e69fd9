//! The Bayeux protocol as Salesforce speaks it, without any input or output.

mod codec; // bytes to messages, in one pass
mod message; // messages of the protocol, ours and the server's

mod cause; // what a refusal is about
mod channels; // the channels of a stream, and where each stands
mod waiting; // how long to wait after trouble

mod exchange; // what goes into the machine and what comes out
mod phase; // where a session stands
mod session; // the machine
mod verdict; // what a reply means for the session

pub(crate) use codec::{Body, excerpt};
pub(crate) use exchange::{Answer, Effect, Fault, Input, Level, Post};
pub(crate) use session::Session;

#[cfg(test)]
mod foreign_tests; // sessions with servers written by others, recorded
#[cfg(test)]
mod script; // a session driven by hand, its effects as text
#[cfg(test)]
mod script_tests;
#[cfg(test)]
mod torture_tests;
