//! The rows of `certs check`.

use std::collections::BTreeMap;

use keelson::pki::{Authority, AuthorityName, LookedFor, Renewals, Requirement, check_certificates, issue};
use keelson_provider_api::Observed;

use super::{DAY, NOW, authority, requirement};

#[test]
fn every_certificate_has_a_row() {
    let etcd = authority(AuthorityName::Etcd).without_key();
    let kubernetes = authority(AuthorityName::Kubernetes);
    let apiserver = requirement("apiserver");
    let issued = issue(&apiserver, &kubernetes, NOW).unwrap();
    let foreign = issue(&apiserver, &authority(AuthorityName::Kubernetes), NOW).unwrap();
    let other = authority(AuthorityName::Etcd);
    let seen = [
        Observed::Present(issued.certificate_pem),
        Observed::Present(foreign.certificate_pem),
        Observed::Absent,
        Observed::Unknown("the machine does not answer".to_owned()),
        Observed::Present(kubernetes.trust_pem()),
        Observed::Present(other.trust_pem()),
        Observed::Absent,
    ];
    let requirements: [Requirement; 3] = ["etcd-peer", "admin", "front-proxy-client"].map(requirement);
    let looked_for = [
        LookedFor::Issued {
            requirement: &apiserver,
            seen: &seen[0],
        },
        LookedFor::Issued {
            requirement: &apiserver,
            seen: &seen[1],
        },
        LookedFor::Issued {
            requirement: &requirements[0],
            seen: &seen[2],
        },
        LookedFor::Issued {
            requirement: &requirements[1],
            seen: &seen[3],
        },
        LookedFor::Authority {
            name: AuthorityName::Kubernetes,
            place: "state store",
            seen: &seen[4],
        },
        LookedFor::Authority {
            name: AuthorityName::Etcd,
            place: "cp-1",
            seen: &seen[5],
        },
        LookedFor::Issued {
            requirement: &requirements[2],
            seen: &seen[6],
        },
    ];
    let authorities: BTreeMap<AuthorityName, Authority> = [kubernetes, etcd]
        .into_iter()
        .map(|authority| (authority.name(), authority))
        .collect();
    let rows = check_certificates(&looked_for, &authorities, Renewals::default(), NOW + DAY * 300);
    let json = serde_json::to_string_pretty(&rows).unwrap();
    let json = json.replace(&other.fingerprint().to_string(), "sha256:OTHER");
    insta::assert_snapshot!("rows", json);
}

#[test]
fn an_authority_ends_in_steps_too() {
    let authority = authority(AuthorityName::Etcd);
    let seen = Observed::Present(authority.trust_pem());
    let authorities = BTreeMap::from([(AuthorityName::Etcd, authority)]);
    let looked_for = [LookedFor::Authority {
        name: AuthorityName::Etcd,
        place: "state store",
        seen: &seen,
    }];
    for (day, words) in [(3284, "good"), (3286, "expires soon"), (3650, "expired at")] {
        let rows = check_certificates(&looked_for, &authorities, Renewals::default(), NOW + DAY * day);
        assert!(rows[0].words.starts_with(words), "{day}: {}", rows[0].words);
    }
}
