//! What was written to a second org, against what the first one holds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::verdict::Difference;

/// The records of a second org that are copies of a first one's. A field of theirs says of which record.
#[derive(Debug)]
pub struct Copies<'a> {
    match_field: &'a str,
    /// Ids in the first org by those in the second.
    origins: BTreeMap<String, Value>,
}

impl<'a> Copies<'a> {
    /// The copies among these records, of all objects.
    pub fn among<'r>(match_field: &'a str, records: impl IntoIterator<Item = (&'r String, &'r Value)>) -> Self {
        let origin = |(id, record): (&String, &Value)| {
            Some((id.clone(), Some(record[match_field].clone()).filter(Value::is_string)?))
        };
        Self { match_field, origins: records.into_iter().filter_map(origin).collect() }
    }

    /// How the copies of one object's records differ from them in these fields. A reference agrees if it leads to the copy of what the
    /// record refers to.
    pub fn difference(
        &self,
        object: &str,
        fields: &[&str],
        records: &BTreeMap<String, Value>,
        copies: &BTreeMap<String, Value>,
    ) -> Difference {
        let shown = |record: &Value, value: &dyn Fn(&Value) -> Value| -> Value {
            fields
                .iter()
                .map(|field| ((*field).to_owned(), value(&record[*field])))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let own = |value: &Value| value.clone();
        let original = |value: &Value| value.as_str().and_then(|id| self.origins.get(id)).unwrap_or(value).clone();
        let truth = records.iter().map(|(id, record)| (id.clone(), shown(record, &own))).collect();
        // What is no copy of anything stands under its own Id: it is too much.
        let name = |id: &String, copy: &Value| copy[self.match_field].as_str().unwrap_or(id).to_owned();
        let copies = copies.iter().map(|(id, copy)| (name(id, copy), shown(copy, &original))).collect();
        Difference::between(object, &copies, &truth)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(records: &[(&str, Value)]) -> BTreeMap<String, Value> {
        records.iter().map(|(id, record)| ((*id).to_owned(), record.clone())).collect()
    }

    #[test]
    fn references_are_followed_and_the_rest_is_compared() {
        let first = records(&[
            ("a1", json!({ "Name": "Ngo", "Boss": null, "Own": 1 })),
            ("a2", json!({ "Name": "Ito", "Boss": "a1", "Own": 2 })),
            ("a3", json!({ "Name": "Roy", "Boss": "a1" })),
        ]);
        let second = records(&[
            ("b1", json!({ "From": "a1", "Name": "Ngo", "Boss": null, "Own": 7 })),
            ("b2", json!({ "From": "a2", "Name": "Ito", "Boss": "b1" })),
            ("b4", json!({ "From": null, "Name": "Ann", "Boss": null })),
        ]);
        let copies = Copies::among("From", &second);
        let difference = copies.difference("Person", &["Name", "Boss"], &first, &second);
        assert_eq!((difference.missing, difference.surplus), (vec!["a3".to_owned()], vec!["b4".to_owned()]));
        assert_eq!(difference.different, []);
        let wrong = records(&[("b2", json!({ "From": "a2", "Name": "Ito", "Boss": "b2" }))]);
        let copies = Copies::among("From", &wrong);
        assert_eq!(copies.difference("Person", &["Boss"], &first, &wrong).different.len(), 1);
    }
}
