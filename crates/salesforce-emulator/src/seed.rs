//! Plausible records: the rows an org starts with, and those a workload makes. The same seed makes the same rows.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use crate::draw::Draw;
use crate::org::{Field, FieldType, Id, Org, Refusal, SObject};

/// Rows per transaction when an org is filled.
const BATCH: u64 = 5_000;

const FIRST: &[&str] = &[
    "Ada", "Amara", "Björn", "Chen", "Dmitri", "Elena", "Fatima", "Grace", "Hiro", "Ingrid", "João", "Kwame", "Lucía",
    "Mei", "Noor", "Olivia", "Priya", "Quentin", "Rosa", "Samir", "Tariq", "Uma", "Viktor", "Wanjiru", "Ximena",
    "Yusuf", "Zoë",
];
const LAST: &[&str] = &[
    "Abe",
    "Baker",
    "Castillo",
    "Dubois",
    "Eze",
    "Fischer",
    "García",
    "Hansen",
    "Ivanova",
    "Jones",
    "Kim",
    "Lindqvist",
    "Müller",
    "Nguyen",
    "O'Brien",
    "Patel",
    "Quispe",
    "Rossi",
    "Smith",
    "Tanaka",
    "Ueda",
    "Varga",
    "Wang",
    "Xu",
    "Yilmaz",
    "Zhang",
];
const TRADES: &[&str] =
    &["Logistics", "Foods", "Robotics", "Textiles", "Energy", "Media", "Instruments", "Optics", "Shipping", "Labs"];
const SUFFIXES: &[&str] = &["Inc.", "GmbH", "Ltd", "S.A.", "& Sons", "Group"];
const STREETS: &[&str] =
    &["Market Street", "Rue de la Paix", "Hauptstraße", "Elm Avenue", "Kärntner Ring", "Harbour Road", "Calle Mayor"];
const PLACES: &[[&str; 4]] = &[
    ["San Francisco", "CA", "94105", "USA"],
    ["Austin", "TX", "78701", "USA"],
    ["Paris", "Île-de-France", "75002", "France"],
    ["Berlin", "Berlin", "10117", "Germany"],
    ["São Paulo", "SP", "01310-100", "Brazil"],
    ["Osaka", "Osaka", "530-0001", "Japan"],
    ["Nairobi", "Nairobi", "00100", "Kenya"],
];
const WORDS: &[&str] = &[
    "renewal",
    "pilot",
    "follow-up",
    "quarterly",
    "review",
    "upgrade",
    "invoice",
    "delivery",
    "contract",
    "support",
    "training",
    "priority",
    "warehouse",
    "sensor",
    "catalogue",
    "schedule",
];

/// Makes records of any object, and remembers what references may point to.
#[derive(Debug)]
pub(crate) struct Maker {
    draw: Draw,
    serial: u64,
    parents: HashMap<String, Vec<Id>>,
    /// Tells usernames from those of earlier makers.
    series: String,
}

impl Maker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed), serial: 0, parents: HashMap::new(), series: String::new() }
    }

    /// References to this object may point to one of these.
    pub(crate) fn adopt(&mut self, object: &str, ids: Vec<Id>) {
        self.parents.insert(object.to_owned(), ids);
    }

    /// Users are made in a series of their own: the org has those of others, and usernames are unique.
    pub(crate) fn name_users_after(&mut self, latest: Option<Id>) {
        self.series = latest.map(|id| format!(".{}", id.short().to_lowercase())).unwrap_or_default();
    }

    /// The body of a create.
    pub(crate) fn record(&mut self, object: &SObject) -> Map<String, Json> {
        self.serial += 1;
        let place = self.draw.below(PLACES.len() as u64) as usize;
        let mut body = Map::new();
        for field in object.fields.iter().filter(|field| is_given(object, field)) {
            let usual = field.required() || is_usual(field) || self.draw.percent(if field.custom { 60 } else { 15 });
            // A lead is converted by a conversion.
            if usual
                && let Some(value) = self.value(object, field, place)
                && field.name != "IsConverted"
            {
                body.insert(field.name.clone(), value);
            }
        }
        body
    }

    /// The body of an update that surely changes something.
    pub(crate) fn change(&mut self, object: &SObject) -> Map<String, Json> {
        self.serial += 1;
        let place = self.draw.below(PLACES.len() as u64) as usize;
        let changeable: Vec<&Field> = object.fields.iter().filter(|field| field.updateable && is_free(field)).collect();
        let mut body = Map::new();
        for _ in 0..=self.draw.below(3) {
            if let Some(field) = self.draw.pick(&changeable).copied()
                && let Some(value) = self.value(object, field, place)
            {
                body.insert(field.name.clone(), value);
            }
        }
        let telling = ["Description", "Phone", "Title", "CustomField__c", "Text_000__c", "Subject", "Location", "Name"];
        let telling =
            telling.iter().find_map(|name| object.field(name).filter(|field| field.updateable && is_free(field)));
        if let Some(field) = telling.or(changeable.iter().copied().find(|field| field.kind == FieldType::String)) {
            let text: String = format!("{} {} no. {}", self.draw.word(WORDS), self.draw.word(WORDS), self.serial);
            body.insert(field.name.clone(), text.chars().take(field.length).collect::<String>().into());
        }
        body
    }

    fn value(&mut self, object: &SObject, field: &Field, place: usize) -> Option<Json> {
        let serial = self.serial;
        let draw = &mut self.draw;
        let [city, state, code, country] = PLACES[place];
        let text: String = match field.name.as_str() {
            // A flag may be called `IsCurrentState`.
            _ if !field.kind.is_text() => return self.value_of_kind(field),
            "FirstName" => draw.word(FIRST).to_owned(),
            "LastName" => draw.word(LAST).to_owned(),
            "Company" | "Name" if object.name != "Opportunity" => {
                format!("{} {} {} {serial}", draw.word(LAST), draw.word(TRADES), draw.word(SUFFIXES))
            }
            "Name" => format!("{} {} {serial}", draw.word(TRADES), draw.word(WORDS)),
            "Username" => format!("user{serial}{}@example.com", self.series),
            name if name.ends_with("Street") => format!("{} {}", 1 + draw.below(400), draw.word(STREETS)),
            name if name.ends_with("City") => city.to_owned(),
            name if name.ends_with("State") => state.to_owned(),
            name if name.ends_with("PostalCode") => code.to_owned(),
            name if name.ends_with("Country") => country.to_owned(),
            _ => return self.value_of_kind(field),
        };
        Some(text.chars().take(field.length).collect::<String>().into())
    }

    fn value_of_kind(&mut self, field: &Field) -> Option<Json> {
        let serial = self.serial;
        let draw = &mut self.draw;
        let day = |draw: &mut Draw| {
            format!("20{:02}-{:02}-{:02}", 24 + draw.below(3), 1 + draw.below(12), 1 + draw.below(28))
        };
        Some(match field.kind {
            FieldType::Email => format!("person{serial}.{}@example.com", draw.below(1000)).into(),
            FieldType::Phone => format!("+1 555 {:03} {:04}", draw.below(1000), draw.below(10_000)).into(),
            FieldType::Url => format!("https://www.example.com/{serial}").into(),
            FieldType::Picklist | FieldType::MultiPicklist => {
                let values: Vec<&str> = field.picklist().collect();
                draw.pick(&values).copied().unwrap_or("Other").into()
            }
            FieldType::Boolean => draw.percent(50).into(),
            FieldType::Int | FieldType::Long => draw.below(10_000).into(),
            FieldType::Percent => draw.below(101).min(field.bound() as u64 - 1).into(),
            FieldType::Double if field.name.contains("itude") => ((draw.below(180_000) as f64) / 1000.0 - 90.0).into(),
            FieldType::Currency | FieldType::Double => ((draw.below(50_000_000) as f64) / 100.0 % field.bound()).into(),
            FieldType::Date => day(draw).into(),
            FieldType::DateTime => format!("{}T{:02}:{:02}:00Z", day(draw), draw.below(24), draw.below(60)).into(),
            FieldType::Time => format!("{:02}:{:02}:00.000Z", draw.below(24), draw.below(60)).into(),
            FieldType::Reference => self.reference(field)?,
            FieldType::TextArea => {
                let words: Vec<&str> = (0..3 + draw.below(12)).map(|_| draw.word(WORDS)).collect();
                let text: String = words.join(" ").chars().take(field.length).collect();
                text.into()
            }
            FieldType::String | FieldType::ComboBox | FieldType::DataCategoryGroupReference => {
                let text = format!("{} {}", draw.word(WORDS), draw.below(1_000_000));
                text.chars().take(field.length).collect::<String>().into()
            }
            FieldType::EncryptedString => format!("{:016}", draw.below(10_000_000_000_000_000)).into(),
            FieldType::Base64 => BASE64.encode(draw.word(WORDS)).into(),
            FieldType::AnyType => {
                if draw.percent(50) {
                    draw.below(1000).into()
                } else {
                    draw.word(WORDS).into()
                }
            }
            FieldType::Id | FieldType::Address | FieldType::Location => return None,
        })
    }

    fn reference(&mut self, field: &Field) -> Option<Json> {
        let known = field.reference_to.iter().find_map(|object| self.parents.get(object).filter(|ids| !ids.is_empty()));
        if let Some(known) = known {
            return self.draw.pick(known).map(|id| json!(id.as_str()));
        }
        // What must point somewhere outside the org points to a record nobody can look up.
        let outside =
            OUTSIDE.iter().find(|(object, _)| field.required() && field.reference_to.iter().any(|name| name == object));
        outside.map(|(_, prefix)| json!(Id::new(prefix, *b"00", 1 + self.draw.below(5)).as_str()))
    }
}

/// Objects that records of the org must refer to and that the org does not have, with their key prefixes.
const OUTSIDE: [(&str, &str); 4] =
    [("Profile", "00e"), ("PricebookEntry", "01u"), ("MessagingChannel", "0Mj"), ("MessagingEndUser", "0PA")];

/// Fields a record is made with. Where clients create none, the org fills what it does not maintain anyway.
fn is_given(object: &SObject, field: &Field) -> bool {
    field.createable || (!object.createable && field.updateable)
}

/// Fields nearly every record of a real org has.
fn is_usual(field: &Field) -> bool {
    let name = field.name.as_str();
    ["FirstName", "Email", "Phone", "AccountId", "Amount", "Industry", "Subject", "Status", "Rating", "LeadSource"]
        .contains(&name)
        || ["BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry"].contains(&name)
        || ["MailingStreet", "MailingCity", "MailingPostalCode", "MailingCountry", "City", "Country"].contains(&name)
        || ["AnnualRevenue", "NumberOfEmployees", "Title", "Website"].contains(&name)
}

/// Fields a workload may set to anything.
fn is_free(field: &Field) -> bool {
    let plain = !matches!(
        field.kind,
        FieldType::Reference
            | FieldType::Id
            | FieldType::Address
            | FieldType::Location
            | FieldType::AnyType
            | FieldType::Boolean
    );
    plain
        && !field.unique
        && !["StageName", "Status", "ForecastCategoryName", "Username"].contains(&field.name.as_str())
}

/// Fills a new org. Parents come first, and only the first half of them get children, so that some can be deleted
/// without taking others along. Rows were made over the past year, the latest an hour ago.
pub(crate) fn fill(org: &Org, rows: &[(String, u64)]) -> Result<(), Refusal> {
    const PARENTS: [&str; 5] = ["Account", "Contact", "Opportunity", "ServiceContract", "WorkOrder"];
    const YEAR: u64 = 365 * 24 * 60 * 60;
    const HOUR: u64 = 60 * 60;
    let now = org.now();
    let mut maker = Maker::new(org.seed());
    maker.adopt("Profile", vec![org.standard_profile()]);
    let mut ordered: Vec<&(String, u64)> = rows.iter().collect();
    ordered.sort_by_key(|(name, _)| {
        PARENTS.iter().position(|parent| parent.eq_ignore_ascii_case(name)).unwrap_or(PARENTS.len())
    });
    for (name, count) in ordered {
        let object = org.object(name).map_err(|_| unknown(name))?;
        let mut made: Vec<Id> = Vec::new();
        while (made.len() as u64) < *count {
            let from = made.len() as u64;
            made.extend(org.seeding(|transaction| {
                let batch = from..*count.min(&(from + BATCH));
                let rows = batch.map(|serial| {
                    let age = HOUR + (u128::from(YEAR) * u128::from(count - serial) / u128::from(*count)) as u64;
                    transaction.backdate(now.saturating_sub(Duration::from_secs(age)).unwrap_or(now));
                    transaction.create(&object.name, &maker.record(&object))
                });
                rows.collect::<Result<Vec<_>, _>>()
            })?);
        }
        made.truncate(made.len().div_ceil(2));
        maker.adopt(&object.name, made);
    }
    org.archive()
}

fn unknown(object: &str) -> Refusal {
    Refusal::bad("INVALID_TYPE", format!("the emulated org has no object '{object}' to fill"))
}
