//! End-to-end cases: the real binaries against the emulated org, as black boxes. They stand in `cases/`; benchmarks of the same
//! kind stand in `benches/`, and measure by [`measure`].

pub mod measure;
