//! End-to-end cases: the real binaries against the emulated org, as black boxes. They stand in `cases/`.
