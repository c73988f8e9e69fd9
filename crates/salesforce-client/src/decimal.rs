//! Numbers as digits: compared and written without passing through a float.

use std::fmt;

/// A decimal number as its digits say, whatever its spelling: `5`, `5.0` and `0.5E1` are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    /// The digits without zeros at either end; none for zero.
    digits: String,
    /// Where the point is: `0.digits × 10^point`.
    point: i32,
}

/// The most digits a number may have when it is written out. Salesforce keeps 18.
const LONGEST: usize = 64;

impl Decimal {
    /// A number: digits, with a sign, a point and an exponent if need be; `None` for all else, and for one that is
    /// longer than any that makes sense.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(mantissa) => (true, mantissa),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let leading = all().take_while(|byte| *byte == b'0').count();
        let digits: String = all().skip(leading).map(char::from).collect();
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, point: 0 });
        }
        let point = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()? + i32::from(exponent);
        let length = digits.len() + usize::try_from(point.unsigned_abs()).ok()?;
        (length <= LONGEST).then_some(Decimal { negative, digits, point })
    }
}

/// Without an exponent.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let zeros = |count: usize| "0".repeat(count);
        let (digits, places) = (&self.digits, self.point.unsigned_abs() as usize);
        match usize::try_from(self.point) {
            _ if digits.is_empty() => f.write_str("0"),
            Ok(0) | Err(_) => write!(f, "0.{}{digits}", zeros(places)),
            Ok(point) if point < digits.len() => write!(f, "{}.{}", &digits[..point], &digits[point..]),
            Ok(point) => write!(f, "{digits}{}", zeros(point - digits.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings() {
        for (text, expect) in [
            ("5", "5"),
            ("5.0", "5"),
            ("005", "5"),
            ("0.5E1", "5"),
            ("50e-1", "5"),
            ("+5", "5"),
            ("-5.250", "-5.25"),
            ("0", "0"),
            ("-0.00", "0"),
            ("0e999", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.5E7", "15000000"),
            ("1e-3", "0.001"),
            ("-0.0012", "-0.0012"),
            ("123456789012345678", "123456789012345678"),
        ] {
            assert_eq!(Decimal::parse(text).map(|number| number.to_string()).as_deref(), Some(expect), "{text}");
        }
        for text in
            ["", "-", ".", "e5", "5e", "five", "1,5", " 5", "0x5", "--5", "1e99", "1e-99", "1e99999", "NaN", "٥"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_the_same_number(text in "-?[0-9]{1,16}(\\.[0-9]{1,16})?([eE]-?[0-9])?") {
            let number = Decimal::parse(&text).expect("a number");
            prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number.clone()));
            let (float, shown): (f64, f64) = (text.parse().unwrap(), number.to_string().parse().unwrap());
            prop_assert!(float == shown, "{} {}", text, number);
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _ = Decimal::parse(&text).map(|number| number.to_string());
        }
    }
}
