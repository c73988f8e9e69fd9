use proptest::prelude::*;

use super::*;

/// Refusals and gaps, one line each: query → code or gap.
#[test]
fn refused() {
    let table = [
        "",
        "SELECT",
        "SELECT FROM Account",
        "SELECT Id",
        "SELECT Id FROM",
        "SELECT Id FRM Account",
        "SELECT Id, FROM Account",
        "SELECT Id FROM Account WHERE",
        "SELECT Id FROM Account WHERE Name",
        "SELECT Id FROM Account WHERE Name = ",
        "SELECT Id FROM Account WHERE Name = 'open",
        "SELECT Id FROM Account WHERE Name = x",
        "SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3",
        "SELECT Id FROM Account LIMIT -1",
        "SELECT Id FROM Account ORDER Name",
        "SELECT Id FROM Account WHERE Name IN ()",
        "SELECT Id FROM Account; DROP TABLE x",
        "SELECT * FROM Account",
        "SELECT (SELECT Id FROM Contacts FROM Account",
        "SELECT COUNT(Id FROM Account",
        "SELECT FORMAT(AnnualRevenue) FROM Account",
        "SELECT convertCurrency(AnnualRevenue) FROM Account",
        "SELECT Id FROM Account WHERE AnnualRevenue > USD5000",
        "SELECT Id FROM Account GROUP Name",
        "SELECT Name FROM Account GROUP BY ROLLUP(Name)",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact",
        "SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS",
        "SELECT Id FROM Account WHERE CreatedDate > TODAY:3",
        "SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS:x",
        "SELECT Id FROM Account WHERE CALENDAR_YEAR(CreatedDate = 2024",
        "SELECT TYPEOF What FROM Event",
        "SELECT TYPEOF What WHEN Account THEN Name FROM Event",
        "SELECT Id FROM Account FOR UPDATE",
        "SELECT Id FROM Account UPDATE TRACKING",
        "SELECT Id FROM Account ALL ROWS",
        "SELECT Id FROM Account WITH DATA CATEGORY Geography__c AT usa__c",
        "SELECT Id FROM Account USING SCOPE team",
        "SELECT Id FROM Account USING SCOPE none",
        "SELECT Id FROM Account WHERE a INCLUDES (1)",
        "SELECT Id FROM Account WHERE a INCLUDES 'x'",
        "SELECT Id FROM Account, Account.Contacts c",
        "SELECT FOO(Id) FROM Account",
    ];
    let answers: Vec<String> = table.iter().map(|text| format!("{text} → {}", parse(text).unwrap_err())).collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn understood() {
    let text = "select Id, Owner.Name, toLabel(Rating), (select Id from Contacts) from Account a using scope mine \
                where (Name like 'A%' or Id in ('1', '2')) and not x != null and y includes ('a;b') \
                and z not in (select Id from Lead) and calendar_year(d) = 2024 and e < last_n_days:3 with security_enforced \
                order by Name desc nulls last, Id limit 10 offset 5";
    insta::assert_debug_snapshot!(parse(text).unwrap());
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let text = format!("SELECT Id FROM Account WHERE {}a = 1{}", "(".repeat(50_000), ")".repeat(40_000));
    assert!(parse(&text).is_err());
    assert!(parse(&format!("SELECT Id FROM Account WHERE {}a = 1", "NOT ".repeat(20_000))).is_err());
    assert!(parse(&"SELECT (".repeat(10_000)).is_err());
    assert!(parse(&"SELECT Id FROM Account WHERE Id IN (".repeat(2_000)).is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn arbitrary_words_never_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("SELECT"), Just("FROM"), Just("WHERE"), Just("COUNT"), Just("("), Just(")"), Just(","), Just("'x\\'"), Just("'x'"),
            Just("NOT"), Just("IN"), Just("AND"), Just("OR"), Just("="), Just("Account"), Just("Id"), Just("2024-01-02"),
            Just("2024-01-02T03:04:05Z"), Just("-1"), Just("1e999"), Just("ORDER"), Just("BY"), Just("NULLS"), Just("LIMIT"),
            Just("FIELDS"), Just("ALL"), Just("."), Just("é"), Just("a..b"), Just(":")
        ], 0..30)) {
        let _ = parse(&words.join(" "));
    }
}
