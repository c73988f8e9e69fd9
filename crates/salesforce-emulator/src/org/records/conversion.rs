//! Lead conversion: a lead becomes an account, a contact and, unless that is unwanted, an opportunity. (SOAP API Developer
//! Guide, "convertLead()"; the standard mapping of fields is that of Salesforce Help, "Lead Conversion Field Mapping".)
//!
//! One transaction: new records are announced as created, existing ones that are filled in and the lead as updated. What
//! hung on the lead hangs on the contact afterwards, and nobody hears of it (Streaming API Developer Guide).

use jiff::civil::Date;
use rusqlite::types::{Value as Stored, ValueRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::children::Child;
use super::transaction::Actor;
use crate::org::schema::{Field, SObject};
use crate::org::value::{Spelling, write};
use crate::org::{Id, Org, Refusal, Transaction};

/// The lead statuses of a new org that mean conversion, today's and a former one.
const CONVERTED: [&str; 2] = ["Closed - Converted", "Qualified"];

/// Lead fields and what they are called on an account, a contact and an opportunity.
type Mapping = &'static [(&'static str, &'static str)];
const TO_ACCOUNT: Mapping = &[
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("Rating", "Rating"),
    ("LeadSource", "AccountSource"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];
const TO_CONTACT: Mapping = &[
    ("Salutation", "Salutation"),
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Fax", "Fax"),
    ("Description", "Description"),
    ("LeadSource", "LeadSource"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
];
const TO_OPPORTUNITY: Mapping = &[("LeadSource", "LeadSource")];

/// How to convert a lead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The lead.
    pub lead: Id,
    /// Its status afterwards, one that means conversion; `Closed - Converted` if `None`.
    #[serde(default)]
    pub status: Option<String>,
    /// An account to fill in instead of making one.
    #[serde(default)]
    pub account: Option<Id>,
    /// A contact of that account to fill in instead of making one.
    #[serde(default)]
    pub contact: Option<Id>,
    /// Make an opportunity.
    #[serde(default = "yes")]
    pub opportunity: bool,
    /// The opportunity's name; the company's and a dash if `None`.
    #[serde(default)]
    pub opportunity_name: Option<String>,
    /// Who owns what is made; the lead's owner if `None`.
    #[serde(default)]
    pub owner: Option<Id>,
}

fn yes() -> bool {
    true
}

/// What a lead became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Converted {
    /// The lead.
    pub lead: Id,
    /// Its account.
    pub account: Id,
    /// Its contact.
    pub contact: Id,
    /// Its opportunity, if one was made.
    pub opportunity: Option<Id>,
}

impl Conversion {
    /// The conversion of a lead into three new records.
    pub fn of(lead: Id) -> Self {
        Self {
            lead,
            status: None,
            account: None,
            contact: None,
            opportunity: true,
            opportunity_name: None,
            owner: None,
        }
    }
}

impl Org {
    /// Converts a lead.
    pub fn convert(&self, conversion: &Conversion) -> Result<Converted, Refusal> {
        self.transaction(|transaction| transaction.convert(conversion))
    }
}

impl Transaction<'_> {
    /// Converts a lead.
    ///
    /// # Errors
    /// `CANNOT_UPDATE_CONVERTED_LEAD` the second time, `INVALID_STATUS` for a status that does not mean conversion,
    /// `REQUIRED_FIELD_MISSING` for a contact without its account (assumed), and what creating and updating refuse.
    pub fn convert(&mut self, conversion: &Conversion) -> Result<Converted, Refusal> {
        let actor = std::mem::replace(&mut self.actor, Actor::Platform);
        let converted = self.converted(conversion);
        self.actor = actor;
        converted
    }

    /// Refuses to touch a lead that was converted.
    pub(super) fn check_unconverted(&self, object: &SObject, id: Id) -> Result<(), Refusal> {
        let Some(flag) = object.position("IsConverted").filter(|_| object.name == "Lead") else { return Ok(()) };
        match self.live(object, id)?.values[flag] {
            Stored::Integer(1) => {
                let message = "cannot reference converted lead";
                Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("CANNOT_UPDATE_CONVERTED_LEAD", message) })
            }
            _ => Ok(()),
        }
    }

    fn converted(&mut self, conversion: &Conversion) -> Result<Converted, Refusal> {
        let described = self.object("Lead")?;
        self.check_unconverted(&described, conversion.lead)?;
        let lead = Lead { row: self.live(&described, conversion.lead)?.values, object: &described };
        let status = lead.status(conversion.status.as_deref())?;
        if conversion.contact.is_some() && conversion.account.is_none() {
            let message = "accountId is required when a contactId is specified";
            return Err(Refusal::bad("REQUIRED_FIELD_MISSING", message));
        }
        let owner = conversion.owner.map_or_else(|| lead.json("OwnerId"), |owner| owner.as_str().into());
        let owned = |mut body: Map<String, Json>| {
            body.insert("OwnerId".to_owned(), owner.clone());
            body
        };
        let account = match conversion.account {
            Some(account) => self.fill_in("Account", account, lead.mapped(TO_ACCOUNT))?,
            None => self.create("Account", &owned(lead.mapped(TO_ACCOUNT)))?,
        };
        let of_account = |mut body: Map<String, Json>| {
            body.insert("AccountId".to_owned(), account.as_str().into());
            body
        };
        let contact = match conversion.contact {
            Some(contact) => self.fill_in("Contact", contact, of_account(lead.mapped(TO_CONTACT)))?,
            None => self.create("Contact", &owned(of_account(lead.mapped(TO_CONTACT))))?,
        };
        let opportunity = if conversion.opportunity && self.views.whole.object("Opportunity").is_some() {
            let mut body = owned(of_account(lead.mapped(TO_OPPORTUNITY)));
            let name = conversion.opportunity_name.clone();
            body.insert("Name".to_owned(), name.unwrap_or_else(|| format!("{}-", lead.text("Company"))).into());
            body.insert("CloseDate".to_owned(), self.end_of_quarter().into());
            body.insert("StageName".to_owned(), self.first_stage().into());
            Some(self.create("Opportunity", &body)?)
        } else {
            None
        };
        if let Some(opportunity) = opportunity.filter(|_| self.views.whole.object("OpportunityContactRole").is_some()) {
            let role = [("OpportunityId", opportunity.as_str()), ("ContactId", contact.as_str())];
            let mut role: Map<String, Json> =
                role.iter().map(|(name, id)| ((*name).to_owned(), (*id).into())).collect();
            role.insert("IsPrimary".to_owned(), true.into());
            self.create("OpportunityContactRole", &role)?;
        }
        self.hand_over(&described, conversion.lead, contact, opportunity.unwrap_or(account))?;
        let mut body = Map::new();
        let ids = [("ConvertedAccountId", Some(account)), ("ConvertedContactId", Some(contact))];
        for (name, id) in ids.into_iter().chain([("ConvertedOpportunityId", opportunity)]) {
            body.extend(id.map(|id| (name.to_owned(), id.as_str().into())));
        }
        body.insert("IsConverted".to_owned(), true.into());
        body.insert("ConvertedDate".to_owned(), self.stamp[..10].into());
        body.insert("Status".to_owned(), status.into());
        self.update("Lead", conversion.lead, &body)?;
        Ok(Converted { lead: conversion.lead, account, contact, opportunity })
    }

    /// Puts values where there are none.
    fn fill_in(&mut self, object: &str, id: Id, mut body: Map<String, Json>) -> Result<Id, Refusal> {
        let described = self.object(object)?;
        let row = self.live(&described, id)?.values;
        body.retain(|name, _| described.position(name).is_some_and(|at| row[at] == Stored::Null));
        self.update(object, id, &body)?;
        Ok(id)
    }

    /// Gives what hung on the lead to the contact; activities without a subject get what the lead became.
    fn hand_over(&mut self, leads: &SObject, lead: Id, contact: Id, subject: Id) -> Result<(), Refusal> {
        let handed = ["Task", "Event", "Attachment"];
        for child in self.children(leads, lead, |_, child, _| handed.contains(&child.name.as_str()))? {
            self.reparent(&child, contact, false)?;
            if let Some(by) = child.object.position("WhatId")
                && self.live(&child.object, child.id)?.values[by] == Stored::Null
            {
                self.reparent(&Child { by, ..child }, subject, false)?;
            }
        }
        Ok(())
    }

    /// The last day of the quarter, which is when a new opportunity is hoped to close.
    fn end_of_quarter(&self) -> String {
        let today: Date = self.stamp[..10].parse().unwrap_or(Date::MIN);
        let last_month = today.first_of_month().with().month((today.month() - 1) / 3 * 3 + 3).build();
        last_month.unwrap_or(today).last_of_month().to_string()
    }

    fn first_stage(&self) -> String {
        let stage = self.views.whole.object("Opportunity").and_then(|object| object.field("StageName"));
        stage.and_then(|stage| stage.picklist().next()).unwrap_or("Prospecting").to_owned()
    }
}

/// The lead to be converted.
struct Lead<'a> {
    object: &'a SObject,
    row: Vec<Stored>,
}

impl Lead<'_> {
    fn mapped(&self, mapping: Mapping) -> Map<String, Json> {
        let values = mapping.iter().map(|(from, to)| ((*to).to_owned(), self.json(from)));
        values.filter(|(_, value)| !value.is_null()).collect()
    }

    fn json(&self, field: &str) -> Json {
        self.object.position(field).map_or(Json::Null, |at| json(&self.object.fields[at], &self.row[at]))
    }

    fn text(&self, field: &str) -> String {
        self.json(field).as_str().unwrap_or_default().to_owned()
    }

    /// The status it will have.
    fn status(&self, wanted: Option<&str>) -> Result<String, Refusal> {
        let offered = || self.object.field("Status").into_iter().flat_map(Field::picklist);
        let means = |status: &&str| CONVERTED.contains(status);
        let found = match wanted {
            None => offered().find(means),
            Some(wanted) => offered().find(|status| *status == wanted).filter(means),
        };
        found.map(str::to_owned).ok_or_else(|| {
            let message = format!("invalid convertedStatus: {}", wanted.unwrap_or_default());
            Refusal::field("INVALID_STATUS", message, "Status")
        })
    }
}

fn json(field: &Field, value: &Stored) -> Json {
    let mut text = Vec::new();
    write(&mut text, field.kind, ValueRef::from(value), Spelling::Rest);
    serde_json::from_slice(&text).unwrap_or_default()
}
