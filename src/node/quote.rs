//! Values inside shell scripts, environment files, units and YAML: each language quotes in its own way, and what it
//! cannot hold is refused.

/// What a language cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a value for {place} holds {character:?}, which cannot stand there")]
pub(super) struct Unquotable {
    /// The language: `a unit`.
    pub(super) place: &'static str,
    /// The character.
    pub(super) character: char,
}

fn refuse(text: &str, place: &'static str, refused: impl Fn(char) -> bool) -> Result<(), Unquotable> {
    match text.chars().find(|&character| refused(character)) {
        Some(character) => Err(Unquotable { place, character }),
        None => Ok(()),
    }
}

/// True for text that means itself in every language here.
fn is_plain(text: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:=,+@".contains(&byte);
    !text.is_empty() && text.bytes().all(is_safe)
}

/// A word of a POSIX shell: in single quotes, in which nothing has a meaning (POSIX.1-2017, Shell Command Language,
/// 2.2.2).
///
/// # Errors
/// [`Unquotable`] for a NUL, which no argument can hold.
pub(super) fn shell(text: &str) -> Result<String, Unquotable> {
    refuse(text, "a shell", |character| character == '\0')?;
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// The same for a word that stays in its line.
///
/// # Errors
/// [`Unquotable`] for control characters.
pub(super) fn shell_line(text: &str) -> Result<String, Unquotable> {
    refuse(text, "a line of a shell", char::is_control)?;
    shell(text)
}

/// A value in a file that units name in `EnvironmentFile=`: in double quotes, where backslash, double quote, dollar and
/// backtick are escaped (`systemd.exec(5)`, `EnvironmentFile=`).
///
/// # Errors
/// [`Unquotable`] for control characters.
pub(super) fn environment(text: &str) -> Result<String, Unquotable> {
    refuse(text, "an environment file", char::is_control)?;
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    Ok(format!("\"{}\"", escaped(text, &['\\', '"', '$', '`'])))
}

/// A word in a unit's setting, also of a command line: `%` and `$` doubled, so that they are no specifier and no
/// variable, the rest in double quotes (`systemd.syntax(7)`, `systemd.service(5)`, "Command lines").
///
/// # Errors
/// [`Unquotable`] for control characters.
pub(super) fn unit(text: &str) -> Result<String, Unquotable> {
    refuse(text, "a unit", char::is_control)?;
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    let doubled = text.replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{}\"", escaped(&doubled, &['\\', '"'])))
}

/// A word in a format that has no quotes, such as keepalived's.
///
/// # Errors
/// [`Unquotable`] for everything that could mean something, and for nothing at all.
pub(super) fn plain(text: &str) -> Result<String, Unquotable> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(Unquotable {
        place: "a file without quotes",
        character: text
            .chars()
            .find(|character| !is_plain(&character.to_string()))
            .unwrap_or(' '),
    })
}

/// A calendar expression in a unit's setting, where words have no quotes (`systemd.time(7)`).
///
/// # Errors
/// [`Unquotable`] for everything that no calendar expression has in it.
pub(super) fn calendar(text: &str) -> Result<String, Unquotable> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "*-~:/., ".contains(character);
    refuse(text, "a calendar expression", |character| !fits(character))?;
    Ok(text.to_owned())
}

/// A scalar of YAML: a JSON string, which YAML 1.2 reads as it is (YAML 1.2.2, 7.3.1), so that no word is taken for a
/// number, a boolean, an alias or the begin of a map.
pub(super) fn yaml(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

fn escaped(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if special.contains(&character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_quotes_in_its_own_way() {
        let table = [
            (
                "etcd-1.2_3",
                "etcd-1.2_3",
                "etcd-1.2_3",
                "etcd-1.2_3",
                "\"etcd-1.2_3\"",
            ),
            ("", "''", "\"\"", "\"\"", "\"\""),
            ("a b", "'a b'", "\"a b\"", "\"a b\"", "\"a b\""),
            ("it's", r"'it'\''s'", "\"it's\"", "\"it's\"", "\"it's\""),
            ("$(id)", "'$(id)'", r#""\$(id)""#, "\"$$(id)\"", "\"$(id)\""),
            ("`id`", "'`id`'", r#""\`id\`""#, "\"`id`\"", "\"`id`\""),
            ("50%", "'50%'", "\"50%\"", "\"50%%\"", "\"50%\""),
            (
                r#"a"\b"#,
                r#"'a"\b'"#,
                r#""a\"\\b""#,
                r#""a\"\\b""#,
                r#""a\"\\b""#,
            ),
            ("no", "no", "no", "no", "\"no\""),
        ];
        for (text, in_shell, in_environment, in_unit, in_yaml) in table {
            assert_eq!(shell(text).unwrap(), in_shell);
            assert_eq!(environment(text).unwrap(), in_environment);
            assert_eq!(unit(text).unwrap(), in_unit);
            assert_eq!(yaml(text), in_yaml);
        }
    }

    #[test]
    fn what_cannot_be_held_is_refused() {
        assert!(shell("a\0b").is_err());
        assert_eq!(shell("a\nb").unwrap(), "'a\nb'");
        for text in ["a\nb", "a\0b", "a\tb", "\x1b[2J"] {
            assert!(environment(text).is_err(), "{text:?}");
            assert!(unit(text).is_err(), "{text:?}");
            assert!(shell_line(text).is_err(), "{text:?}");
        }
        assert_eq!(yaml("a\nb\0"), "\"a\\nb\\u0000\"");
    }
}
