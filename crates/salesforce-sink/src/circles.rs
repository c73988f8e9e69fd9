//! Circles among rows that wait: records that are to be made and refer to each other, or one that refers to itself. None of them can be
//! written as it is; one of them has to go first, without its references. Pure.
//!
//! A row leads to another if it refers to it by what the other is called. Rows that lead, by whatever way, to one that leads nowhere are
//! lost with it: what that one refers to will not come from here. All others lead into circles. On each circle one row is opened, one
//! that can do without what it waits for; of several, that with the most references besides. These are proven by its first write, so that
//! nothing of a circle is written whose rows want something else too.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use salesforce_client::FieldName;

use crate::{
    Operation,
    fields::{Address, identity},
    prepare::{Prepared, lower},
    row::{Cell, Column, Row},
    window::TargetId,
};

/// A row that waits.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) target: TargetId,
    pub(crate) operation: Operation,
    pub(crate) address: &'a Address,
    pub(crate) row: &'a Row,
}

/// What is to be done with a row on a circle; rows are told by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Write it without these references first.
    Open { row: usize, without: Vec<FieldName> },
    /// Nothing: it can never be without this reference, and no other on the circle can do without its own.
    Closed { row: usize, required: FieldName },
}

/// For each row, whether it refers to another that waits, or to itself.
pub(crate) fn tied(targets: &[Arc<Prepared>], rows: &[Waiting<'_>]) -> Vec<bool> {
    nodes(targets, rows).iter().map(|node| !node.ties.is_empty()).collect()
}

/// The breaks that open every circle, or tell why one cannot be opened.
pub(crate) fn breaks(targets: &[Arc<Prepared>], rows: &[Waiting<'_>]) -> Vec<Break> {
    let nodes = nodes(targets, rows);
    circles(&nodes).into_iter().flat_map(|circle| open(&nodes, circle)).collect()
}

/// A row, as far as others are concerned.
#[derive(Debug, Default)]
struct Node {
    ties: Vec<Tie>,
    /// References to records that do not wait.
    besides: usize,
}

/// A reference to another row that waits, or to the same.
#[derive(Debug)]
struct Tie {
    to: usize,
    field: FieldName,
    /// Whether the field has to be set when the record is made, and for good.
    required: bool,
}

impl Node {
    fn required(&self) -> Option<&Tie> {
        self.ties.iter().find(|tie| tie.required)
    }

    /// Of all rows that this one leads to, the one to follow: circles of required references alone are found by it.
    fn next(&self) -> Option<usize> {
        self.required().or(self.ties.first()).map(|tie| tie.to)
    }
}

/// One row of a circle is opened; if none can be, all are closed.
fn open(nodes: &[Node], circle: Vec<usize>) -> Vec<Break> {
    let candidates = circle.iter().copied().filter(|&row| nodes[row].required().is_none());
    match candidates.max_by_key(|&row| (nodes[row].besides, Reverse(row))) {
        Some(row) => {
            let without = nodes[row].ties.iter().map(|tie| tie.field.clone()).collect();
            vec![Break::Open { row, without }]
        }
        None => {
            let closed =
                |row: usize| nodes[row].required().map(|tie| Break::Closed { row, required: tie.field.clone() });
            circle.into_iter().filter_map(closed).collect()
        }
    }
}

/// Circles that have no row in common, one at least of all that lead into each other.
fn circles(nodes: &[Node]) -> Vec<Vec<usize>> {
    let lost = lost(nodes);
    let mut circles = Vec::new();
    // By row, the walk that first came by.
    let mut walks: Vec<Option<usize>> = vec![None; nodes.len()];
    for start in (0..nodes.len()).filter(|&row| !lost[row]) {
        let mut at = start;
        while walks[at].is_none() {
            walks[at] = Some(start);
            at = nodes[at].next().unwrap_or(at);
        }
        // Back on its own path, and not on that of an earlier walk, whose circle is known.
        if walks[at] == Some(start) {
            let around = std::iter::successors(nodes[at].next(), |&row| nodes[row].next().filter(|_| row != at));
            circles.push(around.collect());
        }
    }
    circles
}

/// Which rows lead to one that leads nowhere.
fn lost(nodes: &[Node]) -> Vec<bool> {
    let mut followers = vec![Vec::new(); nodes.len()];
    for (row, node) in nodes.iter().enumerate() {
        node.ties.iter().for_each(|tie| followers[tie.to].push(row));
    }
    let mut lost: Vec<bool> = nodes.iter().map(|node| node.ties.is_empty()).collect();
    let mut found: Vec<usize> = (0..nodes.len()).filter(|&row| lost[row]).collect();
    while let Some(row) = found.pop() {
        for &follower in &followers[row] {
            if !std::mem::replace(&mut lost[follower], true) {
                found.push(follower);
            }
        }
    }
    lost
}

/// A record by an external id: object, field and value, in one spelling.
type Name = (Box<str>, Box<str>, Box<str>);

/// Who refers to whom.
fn nodes(targets: &[Arc<Prepared>], rows: &[Waiting<'_>]) -> Vec<Node> {
    let references: Vec<Vec<(Option<Name>, &Column)>> = rows.iter().map(|row| references(targets, row)).collect();
    // Only these fields are asked what a row is called by.
    let mut fields: Vec<(&str, &str)> = references
        .iter()
        .flatten()
        .filter_map(|(name, _)| name.as_ref())
        .map(|(object, by, _)| (&**object, &**by))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    let mut called: HashMap<Name, usize> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        let prepared = &targets[row.target.0 as usize];
        let own = lower(prepared.target.object.as_str());
        for (object, by) in fields.iter().filter(|(object, _)| **object == *own) {
            if let Some(value) = value_of(prepared, row, by) {
                called.entry(((*object).into(), (*by).into(), value)).or_insert(place);
            }
        }
    }
    let node = |(row, references): (&Waiting<'_>, &Vec<(Option<Name>, &Column)>)| {
        let mut node = Node::default();
        for (name, column) in references {
            match name.as_ref().and_then(|name| called.get(name)) {
                Some(&to) => {
                    let required = is_required(&targets[row.target.0 as usize], column);
                    node.ties.push(Tie { to, field: column.field.clone(), required });
                }
                None => node.besides += 1,
            }
        }
        node
    };
    rows.iter().zip(&references).map(node).collect()
}

/// The references of a row by external ids, and the records that they name; `None` for one of an object that nobody writes here.
fn references<'a>(targets: &[Arc<Prepared>], row: &Waiting<'a>) -> Vec<(Option<Name>, &'a Column)> {
    let own = &targets[row.target.0 as usize];
    let name = |column: &Column, cell: &Cell| {
        let parent = column.parent.as_ref()?;
        let slot = own.slots.get(&lower(column.field.as_str()))?;
        let object = parent.object.as_ref().or(slot.field.reference_to.first())?;
        let target = targets.iter().find(|it| it.target.object.same_as(object.as_str()))?;
        let by = &target.slots.get(&lower(parent.by.as_str()))?.field;
        Some((lower(object.as_str()), lower(by.name.as_str()), identity(by, cell)))
    };
    let cells = row.row.iter().filter(|(column, cell)| column.parent.is_some() && **cell != Cell::Null);
    cells.map(|(column, cell)| (name(column, cell), &**column)).collect()
}

/// What a record that may be made is called by in a field.
fn value_of(prepared: &Prepared, row: &Waiting<'_>, by: &str) -> Option<Box<str>> {
    if !matches!(row.operation, Operation::Insert | Operation::Upsert) {
        return None;
    }
    let field = &prepared.slots.get(by)?.field;
    let is = |own: &Option<salesforce_client::Field>| own.as_ref().is_some_and(|own| own.name == field.name);
    let cell = match row.address {
        Address::Key(cell) if is(&prepared.matched) => cell,
        Address::Delivery(cell) if is(&prepared.delivery) => cell,
        _ => row.row.get(by)?,
    };
    (*cell != Cell::Null).then(|| identity(field, cell))
}

/// Whether a reference cannot be left out at first and set later, as that of a detail to its master.
fn is_required(prepared: &Prepared, column: &Column) -> bool {
    let slot = prepared.slots.get(&lower(column.field.as_str()));
    slot.is_some_and(|slot| !slot.field.nillable || !slot.field.updateable)
}

#[cfg(test)]
mod tests {
    use salesforce_client::Describe;

    use super::*;
    use crate::{Change, Fields, Lookup, MatchBy, References, Target, fields::Fitted};

    /// Things refer to things by their key, and to accounts by their number; accounts to things.
    fn targets() -> Vec<Arc<Prepared>> {
        let prepare = |describe: &str, key: &str, lookups: &[(&str, &str)]| {
            let describe: Describe = serde_json::from_str(describe).unwrap();
            let lookup = |(reference, by): &(&str, &str)| Lookup {
                reference: reference.parse().unwrap(),
                object: None,
                by: by.parse().unwrap(),
            };
            let target = Target::new(describe.name().clone(), MatchBy::ExternalId(key.parse().unwrap()));
            let references = References { lookups: lookups.iter().map(lookup).collect(), ..References::default() };
            Arc::new(Target { references, ..target }.prepare(&describe).unwrap())
        };
        let things = r#"{"name":"Thing__c","createable":true,"updateable":true,"deletable":true,"fields":[
            {"name":"Key__c","type":"string","externalId":true,"unique":true,"createable":true},
            {"name":"Other_Key__c","type":"string","externalId":true,"createable":true,"updateable":true},
            {"name":"A__c","type":"reference","referenceTo":["Thing__c"],"relationshipName":"A__r","nillable":true,"createable":true,"updateable":true},
            {"name":"B__c","type":"reference","referenceTo":["thing__c"],"relationshipName":"B__r","nillable":true,"createable":true,"updateable":true},
            {"name":"Else__c","type":"reference","referenceTo":["Thing__c"],"relationshipName":"Else__r","nillable":true,"createable":true,"updateable":true},
            {"name":"Owner__c","type":"reference","referenceTo":["Account"],"relationshipName":"Owner__r","nillable":true,"createable":true,"updateable":true},
            {"name":"Master__c","type":"reference","referenceTo":["Thing__c"],"relationshipName":"Master__r","createable":true},
            {"name":"Fixed__c","type":"reference","referenceTo":["Thing__c"],"relationshipName":"Fixed__r","nillable":true,"createable":true}]}"#;
        let accounts = r#"{"name":"Account","createable":true,"updateable":true,"deletable":true,"fields":[
            {"name":"Number__c","type":"double","externalId":true,"unique":true,"createable":true},
            {"name":"Main__c","type":"reference","referenceTo":["Thing__c"],"relationshipName":"Main__r","nillable":true,"createable":true,"updateable":true}]}"#;
        let by_key = [
            ("A__c", "Key__c"),
            ("B__c", "Key__c"),
            ("Else__c", "Other_Key__c"),
            ("Owner__c", "Number__c"),
            ("Master__c", "Key__c"),
            ("Fixed__c", "Key__c"),
        ];
        vec![prepare(things, "Key__c", &by_key), prepare(accounts, "Number__c", &[("Main__c", "Key__c")])]
    }

    const THING: u32 = 0;
    const ACCOUNT: u32 = 1;

    /// Rows that wait, each as target, operation, key and fields: what is opened, and what cannot be.
    fn found(rows: &[(u32, Operation, &str, &str)]) -> String {
        let targets = targets();
        let fitted: Vec<(u32, Operation, Fitted)> = rows
            .iter()
            .map(|&(target, operation, key, fields)| {
                let fields = Fields::parse(fields).unwrap();
                let change = Change { operation, key: Some(key.into()), fields, origin: () };
                (target, operation, targets[target as usize].fit(&change).unwrap())
            })
            .collect();
        let waiting = fitted.iter().map(|(target, operation, fitted)| Waiting {
            target: TargetId(*target),
            operation: *operation,
            address: &fitted.address,
            row: &fitted.row,
        });
        let breaks = breaks(&targets, &waiting.collect::<Vec<_>>());
        let shown = breaks.iter().map(|found| match found {
            Break::Open { row, without } => {
                let without: Vec<String> = without.iter().map(ToString::to_string).collect();
                format!("{} without {}", rows[*row].2, without.join(" and "))
            }
            Break::Closed { row, required } => format!("{} needs {required}", rows[*row].2),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn one_row_of_each_circle_is_opened() {
        use Operation::{Insert, Update, Upsert};
        for (story, rows, expect) in [
            ("nobody waits", &[][..], ""),
            ("a parent that is nowhere", &[(THING, Upsert, "x", r#"{"A__c":"nowhere"}"#)], ""),
            ("itself", &[(THING, Upsert, "x", r#"{"A__c":"x"}"#)], "x without A__c"),
            (
                "each other, spelled otherwise",
                &[(THING, Upsert, "x", r#"{"A__c":"Y"}"#), (THING, Upsert, "y", r#"{"B__c":"X"}"#)],
                "x without A__c",
            ),
            (
                "three, and one that hangs on them",
                &[
                    (THING, Upsert, "w", r#"{"A__c":"x"}"#),
                    (THING, Upsert, "x", r#"{"A__c":"y"}"#),
                    (THING, Insert, "y", r#"{"A__c":"z"}"#),
                    (THING, Upsert, "z", r#"{"A__c":"x"}"#),
                ],
                "x without A__c",
            ),
            (
                "of two objects, a number spelled otherwise",
                &[(THING, Upsert, "x", r#"{"Owner__c":"7.0"}"#), (ACCOUNT, Upsert, "7", r#"{"Main__c":"x"}"#)],
                "x without Owner__c",
            ),
            (
                "by a field that is written, not matched",
                &[(THING, Upsert, "x", r#"{"Else__c":"e","Other_Key__c":"E"}"#)],
                "x without Else__c",
            ),
            (
                "two circles",
                &[
                    (THING, Upsert, "a", r#"{"A__c":"b"}"#),
                    (THING, Upsert, "b", r#"{"A__c":"a"}"#),
                    (THING, Upsert, "c", r#"{"A__c":"c"}"#),
                ],
                "a without A__c, c without A__c",
            ),
            (
                "two ways round: all that waits is left out",
                &[(THING, Upsert, "x", r#"{"A__c":"y","B__c":"x"}"#), (THING, Upsert, "y", r#"{"A__c":"x"}"#)],
                "x without A__c and B__c",
            ),
            (
                "who refers to more goes first, so that it is known to be there",
                &[
                    (THING, Upsert, "x", r#"{"A__c":"y"}"#),
                    (THING, Upsert, "y", r#"{"A__c":"x","Owner__c":"9","B__c":"elsewhere"}"#),
                ],
                "y without A__c",
            ),
            (
                "a circle that hangs on what is nowhere",
                &[
                    (THING, Upsert, "x", r#"{"A__c":"y","B__c":"z"}"#),
                    (THING, Upsert, "y", r#"{"A__c":"x"}"#),
                    (THING, Upsert, "z", r#"{"A__c":"nowhere"}"#),
                ],
                "",
            ),
            (
                "an update makes nothing",
                &[(THING, Update, "x", r#"{"A__c":"y"}"#), (THING, Upsert, "y", r#"{"A__c":"x"}"#)],
                "",
            ),
            (
                "a detail cannot be without its master; the master waits",
                &[(THING, Upsert, "d", r#"{"Master__c":"m"}"#), (THING, Upsert, "m", r#"{"A__c":"d"}"#)],
                "m without A__c",
            ),
            (
                "a detail that refers to more cannot go first either",
                &[
                    (THING, Upsert, "d", r#"{"A__c":"m","Master__c":"m","B__c":"elsewhere"}"#),
                    (THING, Upsert, "m", r#"{"A__c":"d","Fixed__c":null}"#),
                ],
                "m without A__c",
            ),
            (
                "masters of each other",
                &[(THING, Upsert, "d", r#"{"A__c":"d","Master__c":"m"}"#), (THING, Upsert, "m", r#"{"Fixed__c":"d"}"#)],
                "m needs Fixed__c, d needs Master__c",
            ),
        ] {
            assert_eq!(found(rows), expect, "{story}");
        }
    }
}
