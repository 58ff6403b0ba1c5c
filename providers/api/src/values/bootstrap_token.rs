//! Bootstrap tokens: what a kubelet without a certificate brings itself in with
//! (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>).

use super::Secret;

const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;

/// A token as kubelets show it: `ID.SECRET`, 6 and 16 characters of `a-z0-9`. The id is no secret.
#[derive(Debug, Clone)]
pub struct BootstrapToken {
    id: String,
    text: Secret<String>,
}

impl BootstrapToken {
    /// Makes one of what `fill` fills bytes with, which are to be random; nothing where it says that it cannot.
    pub fn create(mut fill: impl FnMut(&mut [u8]) -> bool) -> Option<Self> {
        let id = random_text(ID_LENGTH, &mut fill)?.expose().clone();
        let secret = random_text(SECRET_LENGTH, &mut fill)?;
        let text = Secret::new(format!("{id}.{}", secret.expose()));
        Some(Self { id, text })
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
fn random_text(length: usize, fill: &mut impl FnMut(&mut [u8]) -> bool) -> Option<Secret<String>> {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of 36 that a byte holds; what is above would make some characters likelier.
    const LIMIT: u8 = 252;
    // All bytes of so many rounds are above it once in the age of the universe, unless they are not random.
    const ROUNDS: usize = 64;
    let mut text = String::with_capacity(length);
    for _ in 0..ROUNDS {
        let mut bytes = [0_u8; 32];
        if !fill(&mut bytes) {
            return None;
        }
        let usable = bytes.iter().filter(|&&byte| byte < LIMIT);
        let characters = usable.map(|&byte| char::from(CHARACTERS[usize::from(byte) % CHARACTERS.len()]));
        text.extend(characters.take(length - text.len()));
        if text.len() == length {
            return Some(Secret::new(text));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_that_api_servers_take() {
        let mut next = 0_u8;
        let mut count = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(7);
            }
            true
        };
        let tokens: Vec<BootstrapToken> = (0..50)
            .map(|_| BootstrapToken::create(&mut count).unwrap())
            .collect();
        for token in &tokens {
            let again = BootstrapToken::parse(token.text()).unwrap();
            assert_eq!(again.id(), token.id());
            let whole = format!("{}.{}", token.id(), token.secret().expose());
            assert_eq!(token.text().expose(), &whole);
        }
    }

    #[test]
    fn without_randomness_there_is_no_token() {
        assert!(BootstrapToken::create(|_| false).is_none());
        let above = |bytes: &mut [u8]| {
            bytes.fill(255);
            true
        };
        assert!(BootstrapToken::create(above).is_none());
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
