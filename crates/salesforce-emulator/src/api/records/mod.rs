//! Records: one by one, named by what identifies them, with a file, and up to thousands in a request.

pub(super) mod collections;
pub(super) mod file;
pub(super) mod rows;
pub(super) mod sobject;
pub(super) mod upsert;
