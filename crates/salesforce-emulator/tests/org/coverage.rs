//! `COVERAGE.md` names tests; they exist.

use std::path::Path;

#[test]
fn named_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let coverage = std::fs::read_to_string(root.join("COVERAGE.md")).unwrap();
    let mut names = 0;
    for name in coverage.split('`').filter(|part| part.contains("::") && *part != "file::function") {
        let (file, function) = name.rsplit_once("::").unwrap();
        let file = if file.contains('/') { root.join(file) } else { root.join("tests/org").join(format!("{file}.rs")) };
        let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(source.contains(&format!("fn {function}(")), "{name} is named in COVERAGE.md and does not exist");
        names += 1;
    }
    assert!(names > 60, "only {names} tests are named");
}
