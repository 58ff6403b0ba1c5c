//! TXT values: texts as they are, and as Route 53 takes them.
//!
//! A value is one or more pieces in quotation marks, each of 255 bytes at the most; `"` and `\` have a backslash before them, and
//! bytes that are not printable ASCII are three octal digits after one
//! (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat>).

const LONGEST_PIECE: usize = 255;

/// A text as a TXT value.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let pieces: Vec<String> = text.as_bytes().chunks(LONGEST_PIECE).map(piece).collect();
    pieces.join(" ")
}

fn piece(bytes: &[u8]) -> String {
    let mut piece = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => piece.extend(['\\', char::from(byte)]),
            b' '..=b'~' => piece.push(char::from(byte)),
            _ => {
                let digit = |shift: u8| char::from(b'0' + (byte >> shift & 7));
                piece.extend(['\\', digit(6), digit(3), digit(0)]);
            }
        }
    }
    piece.push('"');
    piece
}

/// The text of a TXT value; none where it is no such value, or not UTF-8.
pub(super) fn unquoted(value: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = value.trim().as_bytes();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return String::from_utf8(bytes).ok();
        }
        rest = read_piece(rest.strip_prefix(b"\"")?, &mut bytes)?;
    }
}

/// Reads a piece after its first quotation mark, and answers with what is after its last one.
fn read_piece<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [b'"', ref after @ ..] => return Some(after),
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                ref after @ ..,
            ] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            [b'\\', byte, ref after @ ..] | [byte, ref after @ ..] => {
                bytes.push(byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_in_pieces_and_read_back() {
        let (long, longer) = ("a".repeat(255), "a".repeat(256));
        let cases = [
            ("", r#""""#.to_owned()),
            ("v=1; a b", r#""v=1; a b""#.to_owned()),
            (r#"a"b\c"#, r#""a\"b\\c""#.to_owned()),
            ("é\n", r#""\303\251\012""#.to_owned()),
            ("\\052", r#""\\052""#.to_owned()),
            (&long, format!("\"{long}\"")),
            (&longer, format!("\"{long}\" \"a\"")),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
            assert_eq!(unquoted(&expected).as_deref(), Some(text));
        }
        for value in ["a", "\"a", "\"a\\", "\"a\" b", "\"\\377\""] {
            assert_eq!(unquoted(value), None, "{value}");
        }
    }
}
