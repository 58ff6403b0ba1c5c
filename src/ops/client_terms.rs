//! What credentials for people and programs may be called, and how long they may last, whatever they are for.

use keelson_provider_api::values::{InvalidText, Span, clip};

use crate::pki::Terms;

/// As long as they may be valid: as long as the certificates of machines. Nobody can take one back.
pub(super) const VALIDITY_LIMIT: Span = Terms::CERTIFICATE.validity;
/// The longest common name that X.520 allows (`ub-common-name`).
pub(super) const NAME_LIMIT_CHARS: usize = 64;
/// Clocks differ by minutes; what is shorter may be over before it is used.
const VALIDITY_LEAST: Span = Span::from_secs(10 * 60);

const DAY_SECS: u64 = 24 * 60 * 60;

/// Refuses a name that a certificate cannot bear; `what` says what it was to be: `no name for a client`.
pub(super) fn check_name(name: &str, what: &str) -> Result<(), InvalidText> {
    let chars = name.chars().count();
    if name.trim().is_empty() || chars > NAME_LIMIT_CHARS || name.contains(char::is_control) {
        return Err(InvalidText::new(format!(
            "`{}` is {what}: 1 to {NAME_LIMIT_CHARS} characters, none of them a control character",
            clip(name)
        )));
    }
    Ok(())
}

/// Refuses what is shorter than ten minutes or longer than [`VALIDITY_LIMIT`]; `what` begins the sentence: `credentials are`.
pub(super) fn check_validity(validity: Span, what: &str) -> Result<(), InvalidText> {
    if validity < VALIDITY_LEAST || validity > VALIDITY_LIMIT {
        let most_days = VALIDITY_LIMIT.as_duration().as_secs() / DAY_SECS;
        return Err(InvalidText::new(format!(
            "{what} valid for at least {VALIDITY_LEAST} and at most {most_days} days, not for {validity}"
        )));
    }
    Ok(())
}
