//! Text → tokens.

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::Error;
use super::query::Span;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword, dots included: `Account.Name`.
    Word(String),
    /// The inside of a quoted text, escapes still in place.
    Text(String),
    Number(f64),
    Date(Date),
    DateTime(Timestamp),
    Time(Time),
    /// `(` `)` `,` `=` `!=` `<` `<=` `>` `>=` `:`
    Symbol(&'static str),
    End,
}

/// `<>` is an old spelling of `!=`.
const SYMBOLS: [(&str, &str); 12] = [
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("(", "("),
    (")", ")"),
    (",", ","),
    (":", ":"),
    ("+", "+"),
];

/// Cuts a query into tokens; the last one is always [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '\'' => quoted(rest)?,
            '0'..='9' | '-' | '.' => numeric(rest)?,
            '+' if rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.') => numeric(rest)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
                (Kind::Word(rest[..end].to_owned()), end)
            }
            c => match SYMBOLS.iter().find(|(spelling, _)| rest.starts_with(spelling)) {
                Some((spelling, symbol)) => (Kind::Symbol(symbol), spelling.len()),
                None => return Err(Error::malformed(format!("unexpected token: '{c}'"))),
            },
        };
        tokens.push(Token { kind, span: Span { start: at, end: at + length } });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, span: Span { start: text.len(), end: text.len() } });
    Ok(tokens)
}

fn quoted(rest: &str) -> Result<(Kind, usize), Error> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return Ok((Kind::Text(rest[1..at].to_owned()), at + 1)),
            _ => {}
        }
    }
    Err(Error::malformed("line breaks not allowed in string literals or the closing quote is missing"))
}

/// Numbers, dates, times and datetimes all begin with a digit or a sign; a minus or colon inside makes a date of it.
fn numeric(rest: &str) -> Result<(Kind, usize), Error> {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-+:.".contains(c))).unwrap_or(rest.len());
    let word = &rest[..end];
    let unexpected = || Error::malformed(format!("unexpected token: '{word}'"));
    let kind = match word.find('T').or_else(|| word.find('t')) {
        Some(_) if word.len() > 10 => {
            let at: Timestamp = word.parse().map_err(|_| unexpected())?;
            Kind::DateTime(Timestamp::from_second(at.as_second()).unwrap_or(at))
        }
        _ if word.as_bytes().get(2) == Some(&b':') => {
            let time: Time = word.trim_end_matches(['Z', 'z']).parse().map_err(|_| unexpected())?;
            Kind::Time(time.with().subsec_nanosecond(0).build().unwrap_or(time))
        }
        _ if is_date(word) => Kind::Date(word.parse().map_err(|_| unexpected())?),
        _ => Kind::Number(word.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(unexpected)?),
    };
    Ok((kind, end))
}

fn is_date(word: &str) -> bool {
    word.len() == 10
        && word.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// Replaces the escapes of a quoted text: `\'` `\"` `\\` `\n` `\r` `\t` `\b` `\f` `\u` with four hexadecimal digits.
pub(super) fn unescape(raw: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            text.push(escape(&mut chars)?);
        } else {
            text.push(c);
        }
    }
    Ok(text)
}

/// Brings a `LIKE` pattern into SQL's form, whose escape is the backslash too: `\%` and `\_` stay, others are replaced.
pub(super) fn like_pattern(raw: &str) -> Result<String, Error> {
    let mut pattern = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            pattern.push(c);
            continue;
        }
        let mut ahead = chars.clone();
        match ahead.next() {
            Some(wildcard @ ('%' | '_')) => {
                pattern.push('\\');
                pattern.push(wildcard);
                chars = ahead;
            }
            _ => match escape(&mut chars)? {
                '\\' => pattern.push_str("\\\\"),
                other => pattern.push(other),
            },
        }
    }
    Ok(pattern)
}

fn escape(chars: &mut std::str::Chars<'_>) -> Result<char, Error> {
    let illegal = || Error::malformed("Invalid string literal: illegal escape sequence");
    Ok(match chars.next().ok_or_else(illegal)? {
        same @ ('\'' | '"' | '\\') => same,
        'n' | 'N' => '\n',
        'r' | 'R' => '\r',
        't' | 'T' => '\t',
        'b' | 'B' => '\u{8}',
        'f' | 'F' => '\u{c}',
        'u' => {
            let digits: String = chars.by_ref().take(4).collect();
            let code = (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok()).flatten();
            code.and_then(char::from_u32).ok_or_else(illegal)?
        }
        _ => return Err(illegal()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn every_kind() {
        use Kind::{End, Number, Symbol, Text, Word};
        assert_eq!(
            kinds("Account.Name != 'O\\'Neil' AND x<=-1.5e3"),
            [
                Word("Account.Name".into()),
                Symbol("!="),
                Text("O\\'Neil".into()),
                Word("AND".into()),
                Word("x".into()),
                Symbol("<="),
                Number(-1500.0),
                End
            ]
        );
    }

    #[test]
    fn dates() {
        let at: Timestamp = "2024-01-02T03:04:05Z".parse().unwrap();
        for text in [
            "2024-01-02T03:04:05Z",
            "2024-01-02T03:04:05.000Z",
            "2024-01-02T04:04:05+01:00",
            "2024-01-02T03:04:05.000+0000",
        ] {
            assert_eq!(kinds(text), [Kind::DateTime(at), Kind::End], "{text}");
        }
        assert_eq!(kinds("2024-01-02"), [Kind::Date("2024-01-02".parse().unwrap()), Kind::End]);
        assert_eq!(kinds("03:04:05.678Z"), [Kind::Time("03:04:05".parse().unwrap()), Kind::End]);
        assert!(tokens("2024-13-02").is_err() && tokens("25:00:00Z").is_err());
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\'b\"c\\d\n\u00e9"#).unwrap(), "a'b\"c\\d\né");
        assert!(unescape(r"\x").is_err() && unescape(r"\u12").is_err());
        assert_eq!(like_pattern(r"50\% \_ \\ _%").unwrap(), r"50\% \_ \\ _%");
    }
}
