//! Damaged certificates and keys: an error, never a panic.

use keelson::pki::{Authority, AuthorityName, Certificate, ServiceAccountKey, Terms, issue};
use keelson_provider_api::values::Secret;

use super::{NOW, authority, requirement};

const MUTATIONS: u64 = 10_000;

/// Numbers from a seed: xorshift64*, <https://doi.org/10.1145/2845077>.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

/// One to four changes: a byte, a bit, a cut, a repetition.
fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes.truncate(at.max(1)),
            3 => drop(bytes.drain(at..(at + numbers.below(40)).min(bytes.len()))),
            _ => bytes.extend_from_within(at..),
        }
        if bytes.is_empty() {
            bytes.push(b'-');
        }
        bytes.truncate(100_000);
    }
}

/// Mutates text, or what the PEM in it stands for, so that damage gets past base64 as well.
fn mutated(pem: &str, numbers: &mut Numbers) -> String {
    if numbers.below(2) == 0 {
        let mut bytes = pem.as_bytes().to_vec();
        mutate(&mut bytes, numbers);
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let block = pem::parse(pem).unwrap();
    let tag = block.tag().to_owned();
    let mut bytes = block.into_contents();
    mutate(&mut bytes, numbers);
    pem::encode(&pem::Pem::new(tag, bytes))
}

#[test]
fn mutated_certificates_and_keys_are_errors_at_worst() {
    let authority = authority(AuthorityName::Kubernetes);
    let issued = issue(&requirement("apiserver"), &authority, NOW).unwrap();
    let certificate = authority.trust_pem();
    let key = authority.key_pem().unwrap().expose().clone();
    let mut numbers = Numbers(7);
    let mut readable = 0;
    for _ in 0..MUTATIONS {
        let leaf = mutated(&issued.certificate_pem, &mut numbers);
        readable += u32::from(Certificate::from_pem(&leaf, "it").is_ok());
        let above = mutated(&certificate, &mut numbers);
        let secret = Secret::new(mutated(&key, &mut numbers));
        let loaded = Authority::load(AuthorityName::Kubernetes, &above, Some(&secret));
        if let Ok(loaded) = loaded {
            let _ = issue(&requirement("apiserver"), &loaded, NOW);
        }
        if let Ok(service) = ServiceAccountKey::from_pem(&secret) {
            let _ = service.public_pem();
        }
    }
    assert!(readable > 0, "no mutation got far");
}

#[test]
fn names_that_cannot_stand_in_a_certificate_are_errors() {
    let authority = Authority::create(AuthorityName::Kubernetes, Terms::AUTHORITY, NOW).unwrap();
    let mut wanted = requirement("apiserver");
    wanted
        .names
        .insert(keelson::pki::SubjectName::Dns("höst".to_owned()));
    assert!(issue(&wanted, &authority, NOW).is_err());
    for text in ["", "a b", "a..b", "-", "höst", "a/b", "*", "a.*.b", "*.*.a"] {
        let parsed = keelson::pki::SubjectName::parse(text);
        assert_eq!(parsed.is_ok(), text == "-", "{text}: {parsed:?}");
    }
}
