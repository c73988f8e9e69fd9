//! `COVERAGE.md` names tests; they exist.

use std::path::Path;

#[test]
fn named_tests_exist() {
    let coverage = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("COVERAGE.md")).unwrap();
    let mut names = 0;
    for name in coverage.split('`').filter(|part| part.contains("::") && *part != "file::function") {
        source_of(name);
        names += 1;
    }
    assert!(names > 60, "only {names} tests are named");
}

/// The source of a test named `file::function`, which must be there. Files without a path are in `tests/org`.
pub(crate) fn source_of(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (file, function) = name.rsplit_once("::").unwrap();
    let file = if file.contains('/') { root.join(file) } else { root.join("tests/org").join(format!("{file}.rs")) };
    let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(source.contains(&format!("fn {function}(")), "{name} is named and does not exist");
    source
}
