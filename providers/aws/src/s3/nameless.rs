//! Requests that nobody can sign, since nobody knows in whose name.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use keelson_provider_api::with_causes;

use super::failure::Told;

/// Why nobody knows who asks.
#[derive(Debug)]
pub(super) struct Nameless {
    /// True when nobody has said so.
    is_unsaid: bool,
    /// What the SDK says about it.
    words: String,
}

impl Nameless {
    fn of(error: &CredentialsError) -> Self {
        Self {
            is_unsaid: matches!(error, CredentialsError::CredentialsNotLoaded(_)),
            words: with_causes(error),
        }
    }

    /// The same in words, with what to do.
    pub(super) fn tell(self) -> Told {
        let words = self.words.to_lowercase();
        let advice = if self.is_unsaid {
            "nobody has said who asks: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run keelson where a \
             role of AWS is given to it"
        } else if words.contains("sso") || words.contains("unauthorizedexception") {
            "the sign-in at AWS has ended or never was: `aws sso login` begins another one (with --profile, where AWS_PROFILE \
             is not set)"
        } else {
            "who asks cannot be found out: correct what AWS_PROFILE or the variables of AWS name, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY"
        };
        Told {
            text: advice.to_owned(),
            source: Some(self.words.into()),
        }
    }
}

/// The trouble with credentials among the causes of an error.
pub(super) fn nameless(error: &(dyn Error + 'static)) -> Option<Nameless> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(|cause| cause.downcast_ref::<CredentialsError>().map(Nameless::of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_sign_is_told_how_to() {
        let cases: [(CredentialsError, &str); 6] = [
            (
                CredentialsError::not_loaded_no_source(),
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
            ),
            (
                CredentialsError::provider_error("the SSO token is expired"),
                "`aws sso login`",
            ),
            (
                CredentialsError::provider_error(
                    "service error: UnauthorizedException: Session token not found or invalid",
                ),
                "`aws sso login`",
            ),
            (
                CredentialsError::invalid_configuration("profile `work` was not defined"),
                "correct what AWS_PROFILE",
            ),
            (
                CredentialsError::provider_timed_out(std::time::Duration::from_secs(60)),
                "cannot be found out",
            ),
            (CredentialsError::unhandled("a riddle"), "cannot be found out"),
        ];
        for (error, words) in cases {
            let wrapped = Told {
                text: "wrapped".to_owned(),
                source: Some(Box::new(error)),
            };
            let told = nameless(&wrapped).unwrap().tell();
            assert!(told.text.contains(words), "{told:?}");
            assert!(told.source.is_some(), "the SDK's words are behind it: {told:?}");
        }
        assert!(nameless(&std::io::Error::other("a riddle")).is_none());
    }
}
