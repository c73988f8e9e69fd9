//! The name that was probably meant.

/// The name that differs least, if it differs little.
pub fn closest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let near = names.map(|name| (distance(&wanted, &name.to_ascii_lowercase()), name));
    near.filter(|(distance, name)| *distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, over bytes: API names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_object() {
        let names = ["Account", "AccountHistory", "Contact", "Contract", "Lead"];
        for (wanted, expect) in [
            ("Acount", Some("Account")),
            ("account", Some("Account")),
            ("Accounts", Some("Account")),
            ("Contract", Some("Contract")),
            ("Led", Some("Lead")),
            ("Invoice__c", None),
        ] {
            assert_eq!(closest(wanted, names.into_iter()), expect, "{wanted}");
        }
    }
}
