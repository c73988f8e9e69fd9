//! End-to-end cases: the real binaries against the emulated org.
