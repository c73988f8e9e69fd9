//! Made-up objects, as many as a large org has, so that discovery and describes can be measured.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Schema;
use super::attributes::{Made, fields, label_of};
use super::definition::FieldDefinition;
use super::field::{Field, FieldType};
use super::object::SObject;
use super::refused::SchemaError;

/// How many objects to make up. They can be described, queried and written like any others; what nobody looks at costs
/// next to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crowd {
    /// Objects that look like standard ones, with some 20 fields.
    pub standard: usize,
    /// Custom objects.
    pub custom: usize,
    /// Fields of each custom object, beside those every object has.
    pub fields: usize,
}

impl Crowd {
    /// Objects an org can take: as many as there are free prefixes below `9` and from `a` on.
    const MOST: usize = 3_000;
    /// Custom fields an object can have, with every limit raised.
    const MOST_FIELDS: usize = 900;

    pub(super) fn join(self, schema: &mut Schema, at: Timestamp) -> Result<(), SchemaError> {
        if self.standard > Self::MOST || self.custom > Self::MOST || self.fields > Self::MOST_FIELDS {
            return Err(SchemaError::Crowded { objects: Self::MOST, fields: Self::MOST_FIELDS });
        }
        let made = self.made(schema, at)?;
        schema.add(made, at);
        Ok(())
    }

    fn made(self, schema: &Schema, at: Timestamp) -> Result<Vec<Arc<SObject>>, SchemaError> {
        let mut made = Vec::with_capacity(self.standard + self.custom);
        let free = |name: &String| schema.object(name).is_none();
        let names = (0..).map(standard_name).filter(free).take(self.standard).collect::<Vec<_>>();
        let own = (0..).map(|number| format!("{}__c", custom_stem(number))).filter(free).take(self.custom);
        let wanted = names.into_iter().map(|name| (name, 0)).chain(own.map(|name| (name, self.fields)));
        let (mut standard_prefixes, mut custom_prefixes) = (schema.free_prefixes('9'), schema.free_prefixes('a'));
        for (name, count) in wanted {
            let custom = name.ends_with("__c");
            let prefix = if custom { custom_prefixes.next() } else { standard_prefixes.next() };
            let label = label_of(&name);
            let plural = format!("{label}s");
            let prefix = prefix.ok_or(SchemaError::NoPrefix)?;
            let made_up = Made { name, label, plural, prefix, auto_number: false, modified: at };
            made.push(Arc::new(if custom {
                made_up.object(&schema.mould, move || custom_fields(count))
            } else {
                made_up.object(&schema.mould, standard_fields)
            }));
        }
        Ok(made)
    }
}

const WHAT: [&str; 36] = [
    "Asset",
    "Badge",
    "Benefit",
    "Bonus",
    "Budget",
    "Claim",
    "Clinic",
    "Coverage",
    "Credit",
    "Dealer",
    "Device",
    "Donor",
    "Energy",
    "Fleet",
    "Fund",
    "Grant",
    "Incident",
    "Invoice",
    "Labor",
    "Lease",
    "Loan",
    "Member",
    "Network",
    "Payment",
    "Policy",
    "Premium",
    "Producer",
    "Program",
    "Rebate",
    "Referral",
    "Return",
    "Shift",
    "Site",
    "Territory",
    "Vendor",
    "Voucher",
];
const OF_IT: [&str; 36] = [
    "Action",
    "Allocation",
    "Approval",
    "Assignment",
    "Attribute",
    "Batch",
    "Category",
    "Change",
    "Condition",
    "Contact",
    "Detail",
    "Document",
    "Entry",
    "Exception",
    "Goal",
    "Group",
    "Hierarchy",
    "Item",
    "Link",
    "Location",
    "Log",
    "Metric",
    "Milestone",
    "Note",
    "Option",
    "Period",
    "Plan",
    "Product",
    "Rate",
    "Relation",
    "Request",
    "Result",
    "Rule",
    "Schedule",
    "Stage",
    "Term",
];

/// `AssetAction`, `AssetAllocation` and on through all pairs, then with numbers.
fn standard_name(number: usize) -> String {
    let (round, place) = (number / (WHAT.len() * OF_IT.len()), number % (WHAT.len() * OF_IT.len()));
    let (row, column) = (place / WHAT.len(), place % WHAT.len());
    let round = if round == 0 { String::new() } else { (round + 1).to_string() };
    format!("{}{}{round}", WHAT[column], OF_IT[(row + column) % OF_IT.len()])
}

fn custom_stem(number: usize) -> String {
    format!("{}_{}_{number:03}", WHAT[number % WHAT.len()], OF_IT[number / WHAT.len() % OF_IT.len()])
}

fn standard_fields() -> Vec<Field> {
    use FieldType::{Boolean, Currency, Date, DateTime, Double, Int, Percent, Picklist, Reference, String, TextArea};
    let parent = |to: &str| FieldDefinition { to: vec![to.to_owned()], ..FieldDefinition::of(Reference) };
    let of = FieldDefinition::of;
    let made = [
        ("AccountId", parent("Account")),
        ("ContactId", parent("Contact")),
        ("Status", FieldDefinition { values: statuses(), ..of(Picklist) }),
        ("Description", FieldDefinition { length: Some(32_000), ..of(TextArea) }),
        ("Comment", of(String)),
        ("StartDate", of(Date)),
        ("EndDate", of(Date)),
        ("ActivationTime", of(DateTime)),
        ("Amount", of(Currency)),
        ("Quantity", of(Double)),
        ("Sequence", of(Int)),
        ("Share", of(Percent)),
        ("IsActive", of(Boolean)),
    ];
    made.iter().flat_map(|(name, definition)| fields(name, definition)).collect()
}

/// Fields of mixed types, the more common ones more often.
fn custom_fields(count: usize) -> Vec<Field> {
    use FieldType::{
        Boolean, Currency, Date, DateTime, Double, Email, MultiPicklist, Percent, Phone, Picklist, Reference, String,
        TextArea, Url,
    };
    const MIXED: [(&str, FieldType); 20] = [
        ("Text", String),
        ("Amount", Currency),
        ("Status", Picklist),
        ("Flag", Boolean),
        ("Due", Date),
        ("Code", String),
        ("Quantity", Double),
        ("Account", Reference),
        ("Seen", DateTime),
        ("Note", TextArea),
        ("Name", String),
        ("Share", Percent),
        ("Kind", Picklist),
        ("Checked", Boolean),
        ("Mail", Email),
        ("Phone", Phone),
        ("Site", Url),
        ("Tags", MultiPicklist),
        ("Rate", Double),
        ("Story", TextArea),
    ];
    let definition = |stem: &str, kind| FieldDefinition {
        values: if matches!(kind, Picklist | MultiPicklist) { statuses() } else { Vec::new() },
        to: if kind == Reference { vec!["Account".to_owned()] } else { Vec::new() },
        length: (stem == "Story").then_some(32_768),
        ..FieldDefinition::of(kind)
    };
    let made = (0..count).zip(MIXED.iter().cycle());
    made.flat_map(|(number, (stem, kind))| fields(&format!("{stem}_{number:03}__c"), &definition(stem, *kind)))
        .collect()
}

fn statuses() -> Vec<String> {
    ["New", "Open", "In Progress", "Waiting", "Done", "Cancelled"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_prefixes_differ() {
        let mut schema = Schema::load(&[]).unwrap();
        let before = schema.objects().count();
        Crowd { standard: 1_500, custom: 300, fields: 150 }.join(&mut schema, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(schema.objects().count(), before + 1_800);
        let distinct =
            |of: fn(&SObject) -> String| schema.objects().map(|object| of(object)).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|object| object.name.to_lowercase()), before + 1_800);
        assert_eq!(distinct(|object| object.key_prefix.clone().unwrap_or_default()), before + 1_800 - 1);
        let custom = schema.object("asset_action_000__c").unwrap();
        assert_eq!(custom.fields.iter().filter(|field| field.custom).count(), 150);
    }
}
