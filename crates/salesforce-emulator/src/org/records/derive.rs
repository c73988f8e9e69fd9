//! Values that follow from others: names of people, what a stage means, whether a case is closed.

use jiff::civil::Date;
use rusqlite::types::Value as Stored;

use crate::org::schema::SObject;

/// Recomputes the derived fields of a row. `stamp` is the time of the write.
pub(in crate::org) fn derive(object: &SObject, row: &mut [Stored], stamp: &str) {
    let mut row = Row { object, values: row };
    if object.has_person_name() {
        row.person_name();
    }
    match object.name.as_str() {
        "Opportunity" => row.opportunity(),
        "Case" => row.closes("Status", "Closed", "ClosedDate", stamp),
        "Task" => {
            row.closes("Status", "Completed", "CompletedDateTime", stamp);
            let high = row.text("Priority") == Some("High");
            row.set("IsHighPriority", Stored::Integer(high.into()));
        }
        "PushTopic" => row.push_topic(),
        "Attachment" => row.attachment(),
        _ => {}
    }
}

struct Row<'a> {
    object: &'a SObject,
    values: &'a mut [Stored],
}

impl Row<'_> {
    /// The salutation is a part of the compound, but not of its text.
    fn person_name(&mut self) {
        let parts = ["FirstName", "MiddleName", "LastName", "Suffix"];
        let name: Vec<&str> = parts.iter().filter_map(|part| self.text(part)).collect();
        let name = name.join(" ");
        self.set("Name", Stored::Text(name));
    }

    fn opportunity(&mut self) {
        let stage = self.text("StageName").unwrap_or_default().to_owned();
        let (won, lost) = (stage == "Closed Won", stage == "Closed Lost");
        let (usual, category, category_name) = match stage.as_str() {
            "Closed Won" => (100.0, "Closed", "Closed"),
            "Closed Lost" => (0.0, "Omitted", "Omitted"),
            "Negotiation/Review" => (90.0, "Forecast", "Commit"),
            "Proposal/Price Quote" => (75.0, "BestCase", "Best Case"),
            "Perception Analysis" => (70.0, "BestCase", "Best Case"),
            "Id. Decision Makers" => (60.0, "Pipeline", "Pipeline"),
            "Value Proposition" => (50.0, "Pipeline", "Pipeline"),
            "Needs Analysis" => (20.0, "Pipeline", "Pipeline"),
            _ => (10.0, "Pipeline", "Pipeline"),
        };
        if won || lost || self.get("Probability") == &Stored::Null {
            self.set("Probability", Stored::Real(usual));
        }
        self.set("IsWon", Stored::Integer(won.into()));
        self.set("IsClosed", Stored::Integer((won || lost).into()));
        self.set("ForecastCategory", Stored::Text(category.to_owned()));
        self.set("ForecastCategoryName", Stored::Text(category_name.to_owned()));
        if let (Stored::Real(amount), Stored::Real(probability)) = (self.get("Amount"), self.get("Probability")) {
            let expected = amount * probability / 100.0;
            self.set("ExpectedRevenue", Stored::Real(expected));
        } else {
            self.set("ExpectedRevenue", Stored::Null);
        }
        if let Some(date) = self.text("CloseDate").and_then(|day| day.parse::<Date>().ok()) {
            let (year, quarter) = (i64::from(date.year()), i64::from((date.month() - 1) / 3 + 1));
            self.set("FiscalYear", Stored::Integer(year));
            self.set("FiscalQuarter", Stored::Integer(quarter));
            self.set("Fiscal", Stored::Text(format!("{year} {quarter}")));
        }
    }

    fn closes(&mut self, field: &str, closing: &str, when: &str, stamp: &str) {
        let closed = self.text(field) == Some(closing);
        self.set("IsClosed", Stored::Integer(closed.into()));
        match (closed, self.get(when)) {
            (true, Stored::Null) => self.set(when, Stored::Text(stamp.to_owned())),
            (false, _) => self.set(when, Stored::Null),
            (true, _) => {}
        }
    }

    fn attachment(&mut self) {
        if let Stored::Blob(body) = self.get("Body") {
            let length = i64::try_from(body.len()).unwrap_or(i64::MAX);
            self.set("BodyLength", Stored::Integer(length));
        }
    }

    /// `NotifyForOperations` sums up the four flags; it is read-only since version 29.
    fn push_topic(&mut self) {
        let on =
            |row: &Self, operation: &str| row.get(&format!("NotifyForOperation{operation}")) == &Stored::Integer(1);
        let summary = match (on(self, "Create"), on(self, "Update"), on(self, "Delete") || on(self, "Undelete")) {
            (_, _, true) => "Extended",
            (true, false, false) => "Create",
            (false, true, false) => "Update",
            _ => "All",
        };
        self.set("NotifyForOperations", Stored::Text(summary.to_owned()));
    }

    fn get(&self, field: &str) -> &Stored {
        self.object.position(field).map_or(&Stored::Null, |at| &self.values[at])
    }

    fn text(&self, field: &str) -> Option<&str> {
        match self.get(field) {
            Stored::Text(text) => Some(text),
            _ => None,
        }
    }

    fn set(&mut self, field: &str, value: Stored) {
        if let Some(at) = self.object.position(field) {
            self.values[at] = value;
        }
    }
}
