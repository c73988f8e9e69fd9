//! Whatever data comes, a job ends, and every row is somewhere.

use std::io::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::{Family, State, Told};
use crate::{Org, Settings};

fn org() -> Org {
    Org::open(None, 1, Settings::default()).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_somewhere(
        operation in prop::sample::select(vec!["insert", "update", "upsert", "delete", "hardDelete"]),
        line_ending in prop::sample::select(vec!["LF", "CRLF"]),
        header in "(Id|LastName|Email|DoNotCall|ReportsTo.Email|Foo|,|\"){0,4}",
        rows in "([a-z0-9]|,|\"|\n|\r\n|#N/A|003590000000001AAA|é){0,60}",
    ) {
        thread_local! {
            static ORG: Org = org();
        }
        ORG.with(|org| {
            let order = json!({
                "object": "Contact", "operation": operation, "externalIdFieldName": "Email", "lineEnding": line_ending,
            });
            let (id, _) = org.order_ingest(serde_json::from_value(order).unwrap(), "62.0").unwrap();
            let of = org.asked(Family::Ingest, id.as_str(), "62.0");
            let mut data = org.await_upload(&of).unwrap();
            data.write_all(format!("{header}\n{rows}").as_bytes()).unwrap();
            org.uploaded(&of, data).unwrap();
            org.close_job(&of, Told::Changed).unwrap();
            org.bulk_jobs();
            let told = org.bulk_job(&of, Told::Whole).unwrap();
            let files = org.ingest_files(&of).unwrap();
            let (succeeded, failed) = (files.succeeded.rows(), files.failed.rows());
            prop_assert_eq!(&told["numberRecordsProcessed"], succeeded + failed);
            prop_assert_eq!(&told["numberRecordsFailed"], failed);
            if told["state"] == State::JobComplete.name() {
                prop_assert!(files.unprocessed().is_empty());
            } else {
                prop_assert!(told["errorMessage"].is_string(), "{}", told);
            }
            Ok(())
        })?;
    }
}
