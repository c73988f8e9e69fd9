//! The cases stand in `cases/`.
