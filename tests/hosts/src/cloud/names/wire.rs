//! Messages of DNS, as far as hosts need them: one question, and the addresses of its name (RFC 1035, section 4).

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// No message by UDP is longer (RFC 1035, section 4.2.1), whatever the one with the question offers by an extension.
pub(super) const MESSAGE_LIMIT_BYTES: usize = 512;
const HEADER_BYTES: usize = 12;
const LABEL_LIMIT_BYTES: usize = 63;
const NAME_LIMIT_BYTES: usize = 255;
const ADDRESS_BYTES: u16 = 4;
/// One address with what is before it.
const RECORD_BYTES: usize = 16;

/// So soon whoever has an answer asks again: what there is changes while a test waits for that.
const LIFETIME_SECONDS: u32 = 1;
const TYPE_ADDRESS: u16 = 1;
const CLASS_INTERNET: u16 = 1;
/// A name that is written where the question's is.
const NAME_OF_QUESTION: u16 = 0xc00c;

/// In the first byte of flags.
const IS_ANSWER: u8 = 0x80;
const OPERATION: u8 = 0x78;
const RECURSION_DESIRED: u8 = 0x01;
/// In the second. Without it some resolvers take an answer without addresses for that of a server that knows nothing.
const RECURSION_AVAILABLE: u8 = 0x80;

/// How an answer went (RFC 1035, section 4.1.1, RCODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Done = 0,
    FormatError = 1,
    ServerFailure = 2,
    NoSuchName = 3,
    NotImplemented = 4,
    Refused = 5,
}

/// What an answer repeats of its question's header.
#[derive(Clone, Copy, Debug)]
struct Head {
    id: [u8; 2],
    flags: u8,
}

/// A question.
#[derive(Debug)]
pub(super) struct Question<'message> {
    head: Head,
    /// In the case in which it was asked.
    written: &'message [u8],
    name: String,
    record_type: u16,
}

/// Reads a question; when it is none, what is answered instead, if anything is.
pub(super) fn read(message: &[u8]) -> Result<Question<'_>, Option<Vec<u8>>> {
    let Some((header, rest)) = message.split_first_chunk::<HEADER_BYTES>() else {
        return Err(None);
    };
    let [first, second, flags, _, counts @ ..] = *header;
    // Two servers would answer each other for ever.
    if flags & IS_ANSWER != 0 {
        return Err(None);
    }
    let head = Head {
        id: [first, second],
        flags,
    };
    let refuse = |code| Some(head.answer(code, &[], &[]));
    if flags & OPERATION != 0 {
        return Err(refuse(Code::NotImplemented));
    }
    let [0, 1, ..] = counts else {
        return Err(refuse(Code::FormatError));
    };
    let Some((name, after)) = read_name(rest) else {
        return Err(refuse(Code::FormatError));
    };
    let Some((&[type_high, type_low, class_high, class_low], more)) = after.split_first_chunk() else {
        return Err(refuse(Code::FormatError));
    };
    // What follows are records of extensions, which nobody has to understand.
    let question = Question {
        head,
        written: rest.strip_suffix(more).unwrap_or(rest),
        name,
        record_type: u16::from_be_bytes([type_high, type_low]),
    };
    if u16::from_be_bytes([class_high, class_low]) != CLASS_INTERNET {
        return Err(Some(question.refuse(Code::Refused)));
    }
    Ok(question)
}

impl Question<'_> {
    /// The name that is asked for, in lower case and without the dot at its end. What is no letter, digit, hyphen, underscore or
    /// star is written as Route 53 does, such as `\057` (Route 53 developer guide, "DNS domain name format").
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The answer when the name has these addresses: as many as there is room for, and none when something else is asked for.
    pub(super) fn answer(&self, addresses: &[Ipv4Addr]) -> Vec<u8> {
        let asked = self.record_type == TYPE_ADDRESS;
        let addresses = if asked { addresses } else { &[] };
        self.head.answer(Code::Done, self.written, addresses)
    }

    /// The answer when there is none.
    pub(super) fn refuse(&self, code: Code) -> Vec<u8> {
        self.head.answer(code, self.written, &[])
    }
}

impl Head {
    fn answer(self, code: Code, question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
        let room = MESSAGE_LIMIT_BYTES.saturating_sub(HEADER_BYTES + question.len());
        let addresses = addresses.iter().take(room / RECORD_BYTES);
        let count = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
        let flags = IS_ANSWER | (self.flags & (OPERATION | RECURSION_DESIRED));
        let mut message = Vec::with_capacity(MESSAGE_LIMIT_BYTES);
        message.extend(self.id);
        message.extend([flags, RECURSION_AVAILABLE | code as u8]);
        let counts = [u16::from(!question.is_empty()), count, 0, 0];
        message.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        message.extend(question);
        for address in addresses {
            message.extend(NAME_OF_QUESTION.to_be_bytes());
            message.extend(TYPE_ADDRESS.to_be_bytes());
            message.extend(CLASS_INTERNET.to_be_bytes());
            message.extend(LIFETIME_SECONDS.to_be_bytes());
            message.extend(ADDRESS_BYTES.to_be_bytes());
            message.extend(address.octets());
        }
        message
    }
}

/// A name, and what follows it. One that is written somewhere else is none: there is nothing before a question.
fn read_name(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    let mut rest = bytes;
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            let length = bytes.len() - after.len();
            return (length <= NAME_LIMIT_BYTES).then_some((name, after));
        }
        let length = usize::from(length);
        if length > LABEL_LIMIT_BYTES {
            return None;
        }
        let (label, after) = after.split_at_checked(length)?;
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                _ => write!(name, "\\{byte:03o}").ok()?,
            }
        }
        rest = after;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const FLAGS: [u8; 2] = [RECURSION_DESIRED, 0];

    fn written(name: &str) -> Vec<u8> {
        let labels = name.split('.').filter(|label| !label.is_empty());
        let labels = labels.flat_map(|label| {
            let length = u8::try_from(label.len()).unwrap();
            std::iter::once(length).chain(label.bytes())
        });
        labels.chain([0]).collect()
    }

    fn message(flags: [u8; 2], count: u8, question: &[u8]) -> Vec<u8> {
        let header = [0xab, 0xcd, flags[0], flags[1], 0, count, 0, 0, 0, 0, 0, 0];
        [header.as_slice(), question].concat()
    }

    pub(in super::super) fn question(name: &str, record_type: u8) -> Vec<u8> {
        message(FLAGS, 1, &[written(name), vec![0, record_type, 0, 1]].concat())
    }

    /// What comes of a message: a name and a type, or a code, or nothing.
    fn shown(message: &[u8]) -> String {
        match read(message) {
            Ok(question) => format!("{} {}", question.name, question.record_type),
            Err(None) => "nothing".to_owned(),
            Err(Some(refusal)) => {
                assert_eq!(refusal[..3], [0xab, 0xcd, message[2] | IS_ANSWER]);
                format!("code {}", refusal[3] & 0x0f)
            }
        }
    }

    #[test]
    fn messages_are_questions_or_refused_or_not_answered() {
        let asked = |bytes: &[u8]| message(FLAGS, 1, bytes);
        let after = |name: &str, rest: &[u8]| asked(&[written(name).as_slice(), rest].concat());
        let long = ["a"; 127].join(".");
        let label = "b".repeat(63);
        for (message, expected) in [
            (question("API.Example.org", 1), "api.example.org 1"),
            (question("_a-1.*", 28), "_a-1.* 28"),
            (question("", 2), " 2"),
            (question(&label, 1), &format!("{label} 1")),
            (question(&long, 1), &format!("{long} 1")),
            // An extension behind it, as resolvers send them.
            (
                after("a", &[0, 1, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]),
                "a 1",
            ),
            // A dot, a blank and a byte that is no character, in one label.
            (asked(b"\x05a.b \xff\0\0\x01\0\x01"), r"a\056b\040\377 1"),
            (question(&format!("{long}.a"), 1), "code 1"),
            (asked(&[]), "code 1"),
            (asked(b"\x03ab"), "code 1"),
            (asked(b"\x02ab"), "code 1"),
            (after("a", &[0, 1, 0]), "code 1"),
            // A name that points to itself, and lengths that there are none of.
            (asked(b"\xc0\x0c\0\x01\0\x01"), "code 1"),
            (asked(b"\x01a\xc0\x0c\0\x01\0\x01"), "code 1"),
            (
                asked(&[[64].as_slice(), &[b'a'; 64], b"\0\0\x01\0\x01"].concat()),
                "code 1",
            ),
            (message(FLAGS, 0, b""), "code 1"),
            (message(FLAGS, 2, b"\0\0\x01\0\x01\0\0\x01\0\x01"), "code 1"),
            // A change of a zone, and a question of another kind of network.
            (message([0x28, 0], 1, b"\0\0\x06\0\x01"), "code 4"),
            (after("a", &[0, 1, 0, 3]), "code 5"),
            // An answer, and what is too short for an id.
            (message([0x81, 0x80], 1, b"\0\0\x01\0\x01"), "nothing"),
            (vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0], "nothing"),
            (Vec::new(), "nothing"),
        ] {
            assert_eq!(shown(&message), expected, "{message:02x?}");
        }
    }

    #[test]
    fn an_answer_is_written_as_it_should_be() {
        let message = question("Api.example.org", 1);
        let read = read(&message).unwrap();
        let expected = b"\xab\xcd\x81\x80\0\x01\0\x02\0\0\0\0\x03Api\x07example\x03org\0\0\x01\0\x01\
            \xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\x5a\0\x0b\
            \xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\x5a\0\x0c";
        let addresses = [Ipv4Addr::new(10, 90, 0, 11), Ipv4Addr::new(10, 90, 0, 12)];
        assert_eq!(read.answer(&addresses), expected);
        let none = b"\xab\xcd\x81\x83\0\x01\0\0\0\0\0\0\x03Api\x07example\x03org\0\0\x01\0\x01";
        assert_eq!(read.refuse(Code::NoSuchName), none);
    }

    #[test]
    fn no_answer_is_too_long_and_no_message_too_strange() {
        let addresses = [Ipv4Addr::LOCALHOST; 100];
        let long = ["a"; 127].join(".");
        for name in ["a", &long] {
            let whole = question(name, 1);
            let answer = read(&whole).unwrap().answer(&addresses);
            let room = MESSAGE_LIMIT_BYTES - answer.len();
            assert!(room < RECORD_BYTES, "{room} bytes are left");
            assert_eq!(answer.len(), whole.len() + usize::from(answer[7]) * RECORD_BYTES);
            for index in 0..whole.len() {
                assert!(read(&whole[..index]).is_err(), "its first {index} bytes");
                for bit in 0..8 {
                    let mut changed = whole.clone();
                    changed[index] ^= 1 << bit;
                    if let Ok(read) = read(&changed) {
                        assert!(read.answer(&addresses).len() <= MESSAGE_LIMIT_BYTES);
                    }
                }
            }
        }
    }
}
