//! The sink against an emulated org.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod circles;
mod operations;
mod restored;
mod sharing;
mod trouble;
mod world;
