//! The server against an org in memory: by the table, by chance, over real HTTP.

mod desk;
mod fake;
mod fuzz;
mod http;
mod properties;
mod recorded;
mod stalled;
mod stubborn;
mod table;
mod trouble;
