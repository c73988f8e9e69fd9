//! The sink against an emulated org.

mod operations;
mod trouble;
mod world;
