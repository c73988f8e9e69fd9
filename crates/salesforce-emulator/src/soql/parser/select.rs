//! The select list, and what may stand in it and elsewhere: fields and functions of them.

use super::super::lexer::Kind;
use super::super::query::{Aggregate, DateFunction, Operand, Select, SelectItem, TypeOf};
use super::super::{Error, Gap};
use super::{Parser, is_clause};

/// Functions that Salesforce evaluates and the emulated org does not.
const OTHER_FUNCTIONS: [&str; 4] = ["FORMAT", "CONVERTCURRENCY", "DISTANCE", "GEOLOCATION"];

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<Select, Error> {
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
        if self.symbol_follows(0, "(") {
            self.at += 1;
            let query = self.inner_query()?;
            self.expect_symbol(")")?;
            return Ok(SelectItem::Children(Box::new(query)));
        }
        if self.accept_word("TYPEOF") {
            return self.type_of().map(SelectItem::TypeOf);
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
        let operand = self.operand()?;
        let alias = match &self.peek().kind {
            Kind::Word(word) if !is_clause(word) && !word.contains('.') => Some(self.name()?),
            _ => None,
        };
        Ok(match (operand, alias) {
            (Operand::Field(path), None) => SelectItem::Field(path),
            (operand, alias) => SelectItem::Value { operand, alias },
        })
    }

    fn type_of(&mut self) -> Result<TypeOf, Error> {
        let parent = self.field()?;
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        self.expect_word("WHEN")?;
        loop {
            let object = self.field()?;
            self.expect_word("THEN")?;
            branches.push((object, self.type_of_fields()?));
            if !self.accept_word("WHEN") {
                break;
            }
        }
        if self.accept_word("ELSE") {
            otherwise = self.type_of_fields()?;
        }
        self.expect_word("END")?;
        Ok(TypeOf { parent, branches, otherwise })
    }

    fn type_of_fields(&mut self) -> Result<Vec<super::FieldPath>, Error> {
        let mut fields = vec![self.field()?];
        while self.accept_symbol(",") {
            fields.push(self.field()?);
        }
        Ok(fields)
    }

    /// A field or a function of one.
    pub(super) fn operand(&mut self) -> Result<Operand, Error> {
        let function = match &self.peek().kind {
            Kind::Word(word) if self.symbol_follows(1, "(") => word.to_ascii_uppercase(),
            _ => return self.field().map(Operand::Field),
        };
        if OTHER_FUNCTIONS.contains(&function.as_str()) {
            return Err(Error::gap(format!("{function}(…)")));
        }
        if function == "GROUPING" {
            return Err(Error::Gap(Gap::Aggregate(format!("{function}(…)"))));
        }
        let (aggregate, date) = (Aggregate::parse(&function), DateFunction::parse(&function));
        self.at += 1;
        if aggregate.is_none() && date.is_none() && function != "TOLABEL" {
            return Err(self.unexpected());
        }
        self.expect_symbol("(")?;
        let local = date.is_some() && self.is_word("CONVERTTIMEZONE") && self.symbol_follows(1, "(");
        self.at += if local { 2 } else { 0 };
        let field = self.field()?;
        if local {
            self.expect_symbol(")")?;
        }
        self.expect_symbol(")")?;
        Ok(match (aggregate, date) {
            (Some(function), _) => Operand::Aggregate { function, field },
            (None, Some(function)) => Operand::DatePart { function, field, local },
            (None, None) => Operand::Label(field),
        })
    }
}
