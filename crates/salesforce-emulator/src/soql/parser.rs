//! Tokens → [`Query`]. Words that begin what the emulated org cannot answer end the parse with a gap that names them.

use super::lexer::{Kind, Token, tokens};
use super::query::{Comparison, Condition, FieldPath, Literal, NullsOrder, Order, Query, Select, SelectItem, Span};
use super::{Error, Gap};

/// Longest query Salesforce reads, in characters.
const LONGEST: usize = 100_000;
/// Deepest nesting of parentheses and NOTs; the parser recurses.
const DEEPEST: usize = 200;
const AGGREGATES: [&str; 6] = ["AVG", "COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM"];
/// Functions of fields and dates that Salesforce evaluates.
const FUNCTIONS: [&str; 20] = [
    "TOLABEL",
    "FORMAT",
    "CONVERTCURRENCY",
    "CONVERTTIMEZONE",
    "GROUPING",
    "CALENDAR_MONTH",
    "CALENDAR_QUARTER",
    "CALENDAR_YEAR",
    "DAY_IN_MONTH",
    "DAY_IN_WEEK",
    "DAY_IN_YEAR",
    "DAY_ONLY",
    "FISCAL_MONTH",
    "FISCAL_QUARTER",
    "FISCAL_YEAR",
    "HOUR_IN_DAY",
    "WEEK_IN_MONTH",
    "WEEK_IN_YEAR",
    "DISTANCE",
    "GEOLOCATION",
];
/// Words that end a field list, an alias or a clause.
const CLAUSES: [&str; 15] = [
    "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "USING", "FOR", "UPDATE", "ALL", "FROM", "AND",
    "OR", "NOT",
];

/// Parses a query. Never panics, whatever the text.
pub fn parse(text: &str) -> Result<Query, Error> {
    if text.chars().count() > LONGEST {
        return Err(Error::malformed(format!("SOQL statements cannot be longer than {LONGEST} characters")));
    }
    if text.trim().is_empty() {
        return Err(Error::malformed("A query string has to be specified"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
    let query = parser.query()?;
    parser.finish(query)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, Error> {
        self.expect_word("SELECT")?;
        let select = self.select()?;
        self.expect_word("FROM")?;
        let from_span = self.peek().span;
        let from = self.name()?;
        if self.peek().kind == Kind::Symbol(",") {
            return Err(Error::gap("FROM with several objects"));
        }
        self.accept_word("AS");
        let alias = match &self.peek().kind {
            Kind::Word(word) if !is_clause(word) => Some(self.name()?),
            _ => None,
        };
        if self.accept_word("USING") {
            return Err(Error::gap("USING SCOPE"));
        }
        let condition = if self.accept_word("WHERE") { Some(self.condition()?) } else { None };
        if self.is_word("WITH") {
            return Err(Error::gap("WITH"));
        }
        for (word, what) in [("GROUP", "GROUP BY"), ("HAVING", "HAVING")] {
            if self.is_word(word) {
                return Err(Error::Gap(Gap::Aggregate(what.to_owned())));
            }
        }
        let order = self.order()?;
        let limit = if self.accept_word("LIMIT") { Some(self.count()?) } else { None };
        let offset = if self.accept_word("OFFSET") { Some(self.count()?) } else { None };
        Ok(Query { text: self.text.to_owned(), select, from, from_span, alias, condition, order, limit, offset })
    }

    fn finish(&mut self, query: Query) -> Result<Query, Error> {
        for (word, what) in
            [("FOR", "FOR VIEW, REFERENCE or UPDATE"), ("UPDATE", "UPDATE TRACKING or VIEWSTAT"), ("ALL", "ALL ROWS")]
        {
            if self.is_word(word) {
                return Err(Error::gap(what));
            }
        }
        if self.peek().kind == Kind::End { Ok(query) } else { Err(self.unexpected()) }
    }

    fn select(&mut self) -> Result<Select, Error> {
        if self.is_word("COUNT") && self.symbol_follows(1, "(") && self.symbol_follows(2, ")") {
            self.at += 3;
            return Ok(Select::Count);
        }
        let mut items = vec![self.select_item()?];
        while self.accept_symbol(",") {
            items.push(self.select_item()?);
        }
        Ok(Select::Items(items))
    }

    fn select_item(&mut self) -> Result<SelectItem, Error> {
        if self.peek().kind == Kind::Symbol("(") {
            return Err(Error::Gap(Gap::Subquery));
        }
        if self.is_word("TYPEOF") {
            return Err(Error::Gap(Gap::Typeof));
        }
        if self.is_word("FIELDS") && self.symbol_follows(1, "(") {
            self.at += 2;
            let sets = [
                ("ALL", SelectItem::AllFields),
                ("STANDARD", SelectItem::StandardFields),
                ("CUSTOM", SelectItem::CustomFields),
            ];
            let Some((_, item)) = sets.into_iter().find(|(word, _)| self.accept_word(word)) else {
                return Err(self.unexpected());
            };
            self.expect_symbol(")")?;
            return Ok(item);
        }
        let path = self.field()?;
        if matches!(&self.peek().kind, Kind::Word(word) if !is_clause(word)) {
            return Err(self.unexpected());
        }
        Ok(SelectItem::Field(path))
    }

    fn condition(&mut self) -> Result<Condition, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::Refused {
                code: "QUERY_TOO_COMPLICATED",
                message: "Query is too complicated".to_owned(),
            });
        }
        let first = self.term()?;
        let condition = if self.is_word("AND") {
            Condition::And(self.joined(first, "AND", "OR")?)
        } else if self.is_word("OR") {
            Condition::Or(self.joined(first, "OR", "AND")?)
        } else {
            first
        };
        self.depth -= 1;
        Ok(condition)
    }

    /// SOQL has no precedence between AND and OR: mixing them without parentheses is an error.
    fn joined(&mut self, first: Condition, word: &str, other: &str) -> Result<Vec<Condition>, Error> {
        let mut parts = vec![first];
        while self.accept_word(word) {
            parts.push(self.term()?);
        }
        if self.is_word(other) { Err(self.unexpected()) } else { Ok(parts) }
    }

    fn term(&mut self) -> Result<Condition, Error> {
        if self.accept_word("NOT") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Error::Refused {
                    code: "QUERY_TOO_COMPLICATED",
                    message: "Query is too complicated".to_owned(),
                });
            }
            let negated = Condition::Not(Box::new(self.term()?));
            self.depth -= 1;
            return Ok(negated);
        }
        if self.accept_symbol("(") {
            let inner = self.condition()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let field = self.field()?;
        let comparison = match &self.peek().kind {
            Kind::Symbol("=") => Comparison::Equal,
            Kind::Symbol("!=") => Comparison::NotEqual,
            Kind::Symbol("<") => Comparison::Less,
            Kind::Symbol("<=") => Comparison::LessOrEqual,
            Kind::Symbol(">") => Comparison::Greater,
            Kind::Symbol(">=") => Comparison::GreaterOrEqual,
            Kind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "LIKE" => Comparison::Like,
                "IN" => return self.list(field, false),
                "NOT" => {
                    self.at += 1;
                    return if self.is_word("IN") { self.list(field, true) } else { Err(self.unexpected()) };
                }
                "INCLUDES" | "EXCLUDES" => return Err(Error::gap("INCLUDES and EXCLUDES")),
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let literal = self.literal()?;
        Ok(Condition::Compare { field, comparison, literal })
    }

    fn list(&mut self, field: FieldPath, negated: bool) -> Result<Condition, Error> {
        self.at += 1;
        self.expect_symbol("(")?;
        if self.is_word("SELECT") {
            return Err(Error::Gap(Gap::SemiJoin));
        }
        let mut literals = vec![self.literal()?];
        while self.accept_symbol(",") {
            literals.push(self.literal()?);
        }
        self.expect_symbol(")")?;
        Ok(Condition::In { field, negated, literals })
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        let literal = match &self.peek().kind {
            Kind::Text(raw) => Literal::Text(raw.clone()),
            Kind::Number(number) => Literal::Number(*number),
            Kind::Date(date) => Literal::Date(*date),
            Kind::DateTime(at) => Literal::DateTime(*at),
            Kind::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Flag(true),
            Kind::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Flag(false),
            Kind::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Kind::Word(word) if is_named_date(word) => return Err(Error::gap(format!("the date literal {word}"))),
            Kind::Word(_) => {
                let message = "Bind variables only allowed in Apex code";
                return Err(Error::at("MALFORMED_QUERY", self.text, self.peek().span, message));
            }
            Kind::Symbol(":") => {
                return Err(Error::at(
                    "MALFORMED_QUERY",
                    self.text,
                    self.peek().span,
                    "Bind variables only allowed in Apex code",
                ));
            }
            Kind::Symbol(_) | Kind::End => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(literal)
    }

    fn order(&mut self) -> Result<Vec<Order>, Error> {
        let mut keys = Vec::new();
        if !self.accept_word("ORDER") {
            return Ok(keys);
        }
        self.expect_word("BY")?;
        loop {
            let field = self.field()?;
            let descending = !self.accept_word("ASC") && self.accept_word("DESC");
            let mut nulls = NullsOrder::First;
            if self.accept_word("NULLS") {
                if self.accept_word("LAST") {
                    nulls = NullsOrder::Last;
                } else {
                    self.expect_word("FIRST")?;
                }
            }
            keys.push(Order { field, descending, nulls });
            if !self.accept_symbol(",") {
                return Ok(keys);
            }
        }
    }

    fn field(&mut self) -> Result<FieldPath, Error> {
        let span = self.peek().span;
        let word = self.name()?;
        if self.peek().kind == Kind::Symbol("(") {
            let upper = word.to_ascii_uppercase();
            let called = format!("{upper}(…)");
            return Err(match upper.as_str() {
                upper if AGGREGATES.contains(&upper) => Error::Gap(Gap::Aggregate(called)),
                upper if FUNCTIONS.contains(&upper) => Error::gap(called),
                _ => self.unexpected(),
            });
        }
        let names: Vec<String> = word.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return Err(Error::malformed(format!("unexpected token: '{word}'")));
        }
        Ok(FieldPath { names, span })
    }

    fn count(&mut self) -> Result<u64, Error> {
        match self.peek().kind {
            Kind::Number(n) if n >= 0.0 && n.fract() == 0.0 && n <= 1e15 => {
                self.at += 1;
                Ok(n as u64)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn name(&mut self) -> Result<String, Error> {
        match &self.peek().kind {
            Kind::Word(word) if !is_clause(word) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn peek(&self) -> &Token {
        // The last token is `End`, and nothing steps over it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.peek().kind, Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn symbol_follows(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token { kind: Kind::Symbol(found), .. }) if *found == symbol)
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.symbol_follows(0, symbol);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        if self.accept_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), Error> {
        if self.accept_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Error {
        let Span { start, end } = self.peek().span;
        match &self.text[start..end] {
            "" => Error::malformed("unexpected token: '<EOF>'"),
            token => Error::malformed(format!("unexpected token: '{token}'")),
        }
    }
}

fn is_clause(word: &str) -> bool {
    CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word))
}

/// `TODAY`, `LAST_WEEK`, `NEXT_N_DAYS:3` and their kin.
fn is_named_date(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    ["YESTERDAY", "TODAY", "TOMORROW"].contains(&word.as_str())
        || ["LAST_", "THIS_", "NEXT_", "N_DAYS_AGO", "N_WEEKS_AGO", "N_MONTHS_AGO", "N_YEARS_AGO"]
            .iter()
            .any(|start| word.starts_with(start))
}

#[cfg(test)]
mod tests {
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
            "SELECT (SELECT Id FROM Contacts) FROM Account",
            "SELECT COUNT(Id) FROM Account",
            "SELECT Id FROM Account GROUP BY Name",
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
            "SELECT Id FROM Account WHERE CreatedDate = TODAY",
            "SELECT Id FROM Account WHERE CreatedDate > LAST_N_DAYS:3",
            "SELECT TYPEOF What WHEN Account THEN Name END FROM Event",
            "SELECT Id FROM Account FOR VIEW",
            "SELECT Id FROM Account WHERE a INCLUDES ('x')",
            "SELECT FOO(Id) FROM Account",
        ];
        let answers: Vec<String> = table.iter().map(|text| format!("{text} → {}", parse(text).unwrap_err())).collect();
        insta::assert_snapshot!(answers.join("\n"));
    }

    #[test]
    fn understood() {
        let text = "select Id, Owner.Name from Account a where (Name like 'A%' or Id in ('1', '2')) and not x != null \
                    order by Name desc nulls last, Id limit 10 offset 5";
        insta::assert_debug_snapshot!(parse(text).unwrap());
    }

    #[test]
    fn deep_nesting_is_refused_not_overflowed() {
        let text = format!("SELECT Id FROM Account WHERE {}a = 1{}", "(".repeat(50_000), ")".repeat(40_000));
        assert!(parse(&text).is_err());
        assert!(parse(&format!("SELECT Id FROM Account WHERE {}a = 1", "NOT ".repeat(20_000))).is_err());
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
}
