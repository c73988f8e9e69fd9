//! Records that come back: what is to be written and lies in the recycle bin is restored first. It costs a query for each batch, and a
//! call for up to 200 records that are found there.

use std::collections::BTreeMap;

use salesforce_client::{Error, Org, RecordId, RowRefusal, write::MOST_ROWS};

use crate::doors::{Question, Restored};

/// Restores the records of these keys that lie in the recycle bin. Of several with one key the one that was deleted last comes back, and none
/// where a record has the key already: what is written would be ambiguous.
///
/// Asked twice, it ends the same: what was restored is found among the others.
pub(crate) async fn restore(org: &Org, question: &Question) -> Result<Restored, Error> {
    let deleted = org.deleted_by(&question.object, &question.field, &question.values()?).await?;
    let mut ids: Vec<RecordId> = deleted.iter().flatten().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut refused: BTreeMap<RecordId, RowRefusal> = BTreeMap::new();
    for ids in ids.chunks(MOST_ROWS) {
        let outcomes = org.undelete(&question.object, ids).await?;
        let refusals = ids.iter().zip(outcomes).filter_map(|(id, outcome)| Some((*id, outcome.err()?)));
        refused.extend(refusals.filter(|(_, refusal)| !is_gone(refusal)));
    }
    if !ids.is_empty() {
        let (object, found, refused) = (&question.object, ids.len(), refused.len());
        tracing::info!(%object, found, refused, "deleted records come back: they are restored from the recycle bin");
    }
    let outcome = |id: Option<RecordId>| match id.and_then(|id| refused.get(&id)) {
        Some(refusal) => Err(refusal.faults.clone()),
        None => Ok(()),
    };
    Ok(deleted.into_iter().map(outcome).collect())
}

/// Whether the record has left the recycle bin, in one way or the other, though a query shows it still: there is nothing to restore.
fn is_gone(refusal: &RowRefusal) -> bool {
    let told = |fault: &salesforce_client::Fault| {
        fault.code == "UNDELETE_FAILED" && fault.message.to_ascii_lowercase().contains("not in the recycle bin")
    };
    refusal.has("INVALID_CROSS_REFERENCE_KEY") || refusal.faults.iter().any(told)
}

#[cfg(test)]
mod tests {
    use salesforce_client::Fault;

    use super::*;

    #[test]
    fn what_is_gone_cannot_come_back_and_everything_else_is_a_refusal() {
        for (code, message, gone) in [
            ("UNDELETE_FAILED", "Entity is not in the recycle bin", true),
            ("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", true),
            ("UNDELETE_FAILED", "the record's parent is deleted", false),
            ("DUPLICATE_VALUE", "duplicate value found", false),
            ("INSUFFICIENT_ACCESS_OR_READONLY", "", false),
        ] {
            let faults = vec![Fault { code: code.to_owned(), message: message.to_owned(), fields: Vec::new() }];
            assert_eq!(is_gone(&RowRefusal { faults }), gone, "{code}: {message}");
        }
    }
}
