//! What Salesforce's refusal means: of a row for that row, of a call for the rows in it. Pure.

use salesforce_client::{Failure, Fault};

use crate::{Operation, delivery::Terms, plan::Way};

/// What is to be done with a row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it will be refused again until somebody changes something.
    Reject,
    /// Others hold what it needs: again, with fewer rows at a time.
    Contended,
    /// It passes: again.
    Passing,
    /// An allocation is used up: again, when there is some.
    Quota,
    /// Again without these fields, which cannot be written after all.
    LeaveOut(Vec<String>),
    /// There is no such record.
    Missing,
    /// The same record was there twice in one call: again, by itself.
    Twice,
    /// The record that it refers to is not there: again, when others have been written.
    Orphan,
}

/// How Salesforce begins to say that nothing has the external id by which a row refers to another record.
pub(crate) const NO_PARENT: &str = "Foreign key external ID:";

/// The verdict on a row by the reasons of its refusal. The gravest reason decides: what will be refused again is not tried again.
pub(crate) fn verdict(faults: &[Fault]) -> Verdict {
    let verdicts = faults.iter().map(of_fault);
    verdicts.reduce(graver).unwrap_or(Verdict::Reject)
}

fn graver(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::LeaveOut(mut fields), Verdict::LeaveOut(more)) => {
            fields.extend(more);
            Verdict::LeaveOut(fields)
        }
        (one, other) => {
            if gravity(&one) >= gravity(&other) {
                one
            } else {
                other
            }
        }
    }
}

fn gravity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Reject => 6,
        Verdict::Missing => 5,
        Verdict::Quota => 4,
        Verdict::LeaveOut(_) => 3,
        Verdict::Orphan | Verdict::Twice => 2,
        Verdict::Contended => 1,
        Verdict::Passing => 0,
    }
}

fn of_fault(fault: &Fault) -> Verdict {
    let says = |text: &str| fault.message.to_ascii_lowercase().contains(text);
    match fault.code.as_str() {
        "UNABLE_TO_LOCK_ROW" => Verdict::Contended,
        // Triggers and flows report the lock of another in words of their own.
        _ if says("unable_to_lock_row") || says("unable to obtain exclusive access") => Verdict::Contended,
        "SERVER_UNAVAILABLE" | "QUERY_TIMEOUT" | "REQUEST_RUNNING_TOO_LONG" | "UNKNOWN_EXCEPTION"
        // Rolled back or not come to because of others, and not judged.
        | "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "PROCESSING_HALTED" => Verdict::Passing,
        "REQUEST_LIMIT_EXCEEDED" if fault.message.starts_with("ConcurrentRequests") => Verdict::Contended,
        "REQUEST_LIMIT_EXCEEDED" | "STORAGE_LIMIT_EXCEEDED" | "EXCEEDED_QUOTA" | "ExceededQuota" => Verdict::Quota,
        "INVALID_FIELD_FOR_INSERT_UPDATE" if !fault.fields.is_empty() => Verdict::LeaveOut(fault.fields.clone()),
        "ENTITY_IS_DELETED" | "NOT_FOUND" | "INVALID_CROSS_REFERENCE_KEY" if fault.fields.is_empty() => Verdict::Missing,
        "INVALID_FIELD" if fault.message.starts_with(NO_PARENT) => Verdict::Orphan,
        _ if says("duplicate external id specified") || says("duplicate id specified") => Verdict::Twice,
        _ => Verdict::Reject,
    }
}

/// Whether a refusal of the whole call is about rows in it: their content, or a record that cannot be had. What is about the user, the
/// object or the org would refuse every other row as well.
pub(crate) fn is_of_row(error: &salesforce_client::Error, terms: Terms) -> bool {
    let Some(refusal) = error.failure().and_then(Failure::refusal) else { return false };
    let Some(code) = refusal.code() else { return false };
    match refusal.status.as_u16() {
        400 => !matches!(code, "INVALID_TYPE" | "UNSUPPORTED_API_VERSION" | "CLIENT_NOT_ACCESSIBLE_FOR_USER"),
        // Of a new row, and of many, it is the object or the field in the URL that is not there.
        300 | 404 => terms.way == Way::Single && terms.operation != Operation::Insert,
        403 => matches!(
            code,
            "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" | "ENTITY_IS_LOCKED"
        ),
        _ => code == "UNABLE_TO_LOCK_ROW",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: &str, message: &str, fields: &[&str]) -> Fault {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Fault { code: code.to_owned(), message: message.to_owned(), fields }
    }

    /// Every code that a row may be refused with, in its class.
    #[test]
    fn every_code_in_its_class() {
        for (codes, message, expect) in [
            ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", Verdict::Contended),
            (
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "T: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW",
                Verdict::Contended,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                Verdict::Contended,
            ),
            ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", Verdict::Quota),
            ("STORAGE_LIMIT_EXCEEDED EXCEEDED_QUOTA ExceededQuota", "storage limit exceeded", Verdict::Quota),
            (
                "SERVER_UNAVAILABLE QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG UNKNOWN_EXCEPTION \
                 ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED",
                "",
                Verdict::Passing,
            ),
            ("ENTITY_IS_DELETED", "entity is deleted", Verdict::Missing),
            ("NOT_FOUND INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", Verdict::Missing),
            (
                "INVALID_FIELD",
                "Foreign key external ID: 7 not found for field Ext__c in entity Account",
                Verdict::Orphan,
            ),
            ("DUPLICATE_VALUE", "Duplicate external id specified: A/1", Verdict::Twice),
            ("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields", Verdict::Reject),
            (
                "DUPLICATES_DETECTED DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID REQUIRED_FIELD_MISSING STRING_TOO_LONG \
                 FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_INTEGRITY_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION \
                 INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_EMAIL_ADDRESS NUMBER_OUTSIDE_VALID_RANGE MALFORMED_ID \
                 INVALID_ID_FIELD INVALID_TYPE_ON_FIELD_IN_RECORD INSUFFICIENT_ACCESS_OR_READONLY \
                 INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY INVALID_FIELD \
                 INVALID_TYPE JSON_PARSER_ERROR DELETE_FAILED DEPENDENCY_EXISTS TRANSFER_REQUIRES_READ SOMETHING_NEW",
                "",
                Verdict::Reject,
            ),
        ] {
            for code in codes.split_whitespace() {
                assert_eq!(verdict(&[fault(code, message, &[])]), expect, "{code}");
            }
        }
        assert_eq!(verdict(&[]), Verdict::Reject);
    }

    #[test]
    fn several_reasons() {
        let read_only = |field| fault("INVALID_FIELD_FOR_INSERT_UPDATE", "", &[field]);
        let lock = || fault("UNABLE_TO_LOCK_ROW", "", &[]);
        let long = || fault("STRING_TOO_LONG", "", &["Name"]);
        // A reference that leads nowhere names its field: the record itself is there.
        assert_eq!(verdict(&[fault("INVALID_CROSS_REFERENCE_KEY", "", &["OwnerId"])]), Verdict::Reject);
        let both = Verdict::LeaveOut(vec!["A".to_owned(), "B".to_owned()]);
        assert_eq!(verdict(&[read_only("A"), read_only("B")]), both);
        assert_eq!(verdict(&[read_only("A"), long()]), Verdict::Reject);
        assert_eq!(verdict(&[lock(), long()]), Verdict::Reject);
        assert_eq!(verdict(&[lock(), read_only("A")]), Verdict::LeaveOut(vec!["A".to_owned()]));
    }
}
