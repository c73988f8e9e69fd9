//! `@{reference.path}` in a subrequest: the value that an earlier subrequest's answer has there.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::org::Refusal;

/// The answers so far, by their reference ids.
#[derive(Debug, Default)]
pub(in crate::api) struct Answers(HashMap<String, Json>);

impl Answers {
    pub(in crate::api) fn add(&mut self, reference: &str, body: Json) {
        self.0.insert(reference.to_owned(), body);
    }

    /// A text with its references resolved; `spell` says how a value is written there.
    pub(in crate::api) fn resolve(&self, text: &str, spell: impl Fn(&str) -> String) -> Result<String, Refusal> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, (path, after))) =
            rest.split_once("@{").and_then(|(before, inside)| Some((before, inside.split_once('}')?)))
        {
            resolved.push_str(before);
            resolved.push_str(&spell(&self.value(path)?));
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// Resolves the references in every text of a body.
    pub(in crate::api) fn resolve_all(&self, body: &mut Json) -> Result<(), Refusal> {
        match body {
            Json::String(text) if text.contains("@{") => *text = self.resolve(text, str::to_owned)?,
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.resolve_all(item))?,
            Json::Object(members) => members.values_mut().try_for_each(|member| self.resolve_all(member))?,
            _ => {}
        }
        Ok(())
    }

    /// `refAccount.id`, `refQuery.records[0].Id`, `refRows[1].id`: names are compared with their case.
    fn value(&self, path: &str) -> Result<String, Refusal> {
        let name = path.split(['.', '[']).next().unwrap_or(path);
        let steps = path[name.len()..].split(['.', '[']).skip(1);
        let found = steps.fold(self.0.get(name), |value, step| match step.strip_suffix(']') {
            Some(place) => value?.get(place.parse::<usize>().ok()?),
            None => value?.get(step),
        });
        match found {
            Some(Json::String(text)) => Ok(text.clone()),
            Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(value.to_string()),
            _ => Err(Refusal::bad(
                "PROCESSING_HALTED",
                format!("Invalid reference specified. No value for {path} found in {name}."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table() {
        let mut answers = Answers::default();
        answers.add("made", json!({"id": "001A", "success": true, "count": 3}));
        answers.add("rows", json!([{"id": "1"}, {"id": "2"}]));
        answers.add("found", json!({"records": [{"Id": "003B", "Account": {"Name": "a b"}, "Phone": null}]}));
        let missing = |path: &str, name: &str| {
            Err(format!("PROCESSING_HALTED: Invalid reference specified. No value for {path} found in {name}."))
        };
        for (text, expected) in [
            ("plain", Ok("plain".to_owned())),
            ("/x/@{made.id}/@{rows[1].id}", Ok("/x/001A/2".to_owned())),
            ("@{found.records[0].Account.Name}", Ok("a b".to_owned())),
            ("@{made.success} @{made.count}", Ok("true 3".to_owned())),
            ("an open @{brace", Ok("an open @{brace".to_owned())),
            ("@{made.Id}", missing("made.Id", "made")),
            ("@{rows[2].id}", missing("rows[2].id", "rows")),
            ("@{rows[x].id}", missing("rows[x].id", "rows")),
            ("@{found.records[0].Phone}", missing("found.records[0].Phone", "found")),
            ("@{found.records}", missing("found.records", "found")),
            ("@{later.id}", missing("later.id", "later")),
            ("@{}", missing("", "")),
        ] {
            assert_eq!(answers.resolve(text, str::to_owned).map_err(|refusal| refusal.to_string()), expected, "{text}");
        }
    }
}
