//! Bootstrap tokens: what a kubelet without a certificate brings itself in with
//! (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>).

use keelson_provider_api::values::Secret;

use super::error::PkiError;

const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;

/// A token as kubelets show it: `ID.SECRET`, 6 and 16 characters of `a-z0-9`. The id is no secret.
#[derive(Debug, Clone)]
pub struct BootstrapToken {
    id: String,
    text: Secret<String>,
}

impl BootstrapToken {
    /// Makes one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn create() -> Result<Self, PkiError> {
        let id = random_text(ID_LENGTH)?.expose().clone();
        let secret = random_text(SECRET_LENGTH)?;
        let text = Secret::new(format!("{id}.{}", secret.expose()));
        Ok(Self { id, text })
    }

    /// Reads one; nothing where `text` is none.
    pub fn parse(text: &Secret<String>) -> Option<Self> {
        let (id, secret) = text.expose().split_once('.')?;
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = |part: &str, length: usize| part.len() == length && part.bytes().all(is_allowed);
        (fits(id, ID_LENGTH) && fits(secret, SECRET_LENGTH)).then(|| Self {
            id: id.to_owned(),
            text: text.clone(),
        })
    }

    /// What it is known by; its Secret in the cluster is called `bootstrap-token-ID`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// All of it.
    pub fn text(&self) -> &Secret<String> {
        &self.text
    }

    /// The part that nobody may know.
    pub fn secret(&self) -> Secret<String> {
        Secret::new(self.text.expose()[ID_LENGTH + 1..].to_owned())
    }
}

/// `length` random characters of the 36 of a token, each as likely as any other.
fn random_text(length: usize) -> Result<Secret<String>, PkiError> {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of 36 that a byte holds; what is above would make some characters likelier.
    const LIMIT: u8 = 252;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PkiError::Random {
            what: "a bootstrap token".to_owned(),
        })?;
        let usable = bytes.iter().filter(|&&byte| byte < LIMIT);
        let characters = usable.map(|&byte| char::from(CHARACTERS[usize::from(byte) % CHARACTERS.len()]));
        text.extend(characters.take(length - text.len()));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_that_api_servers_take_and_differ() {
        let tokens: Vec<BootstrapToken> = (0..50).map(|_| BootstrapToken::create().unwrap()).collect();
        let mut texts: Vec<&String> = tokens.iter().map(|token| token.text().expose()).collect();
        for token in &tokens {
            let again = BootstrapToken::parse(token.text()).unwrap();
            assert_eq!(again.id(), token.id());
            let whole = format!("{}.{}", token.id(), token.secret().expose());
            assert_eq!(token.text().expose(), &whole);
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 50);
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        let table = [
            ("abcdef.0123456789abcdef", true),
            ("abcdef.0123456789abcdeF", false),
            ("abcde.0123456789abcdef", false),
            ("abcdef.0123456789abcde", false),
            ("abcdef-0123456789abcdef", false),
            ("abcdef.0123456789abcdef\n", false),
            ("", false),
        ];
        for (text, expected) in table {
            let found = BootstrapToken::parse(&Secret::new(text.to_owned()));
            assert_eq!(found.is_some(), expected, "{text}");
        }
    }
}
