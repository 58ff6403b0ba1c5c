//! What a plain scalar means: the core schema of YAML 1.2.2, §10.3.2.

use serde_json::Number;

/// The meaning of a plain scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number or a fraction that JSON can hold.
    Number(Number),
    /// A number that JSON cannot hold: infinite, not a number, or beyond 64 bits.
    BeyondNumbers,
    /// Anything else.
    Text,
}

/// Tells what the plain scalar `text` means.
pub(crate) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Boolean(true),
        "false" | "False" | "FALSE" => return Plain::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::BeyondNumbers,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Plain::BeyondNumbers;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => Plain::Number(number.into()),
            (_, Ok(number)) => Plain::Number(number.into()),
            _ => Plain::BeyondNumbers,
        };
    }
    if is_fraction(unsigned) {
        let number = text.parse::<f64>().ok().and_then(Number::from_f64);
        return number.map_or(Plain::BeyondNumbers, Plain::Number);
    }
    Plain::Text
}

fn radix(digits: &str, radix: u32) -> Plain {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Plain::Text;
    }
    u64::from_str_radix(digits, radix).map_or(Plain::BeyondNumbers, |number| Plain::Number(number.into()))
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_fraction(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_is_valid = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => digits(mantissa) && !mantissa.is_empty(),
    };
    let exponent_is_valid = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        digits(exponent) && !exponent.is_empty()
    });
    mantissa_is_valid && exponent_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let whole = |number: i64| Plain::Number(number.into());
        let table = [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("true", Plain::Boolean(true)),
            ("yes", Plain::Text),
            ("0x10", whole(16)),
            ("0o17", whole(15)),
            ("-3", whole(-3)),
            ("+3", whole(3)),
            ("1.5", Plain::Number(Number::from_f64(1.5).unwrap())),
            (".5e1", Plain::Number(Number::from_f64(5.0).unwrap())),
            ("1e999", Plain::BeyondNumbers),
            ("99999999999999999999", Plain::BeyondNumbers),
            (".inf", Plain::BeyondNumbers),
            ("1.2.3", Plain::Text),
            (".", Plain::Text),
            ("-", Plain::Text),
            ("1:30", Plain::Text),
            ("0x", Plain::Text),
        ];
        for (text, expected) in table {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
