//! The client against a server in this process that answers what each test tells it to.

mod bulk;
mod bulk_results;
mod by_id;
mod calls;
mod counts;
mod csv;
mod grants;
mod ingest;
mod long_queries;
mod lookup;
mod network;
mod pages;
mod secrets;
mod server;
mod sign_in;
mod spans;
mod together;
mod undelete;
mod writes;
