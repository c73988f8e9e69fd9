//! Rows → records as JSON.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::schema::FieldType;
use super::value::{Spelling, write, write_text};
use crate::soql::{Compiled, Output};

/// Appends a record as the REST API spells it, `attributes` first.
pub(super) fn record(out: &mut Vec<u8>, plan: &Compiled, row: &Row<'_>, version: &str) -> rusqlite::Result<()> {
    out.push(b'{');
    attributes(out, &plan.object.name, row.get_ref(0)?, version);
    for output in &plan.outputs {
        out.push(b',');
        member(out, output, row, Form::Record { version, object: &plan.object.name, id: row.get_ref(0)? })?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a record as a PushTopic event carries it.
pub(super) fn sobject(out: &mut Vec<u8>, plan: &Compiled, row: &Row<'_>) -> rusqlite::Result<()> {
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
    Record { version: &'a str, object: &'a str, id: ValueRef<'a> },
    Event,
}

fn attributes(out: &mut Vec<u8>, object: &str, id: ValueRef<'_>, version: &str) {
    let id = id.as_str().unwrap_or_default();
    let text = format!(
        "\"attributes\":{{\"type\":\"{object}\",\"url\":\"/services/data/v{version}/sobjects/{object}/{id}\"}}"
    );
    out.extend_from_slice(text.as_bytes());
}

fn member(out: &mut Vec<u8>, output: &Output, row: &Row<'_>, form: Form<'_>) -> rusqlite::Result<()> {
    let spelling = match form {
        Form::Record { .. } => Spelling::Rest,
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
                (Form::Record { version, object, id }, ValueRef::Integer(1)) => {
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
        Output::Parent { name, object, id, outputs } => {
            key(out, name);
            let id = row.get_ref(*id)?;
            let form = match form {
                Form::Record { version, .. } if id != ValueRef::Null => {
                    Form::Record { version, object: &object.name, id }
                }
                _ => {
                    out.extend_from_slice(b"null");
                    return Ok(());
                }
            };
            out.push(b'{');
            if let Form::Record { version, object, id } = form {
                attributes(out, object, id, version);
            }
            for output in outputs {
                out.push(b',');
                member(out, output, row, form)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
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
