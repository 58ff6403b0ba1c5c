//! Authorities that keelson makes, and those that are brought.

use keelson::pki::{Authority, AuthorityName, PkiError, Requirement, Terms, Usage, check_can_issue, issue};
use keelson_provider_api::values::Span;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::{DAY, NOW, authority, requirement, requirements, secret};

const NAME: AuthorityName = AuthorityName::Kubernetes;

/// What an owner of an authority brings.
struct Brought {
    certificate: String,
    key: String,
}

fn brought(change: impl FnOnce(&mut CertificateParams)) -> Brought {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    Brought {
        certificate: parameters.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn refusal(brought: &Brought) -> String {
    let key = secret(&brought.key);
    Authority::load(NAME, &brought.certificate, Some(&key))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_brought_authority_is_checked() {
    let fine = brought(|_| {});
    let loaded = Authority::load(NAME, &fine.certificate, Some(&secret(&fine.key))).unwrap();
    issue(&requirement("apiserver"), &loaded, NOW).unwrap();

    let leaf = refusal(&brought(|parameters| parameters.is_ca = IsCa::ExplicitNoCa));
    assert!(leaf.contains("basic constraints"), "{leaf}");
    let mute = refusal(&brought(|parameters| {
        parameters.key_usages = vec![KeyUsagePurpose::CrlSign];
    }));
    assert!(mute.contains("key usage does not let it sign"), "{mute}");
    let clients = refusal(&brought(|parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }));
    assert!(clients.contains("certificates for servers"), "{clients}");
    let other = refusal(&Brought {
        key: brought(|_| {}).key,
        ..fine
    });
    assert!(
        other.contains("the private key is another certificate's"),
        "{other}"
    );
}

#[test]
fn a_chain_is_followed_upward() {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut between = CertificateParams::default();
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let between = between
        .signed_by(&key, &Issuer::from_params(&root, &root_key))
        .unwrap()
        .pem();
    let load = |chain: String| {
        let key = secret(&key.serialize_pem());
        Authority::load(NAME, &chain, Some(&key)).map_err(|problem| problem.to_string())
    };
    load(between.clone()).unwrap();
    let too_long = load(between.clone() + &root_pem).unwrap_err();
    assert!(
        too_long.contains("allows 0 authorities below it, and 1 are"),
        "{too_long}"
    );
    let stranger = load(between.clone() + &brought(|_| {}).certificate).unwrap_err();
    assert!(stranger.contains("did not sign it"), "{stranger}");
    let turned = load(root_pem + &between).unwrap_err();
    assert!(turned.contains("did not sign it"), "{turned}");
}

#[test]
fn without_a_key_every_missing_file_is_named() {
    let fine = brought(|_| {});
    let locked = Authority::load(NAME, &fine.certificate, None).unwrap();
    let wanted: Vec<Requirement> = requirements()
        .into_iter()
        .filter(|requirement| requirement.signer == NAME)
        .collect();
    let problem = check_can_issue(&locked, &wanted, NOW).unwrap_err();
    assert!(matches!(&problem, PkiError::NoKey { files, .. } if files.len() == wanted.len()));
    let said = problem.to_string();
    for file in [
        "apiserver (/etc/kubernetes/pki/apiserver.crt and /etc/kubernetes/pki/apiserver.key on cp-1)",
        "scheduler (/etc/kubernetes/scheduler/scheduler.crt and /etc/kubernetes/scheduler/scheduler.key on cp-1)",
        "have its owner issue them",
    ] {
        assert!(said.contains(file), "{said}");
    }
    assert!(issue(&requirement("apiserver"), &locked, NOW).is_err());
}

#[test]
fn an_expired_authority_issues_nothing() {
    let old = authority(NAME);
    let later = NOW + DAY * 3651;
    let problem = issue(&requirement("apiserver"), &old, later).unwrap_err();
    assert!(matches!(problem, PkiError::Ends { .. }), "{problem}");
    let other = issue(&requirement("etcd-peer"), &old, NOW).unwrap_err();
    assert!(matches!(other, PkiError::OtherSigner { .. }), "{other}");
}

#[test]
fn a_certificate_does_not_outlive_its_authority() {
    let authority = authority(NAME);
    let late = NOW + DAY * 3640;
    let issued = issue(&requirement("apiserver"), &authority, late).unwrap();
    assert_eq!(issued.not_after, authority.validity().1);
    let early = issue(&requirement("apiserver"), &authority, NOW).unwrap();
    assert_eq!(early.not_after, NOW + DAY * 365);
}

#[test]
fn keys_never_show() {
    let authority = authority(NAME);
    let issued = issue(&requirement("apiserver"), &authority, NOW).unwrap();
    let service = keelson::pki::ServiceAccountKey::create(Terms::CERTIFICATE.algorithm).unwrap();
    let shown = format!("{authority:#?} {issued:#?} {service:?}");
    assert!(
        shown.contains("[secret]") && !shown.contains("PRIVATE KEY"),
        "{shown}"
    );
    for key in [
        authority.key_pem().unwrap(),
        &issued.key_pem,
        service.private_pem(),
    ] {
        let line = key.expose().lines().nth(1).unwrap();
        assert!(line.len() > 40 && !shown.contains(line));
    }
}

#[test]
fn a_digest_tells_requirements_and_signers_apart() {
    let (first, second) = (authority(NAME), authority(NAME));
    let wanted = requirement("apiserver");
    let digest = wanted.digest(&first);
    assert_eq!(digest, requirement("apiserver").digest(&first));
    let mut moved = wanted.clone();
    moved.place = None;
    assert_eq!(digest, moved.digest(&first), "where it lies does not matter");
    let mut others = vec![wanted.digest(&second)];
    for change in [
        (|other: &mut Requirement| other.common_name.push('x')) as fn(&mut Requirement),
        |other| {
            other.organizations.insert("x".to_owned());
        },
        |other| {
            other.usages.insert(Usage::Client);
        },
        |other| drop(other.names.pop_first()),
        |other| other.terms.validity = Span::from_secs(1),
    ] {
        let mut other = wanted.clone();
        change(&mut other);
        others.push(other.digest(&first));
    }
    others.push(digest);
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count);
}
