//! The client against a server in this process that answers what each test tells it to.

mod calls;
mod pages;
mod secrets;
mod server;
mod sign_in;
