//! Rows → records as JSON.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::org::schema::FieldType;
use crate::org::value::{Spelling, write, write_text};
use crate::soql::{Compiled, Output};

/// Appends a record as the REST API spells it, `attributes` first.
pub(in crate::org) fn record(out: &mut Vec<u8>, plan: &Compiled, row: &Row<'_>, version: &str) -> rusqlite::Result<()> {
    family(out, plan, row, version, &[])
}

/// Appends a record with the answers of its sub-queries, which are in their order.
pub(in crate::org) fn family(
    out: &mut Vec<u8>,
    plan: &Compiled,
    row: &Row<'_>,
    version: &str,
    children: &[Vec<u8>],
) -> rusqlite::Result<()> {
    out.push(b'{');
    attributes(out, &plan.object.name, &plan.object.name, row.get_ref(0)?, version);
    for output in &plan.outputs {
        out.push(b',');
        let object = &plan.object.name;
        member(out, output, row, Form::Record { version, object, id: row.get_ref(0)?, children })?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a group of records, which has no address.
pub(in crate::org) fn group(out: &mut Vec<u8>, plan: &Compiled, row: &Row<'_>) -> rusqlite::Result<()> {
    out.extend_from_slice(b"{\"attributes\":{\"type\":\"AggregateResult\"}");
    for output in &plan.outputs {
        out.push(b',');
        member(out, output, row, Form::Group)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a record as a PushTopic event carries it.
pub(in crate::org) fn sobject(out: &mut Vec<u8>, plan: &Compiled, row: &Row<'_>) -> rusqlite::Result<()> {
    out.push(b'{');
    for (at, output) in plan.outputs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        member(out, output, row, Form::Event)?;
    }
    out.push(b'}');
    Ok(())
}

#[derive(Clone, Copy)]
enum Form<'a> {
    Record { version: &'a str, object: &'a str, id: ValueRef<'a>, children: &'a [Vec<u8>] },
    Group,
    Event,
}

fn attributes(out: &mut Vec<u8>, kind: &str, object: &str, id: ValueRef<'_>, version: &str) {
    let id = id.as_str().unwrap_or_default();
    let text =
        format!("\"attributes\":{{\"type\":\"{kind}\",\"url\":\"/services/data/v{version}/sobjects/{object}/{id}\"}}");
    out.extend_from_slice(text.as_bytes());
}

fn member(out: &mut Vec<u8>, output: &Output, row: &Row<'_>, form: Form<'_>) -> rusqlite::Result<()> {
    let spelling = match form {
        Form::Record { .. } | Form::Group => Spelling::Rest,
        Form::Event => Spelling::Event,
    };
    match output {
        Output::Field { name, kind, column } => {
            key(out, name);
            write(out, *kind, row.get_ref(*column)?, spelling);
        }
        Output::Blob { name, column } => {
            key(out, name);
            match (form, row.get_ref(*column)?) {
                (Form::Record { version, object, id, .. }, ValueRef::Integer(1)) => {
                    let id = id.as_str().unwrap_or_default();
                    write_text(out, &format!("/services/data/v{version}/sobjects/{object}/{id}/{name}"));
                }
                _ => out.extend_from_slice(b"null"),
            }
        }
        Output::Compound { name, parts } => {
            key(out, name);
            compound(out, row, parts, spelling)?;
        }
        Output::Label { name, column, labels } => {
            key(out, name);
            match row.get_ref(*column)? {
                ValueRef::Text(text) => write_text(out, &labelled(&String::from_utf8_lossy(text), labels)),
                _ => out.extend_from_slice(b"null"),
            }
        }
        Output::Parent { name, object, id, outputs } => {
            key(out, name);
            parent(out, &object.name, &object.name, row.get_ref(*id)?, outputs, row, form)?;
        }
        Output::AnyParent { name, targets, id, outputs } => {
            key(out, name);
            let id = row.get_ref(*id)?;
            let prefix = id.as_str().ok().and_then(|id| id.get(..3));
            let target = targets.iter().find(|target| target.key_prefix.as_deref() == prefix);
            parent(out, "Name", target.map_or("Name", |target| &target.name), id, outputs, row, form)?;
        }
        Output::OneOf { name, parents } => {
            for one in parents {
                if let Output::Parent { id, .. } | Output::AnyParent { id, .. } = one
                    && row.get_ref(*id)? != ValueRef::Null
                {
                    return member(out, one, row, form);
                }
            }
            key(out, name);
            out.extend_from_slice(b"null");
        }
        Output::Children { name, at } => {
            key(out, name);
            match form {
                Form::Record { children, .. } if *at < children.len() => out.extend_from_slice(&children[*at]),
                _ => out.extend_from_slice(b"null"),
            }
        }
    }
    Ok(())
}

/// A parent that is not there is null.
fn parent(
    out: &mut Vec<u8>,
    kind: &str,
    object: &str,
    id: ValueRef<'_>,
    outputs: &[Output],
    row: &Row<'_>,
    form: Form<'_>,
) -> rusqlite::Result<()> {
    let (Form::Record { version, .. }, true) = (form, id != ValueRef::Null) else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    out.push(b'{');
    attributes(out, kind, object, id, version);
    for output in outputs {
        out.push(b',');
        member(out, output, row, Form::Record { version, object, id, children: &[] })?;
    }
    out.push(b'}');
    Ok(())
}

/// The labels of one value or, in a multi-select picklist, of several.
fn labelled(text: &str, labels: &[(String, String)]) -> String {
    let label = |value: &str| {
        let found = labels.iter().find(|(known, _)| known == value);
        found.map_or_else(|| value.to_owned(), |(_, label)| label.clone())
    };
    text.split(';').map(label).collect::<Vec<_>>().join(";")
}

/// A compound without any part is null.
fn compound(
    out: &mut Vec<u8>,
    row: &Row<'_>,
    parts: &[(&str, FieldType, usize)],
    spelling: Spelling,
) -> rusqlite::Result<()> {
    let mut empty = true;
    for (_, _, column) in parts {
        empty &= row.get_ref(*column)? == ValueRef::Null;
    }
    if empty {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    for (at, (part, kind, column)) in parts.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        match spelling {
            Spelling::Event => key(out, part),
            Spelling::Rest => key(out, &format!("{}{}", part[..1].to_ascii_lowercase(), &part[1..])),
        }
        write(out, *kind, row.get_ref(*column)?, spelling);
    }
    out.push(b'}');
    Ok(())
}

fn key(out: &mut Vec<u8>, name: &str) {
    write_text(out, name);
    out.push(b':');
}
