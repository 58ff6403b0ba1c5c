//! Words and lines: what of the alphabet each may have.

use keelson_provider_api::values::{InvalidText, clip};

/// The longest path, URL or identifier that makes sense anywhere.
pub(super) const LIMIT_CHARS: usize = 1024;
const IDENTIFIER_LIMIT_CHARS: usize = 255;

pub(super) fn invalid(problem: String) -> Result<(), InvalidText> {
    Err(InvalidText::new(problem))
}

/// Names the first character that is not allowed.
pub(super) fn check_alphabet(text: &str, allowed: fn(char) -> bool, limit: usize) -> Result<(), InvalidText> {
    if text.is_empty() {
        return invalid("it is empty".to_owned());
    }
    if text.len() > limit {
        return invalid(format!("`{}` is longer than {limit} characters", clip(text)));
    }
    match text.chars().find(|&character| !allowed(character)) {
        Some(wrong) => invalid(format!("`{}` contains `{}`", clip(text), wrong.escape_debug())),
        None => Ok(()),
    }
}

/// A path of letters, digits and `. _ - / + @ ,` `~` or blanks inside; no control or shell characters.
pub(super) fn check_path(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| character.is_alphanumeric() || "._-/+@,~=".contains(character);
    check_alphabet(text, allowed, LIMIT_CHARS)?;
    if !text.contains(char::is_alphanumeric) && text != "." {
        return invalid(format!("`{}` names no file", clip(text)));
    }
    if text.starts_with('-') {
        return invalid(format!("`{0}` begins with a dash; write `./{0}`", clip(text)));
    }
    Ok(())
}

pub(super) fn check_identifier(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-/:".contains(character);
    check_alphabet(text, allowed, IDENTIFIER_LIMIT_CHARS)?;
    if !text.starts_with(|character: char| character.is_ascii_alphanumeric()) {
        return invalid(format!(
            "`{}` does not begin with a letter or a digit",
            clip(text)
        ));
    }
    Ok(())
}

pub(super) fn check_argument_name(text: &str) -> Result<(), InvalidText> {
    let bare = text.trim_start_matches('-');
    if bare.len() != text.len() {
        return invalid(format!(
            "`{}` begins with dashes; write `{}`",
            clip(text),
            clip(bare)
        ));
    }
    if let Some((name, _)) = text.split_once('=') {
        return invalid(format!(
            "`{}` has a value in it; the value has a field of its own beside `name: {}`",
            clip(text),
            clip(name)
        ));
    }
    let allowed =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    check_alphabet(text, allowed, IDENTIFIER_LIMIT_CHARS)
}

pub(super) fn check_line(text: &str) -> Result<(), InvalidText> {
    check_alphabet(text, |character| !character.is_control(), 4096)
}

pub(super) fn check_plugin_name(text: &str) -> Result<(), InvalidText> {
    check_alphabet(
        text,
        |character| character.is_ascii_alphanumeric(),
        IDENTIFIER_LIMIT_CHARS,
    )
}

/// The portable alphabet of `useradd(8)`.
pub(super) fn check_user_name(text: &str) -> Result<(), InvalidText> {
    let allowed = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character)
    };
    check_alphabet(text, allowed, 32)?;
    if !text.starts_with(|character: char| character.is_ascii_lowercase() || character == '_') {
        return invalid(format!("`{}` does not begin with a letter", clip(text)));
    }
    Ok(())
}
