//! Names in certificates, as bytes.
//!
//! rcgen keeps one value a kind in a name. A user of Kubernetes has a group for each organisation, and an authority
//! that its owner brings has whatever name they gave it (`DC=example, DC=com`), which what it signs must repeat byte
//! for byte (RFC 5280 §4.1.2.4). So names are written here and put in the place of rcgen's before signing.

use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Result, construct_der, parse_der};

const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];

/// A distinguished name: organisations, then the common name, in the order of Go and so of kubeadm.
pub(super) fn name<'a>(organizations: impl Iterator<Item = &'a str>, common_name: &'a str) -> Vec<u8> {
    let values = organizations.map(|organization| (ORGANIZATION, organization));
    let values = values.chain([(COMMON_NAME, common_name)]);
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            for (kind, value) in values {
                writer.next().write_set(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&ObjectIdentifier::from_slice(kind));
                        writer.next().write_utf8_string(value);
                    });
                });
            }
        });
    })
}

/// Stands in for an authority's key while rcgen writes a certificate that is signed only after its names are in.
pub(super) struct Unsigned<'a>(pub(super) &'a KeyPair);

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Unsigned<'_> {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

/// Puts names into an unsigned certificate and signs it.
pub(super) fn signed(
    unsigned: &[u8],
    issuer: &[u8],
    subject: &[u8],
    key: &KeyPair,
) -> Result<Vec<u8>, rcgen::Error> {
    let unreadable = |_| rcgen::Error::CouldNotParseCertificate;
    // Certificate: what is signed, the algorithm, the signature (RFC 5280 §4.1).
    let mut parts = elements(unsigned).map_err(unreadable)?;
    let [to_be_signed, _, signature] = parts.as_mut_slice() else {
        return Err(rcgen::Error::CouldNotParseCertificate);
    };
    // What is signed: version, serial number, algorithm, issuer, validity, subject, key, extensions.
    let mut fields = elements(to_be_signed).map_err(unreadable)?;
    let [_, _, _, old_issuer, _, old_subject, ..] = fields.as_mut_slice() else {
        return Err(rcgen::Error::CouldNotParseCertificate);
    };
    issuer.clone_into(old_issuer);
    subject.clone_into(old_subject);
    *to_be_signed = sequence(&fields);
    let bits = key.sign(to_be_signed)?;
    *signature = construct_der(|writer| writer.write_bitvec_bytes(&bits, bits.len() * 8));
    Ok(sequence(&parts))
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough for the compiler"
)]
fn elements(sequence: &[u8]) -> ASN1Result<Vec<Vec<u8>>> {
    parse_der(sequence, |reader| {
        reader.collect_sequence_of(|element| element.read_der())
    })
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            for element in elements {
                writer.next().write_der(element);
            }
        });
    })
}
