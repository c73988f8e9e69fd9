//! Tokens → [`Query`]. Words that begin what the emulated org cannot answer end the parse with a gap that names them.

mod condition;
mod select;
#[cfg(test)]
mod tests;

use super::lexer::{Kind, Token, tokens};
use super::query::{FieldPath, NullsOrder, Operand, Order, Query, Scope, Span};
use super::{Error, Gap};

/// Longest query Salesforce reads, in characters.
const LONGEST: usize = 100_000;
/// Deepest nesting of parentheses and NOTs; the parser recurses.
const DEEPEST: usize = 200;
/// Most queries inside one another; what is allowed of them is the compiler's affair.
const QUERIES_INSIDE: usize = 8;
/// Words that end a field list, an alias or a clause.
const CLAUSES: [&str; 15] = [
    "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "USING", "FOR", "UPDATE", "ALL", "FROM", "AND",
    "OR", "NOT",
];
/// Scopes that depend on what the emulated org has not: teams, territories, delegates.
const OTHER_SCOPES: [&str; 6] =
    ["DELEGATED", "MINE_AND_MY_GROUPS", "MY_TEAM_TERRITORY", "MY_TERRITORY", "SCOPINGRULE", "TEAM"];

/// Parses a query. Never panics, whatever the text.
pub(crate) fn parse(text: &str) -> Result<Query, Error> {
    if text.chars().count() > LONGEST {
        return Err(Error::malformed(format!("SOQL statements cannot be longer than {LONGEST} characters")));
    }
    if text.trim().is_empty() {
        return Err(Error::malformed("A query string has to be specified"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, inside: 0 };
    let query = parser.query()?;
    parser.finish(query)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Queries around the one being read.
    inside: usize,
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
        let scope = self.scope()?;
        let condition = if self.accept_word("WHERE") { Some(self.condition()?) } else { None };
        self.with()?;
        let group = self.group()?;
        let having = if self.accept_word("HAVING") { Some(self.condition()?) } else { None };
        let order = self.order()?;
        let limit = if self.accept_word("LIMIT") { Some(self.count()?) } else { None };
        let offset = if self.accept_word("OFFSET") { Some(self.count()?) } else { None };
        let text = self.text.to_owned();
        Ok(Query { text, select, from, from_span, alias, scope, condition, group, having, order, limit, offset })
    }

    /// A query inside another.
    fn inner_query(&mut self) -> Result<Query, Error> {
        self.inside += 1;
        if self.inside > QUERIES_INSIDE {
            return Err(Error::too_complicated());
        }
        let query = self.query();
        self.inside -= 1;
        query
    }

    fn finish(&mut self, query: Query) -> Result<Query, Error> {
        while self.accept_word("FOR") {
            // To view or to refer to a record moves its LastViewedDate and LastReferencedDate, which stay empty here.
            if self.is_word("UPDATE") {
                return Err(Error::malformed("FOR UPDATE is only allowed in Apex code"));
            }
            if !self.accept_word("VIEW") {
                self.expect_word("REFERENCE")?;
            }
        }
        if self.is_word("UPDATE") {
            return Err(Error::gap("UPDATE TRACKING or VIEWSTAT"));
        }
        if self.is_word("ALL") {
            return Err(Error::malformed("ALL ROWS is only allowed in Apex code"));
        }
        if self.peek().kind == Kind::End { Ok(query) } else { Err(self.unexpected()) }
    }

    fn scope(&mut self) -> Result<Scope, Error> {
        if !self.accept_word("USING") {
            return Ok(Scope::Everything);
        }
        self.expect_word("SCOPE")?;
        let scope = match &self.peek().kind {
            Kind::Word(word) if word.eq_ignore_ascii_case("everything") => Scope::Everything,
            Kind::Word(word) if word.eq_ignore_ascii_case("mine") => Scope::Mine,
            Kind::Word(word) if OTHER_SCOPES.iter().any(|other| word.eq_ignore_ascii_case(other)) => {
                return Err(Error::gap(format!("USING SCOPE {word}")));
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(scope)
    }

    /// Every query here sees what its user may see and no more, which is all that these words ask for.
    fn with(&mut self) -> Result<(), Error> {
        if !self.accept_word("WITH") {
            return Ok(());
        }
        if self.is_word("DATA") {
            return Err(Error::gap("WITH DATA CATEGORY"));
        }
        let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"].into_iter().any(|word| self.accept_word(word));
        if known { Ok(()) } else { Err(self.unexpected()) }
    }

    fn group(&mut self) -> Result<Vec<Operand>, Error> {
        let mut keys = Vec::new();
        if !self.accept_word("GROUP") {
            return Ok(keys);
        }
        self.expect_word("BY")?;
        for word in ["ROLLUP", "CUBE"] {
            if self.is_word(word) && self.symbol_follows(1, "(") {
                return Err(Error::Gap(Gap::Aggregate(format!("GROUP BY {word}"))));
            }
        }
        loop {
            keys.push(self.operand()?);
            if !self.accept_symbol(",") {
                return Ok(keys);
            }
        }
    }

    fn order(&mut self) -> Result<Vec<Order>, Error> {
        let mut keys = Vec::new();
        if !self.accept_word("ORDER") {
            return Ok(keys);
        }
        self.expect_word("BY")?;
        loop {
            let by = self.operand()?;
            let descending = !self.accept_word("ASC") && self.accept_word("DESC");
            let mut nulls = NullsOrder::First;
            if self.accept_word("NULLS") {
                if self.accept_word("LAST") {
                    nulls = NullsOrder::Last;
                } else {
                    self.expect_word("FIRST")?;
                }
            }
            keys.push(Order { by, descending, nulls });
            if !self.accept_symbol(",") {
                return Ok(keys);
            }
        }
    }

    /// A field, which no parenthesis follows.
    fn field(&mut self) -> Result<FieldPath, Error> {
        let span = self.peek().span;
        let word = self.name()?;
        if self.peek().kind == Kind::Symbol("(") {
            return Err(self.unexpected());
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

    /// Goes one level deeper, as far as one may go.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::too_complicated());
        }
        let done = work(self);
        self.depth -= 1;
        done
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
        self.word_follows(0, word)
    }

    fn word_follows(&self, ahead: usize, word: &str) -> bool {
        let found = self.tokens.get(self.at + ahead).map(|token| &token.kind);
        matches!(found, Some(Kind::Word(found)) if found.eq_ignore_ascii_case(word))
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
