//! Keys and certificates.

use keelson_provider_api::values::Span;

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{ClusterSpec, EtcdPlacement, KeyEncryption};

/// Shorter than this, and certificates end while machines are still being made.
const VALIDITY_LEAST: Span = Span::from_secs(60 * 60);

pub(super) fn validity(spec: &ClusterSpec, found: &mut Found) {
    let base = path_of!("spec", "pki");
    let (certificates, authorities) = (spec.pki.certificate_validity, spec.pki.authority_validity);
    if certificates < VALIDITY_LEAST {
        let problem = format!("`{certificates}` is too short");
        found.error(
            Finding::new(base.then("certificateValidity"), problem)
                .expected(format!("at least {VALIDITY_LEAST}")),
        );
    }
    if authorities <= certificates {
        let problem = format!("`{authorities}` is not longer than the {certificates} of certificates");
        found.error(
            Finding::new(base.then("authorityValidity"), problem)
                .expected("more than `certificateValidity`")
                .help("a certificate ends with its authority at the latest"),
        );
    }
}

pub(super) fn authorities(spec: &ClusterSpec, found: &mut Found) {
    let base = path_of!("spec", "pki", "authorities");
    let authorities = &spec.pki.authorities;
    let given = [
        ("kubernetes", &authorities.kubernetes),
        ("frontProxy", &authorities.front_proxy),
        ("etcd", &authorities.etcd),
    ];
    let given: Vec<(&str, &str)> = given
        .into_iter()
        .filter_map(|(name, files)| Some((name, files.as_ref()?.certificate.as_str())))
        .collect();
    let certificates: Vec<&str> = given.iter().map(|(_, certificate)| *certificate).collect();
    for_each_repetition(&certificates, |later, first| {
        let (Some((later, _)), Some((first, _))) = (given.get(later), given.get(first)) else {
            return;
        };
        let path = base.then(*later).then("certificate");
        let problem = format!("it is the certificate of `{first}` too");
        let help = "with one authority for both, what it signs for one is let in by the other";
        found.error(Finding::new(path, problem).help(help));
    });
    if authorities.etcd.is_some() && matches!(spec.etcd.placement, EtcdPlacement::External(_)) {
        found.error(
            Finding::new(base.then("etcd"), "keelson does not run an external etcd")
                .help("remove the field; `spec.etcd.placement.external.ca` names its authority"),
        );
    }
}

pub(super) fn recipients(spec: &ClusterSpec, found: &mut Found) {
    if let KeyEncryption::Recipients(recipients) = &spec.pki.encryption {
        let base = path_of!("spec", "pki", "encryption", "recipients");
        for_each_repetition(recipients, |later, first| {
            let problem = format!("the recipient is repeated; the first is recipients[{first}]");
            found.error(Finding::new(base.then(later), problem).help("remove one of the two"));
        });
    }
}
