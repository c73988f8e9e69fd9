//! The emulated org with many rows, kept in a file between runs: to make them takes longer than to read them.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use salesforce_emulator::{
    Config, Emulator, Settings,
    org::{FieldDefinition, FieldType, ObjectDefinition},
};
use serde_json::Value;
use tokio::task::block_in_place;

use crate::{Result, door};

/// The object that is read.
pub(crate) const OBJECT: &str = "Shipment__c";

/// Fields of a row, with those that every custom object has.
pub(crate) const FIELDS: usize = 40;

/// A part of the file's name, to be changed with the object: files of another one are made anew.
const EDITION: u32 = 1;

pub(crate) struct Org {
    emulator: Emulator,
    /// The fields that are read: name, and whether its values are texts in JSON.
    pub(crate) fields: Vec<(String, bool)>,
}

impl Org {
    /// The org with so many rows: as an earlier run has left it, or made now.
    pub(crate) async fn open(rows: usize) -> Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(folder)?;
        let file = folder.join(format!("shipments-{EDITION}-{rows}.db"));
        if !file.exists() {
            writeln!(std::io::stderr(), "making {rows} rows, once: it takes minutes")?;
            // Under another name until it is whole.
            let unfinished = file.with_extension("unfinished");
            let _ = fs::remove_file(&unfinished);
            Self::start(&unfinished, rows).await?.shutdown().await;
            fs::rename(&unfinished, &file)?;
        }
        Self::start(&file, rows).await
    }

    async fn start(file: &Path, rows: usize) -> Result<Self> {
        let emulator = Emulator::start(Config {
            data: Some(file.to_owned()),
            objects: BTreeMap::from([(OBJECT.to_owned(), definition())]),
            rows: vec![(OBJECT.to_owned(), rows as u64)],
            settings: Settings { daily_api_calls: 10_000_000, ..Settings::default() },
            ..Config::default()
        })
        .await?;
        let object = block_in_place(|| emulator.org().object(OBJECT))?;
        let is_text = |kind| {
            use FieldType::{Boolean, Currency, Double, Int, Percent};
            !matches!(kind, Boolean | Currency | Double | Int | Percent)
        };
        let fields = object.fields.iter().map(|field| (field.name.clone(), is_text(field.kind)));
        let fields: Vec<_> = fields.collect();
        match fields.len() {
            FIELDS => Ok(Self { emulator, fields }),
            other => Err(format!("{OBJECT} has {other} fields").into()),
        }
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The connector's configuration for it.
    pub(crate) fn config(&self) -> Value {
        door::config(&self.emulator)
    }

    /// The names of its fields, as a query selects them.
    pub(crate) fn select(&self) -> String {
        self.fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
    }

    pub(crate) async fn shutdown(self) {
        self.emulator.shutdown().await;
    }
}

/// An object of many types, in about the shares in which orgs have them.
fn definition() -> ObjectDefinition {
    use FieldType::{Boolean, Currency, Date, DateTime, Double, Email, Int, Percent, Phone, Picklist, TextArea, Url};
    let of_each = [
        ("Text", FieldType::String, 8),
        ("Status", Picklist, 4),
        ("Number", Double, 3),
        ("Price", Currency, 2),
        ("Share", Percent, 1),
        ("Count", Int, 1),
        ("Flag", Boolean, 4),
        ("Day", Date, 2),
        ("Moment", DateTime, 2),
        ("Note", TextArea, 1),
        ("Mail", Email, 1),
        ("Phone", Phone, 1),
        ("Site", Url, 1),
    ];
    let numbered = of_each.into_iter().flat_map(|(stem, kind, count)| (0..count).map(move |n| (stem, n, kind)));
    let fields = numbered.map(|(stem, n, kind)| {
        let values = if kind == Picklist {
            ["New", "On its way", "Delivered", "Lost"].map(String::from).into()
        } else {
            Vec::new()
        };
        (format!("{stem}_{n}__c"), FieldDefinition { values, ..FieldDefinition::of(kind) })
    });
    ObjectDefinition { fields: fields.collect(), ..ObjectDefinition::default() }
}
