//! The merge of history and stream, against a model of an org: the pure machine of a binding, with everything that may happen around
//! it. No row is ever followed by an older one of its record, and the collection becomes the org.

mod capture;
mod exhaustive;
mod org;
mod random;
