//! What openssl makes of the certificates. Without openssl on the machine these tests say that they are skipped.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use keelson::pki::{Authority, AuthorityName, Certificate, Requirement, Terms, Usage, issue};
use keelson_provider_api::values::KeyAlgorithm;
use tempfile::TempDir;

use super::{ALGORITHMS, NOW, authority, requirement, requirements, secret};

/// openssl in a folder of its own.
struct Openssl(TempDir);

impl Openssl {
    fn find(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok() {
            return Some(Self(tempfile::tempdir().unwrap()));
        }
        keelson_test_hosts::skip(test, "there is no openssl");
        None
    }

    fn write(&self, file: &str, content: &str) {
        fs::write(self.0.path().join(file), content).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    fn try_run(&self, arguments: &str) -> Output {
        Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn run(&self, arguments: &str) -> String {
        let output = self.try_run(arguments);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}\n{shown}{problem}");
        shown
    }

    /// Verifies `leaf` for `purpose` at [`NOW`].
    fn verifies(&self, purpose: &str, leaf: &str) -> bool {
        let arguments = format!(
            "verify -x509_strict -attime {} -purpose {purpose} -CAfile ca.pem {leaf}",
            NOW.as_second()
        );
        assert!(Path::new(self.0.path()).join(leaf).exists());
        self.try_run(&arguments).status.success()
    }
}

#[test]
fn every_row_of_the_table_is_issued_and_verifies() {
    let Some(openssl) = Openssl::find("every_row_of_the_table_is_issued_and_verifies") else {
        return;
    };
    for name in AuthorityName::ALL {
        let authority = authority(name);
        openssl.write("ca.pem", &authority.trust_pem());
        for requirement in requirements().iter().filter(|row| row.signer == name) {
            let issued = issue(requirement, &authority, NOW).unwrap();
            openssl.write("leaf.pem", &issued.certificate_pem);
            openssl.write("leaf.key", issued.key_pem.expose());
            for (purpose, usage) in [("sslserver", Usage::Server), ("sslclient", Usage::Client)] {
                let wanted = requirement.usages.contains(&usage);
                assert_eq!(
                    openssl.verifies(purpose, "leaf.pem"),
                    wanted,
                    "{} {purpose}",
                    requirement.certificate
                );
            }
            let public = openssl.run("pkey -in leaf.key -pubout");
            assert_eq!(public, openssl.run("x509 -in leaf.pem -noout -pubkey"));
        }
    }
}

/// The text of a certificate without what differs each time.
fn text_of(openssl: &Openssl, authority: &Authority, requirement: &Requirement) -> String {
    let issued = issue(requirement, authority, NOW).unwrap();
    openssl.write("leaf.pem", &issued.certificate_pem);
    let text = openssl.run("x509 -in leaf.pem -noout -text -nameopt RFC2253 -certopt no_pubkey,no_sigdump");
    let random = regex::Regex::new("(?m)(([0-9A-F]{2}:){3,}[0-9A-F]{2}|Serial Number:.*)").unwrap();
    random.replace_all(&text, "RANDOM").into_owned()
}

#[test]
fn certificates_look_like_those_of_kubeadm() {
    let Some(openssl) = Openssl::find("certificates_look_like_those_of_kubeadm") else {
        return;
    };
    let mut shown = String::new();
    for requirement in requirements() {
        let text = text_of(&openssl, &authority(requirement.signer), &requirement);
        let kept = text.lines().filter(|line| {
            let line = line.trim();
            line.starts_with("Subject: ")
                || line.starts_with("Issuer: ")
                || line.starts_with("DNS:")
                || line.starts_with("IP Address:")
                || line.starts_with("TLS Web")
        });
        let kept: Vec<&str> = kept.map(str::trim).collect();
        shown.extend([&requirement.certificate, "\n  ", &kept.join("\n  "), "\n"]);
    }
    insta::assert_snapshot!("subjects", shown);
    let whole = text_of(
        &openssl,
        &authority(AuthorityName::Etcd),
        &requirement("etcd-server"),
    );
    insta::assert_snapshot!("whole", whole);
    openssl.write("ca.pem", &authority(AuthorityName::Kubernetes).trust_pem());
    let whole =
        openssl.run("x509 -in ca.pem -noout -ext basicConstraints,keyUsage,extendedKeyUsage,subjectAltName");
    insta::assert_snapshot!("authority", whole);
}

#[test]
fn keys_are_of_the_algorithm_that_was_asked_for() {
    let Some(openssl) = Openssl::find("keys_are_of_the_algorithm_that_was_asked_for") else {
        return;
    };
    for algorithm in ALGORITHMS {
        let terms = Terms::AUTHORITY.with_algorithm(algorithm);
        let authority = Authority::create(AuthorityName::Etcd, terms, NOW).unwrap();
        openssl.write("ca.pem", &authority.trust_pem());
        // A leaf of RSA-4096 says nothing that its authority does not, and takes seconds.
        let leaf = match algorithm {
            KeyAlgorithm::Rsa4096 => KeyAlgorithm::EcdsaP256,
            other => other,
        };
        let mut wanted = requirement("etcd-server");
        wanted.terms = wanted.terms.with_algorithm(leaf);
        let issued = issue(&wanted, &authority, NOW).unwrap();
        openssl.write("leaf.pem", &issued.certificate_pem);
        assert!(openssl.verifies("sslserver", "leaf.pem"), "{algorithm}");
        let text = openssl.run("x509 -in ca.pem -noout -text");
        let (kind, bits) = match algorithm {
            KeyAlgorithm::EcdsaP256 => ("ecdsa-with-SHA256", "Public-Key: (256 bit)"),
            KeyAlgorithm::Rsa2048 => ("sha256WithRSAEncryption", "Public-Key: (2048 bit)"),
            KeyAlgorithm::Rsa4096 => ("sha256WithRSAEncryption", "Public-Key: (4096 bit)"),
        };
        assert!(text.contains(kind) && text.contains(bits), "{algorithm}: {text}");
        assert_eq!(authority.certificate().algorithm, algorithm.name());
    }
}

/// Makes a root and an authority below it with openssl, as their owner might: several organizational units, domain
/// components, a key of another form.
fn company(openssl: &Openssl, key: &str) -> Authority {
    openssl.run(&key.replace("FILE", "root.key"));
    openssl.run(&key.replace("FILE", "ca.key"));
    openssl.run(
        "req -x509 -new -key root.key -subj /DC=com/DC=example/OU=a/OU=b/CN=root -days 20000 -addext keyUsage=critical,keyCertSign -out root.pem",
    );
    openssl.run("req -new -key ca.key -subj /DC=com/DC=example/OU=clusters/OU=prod/CN=ca -out ca.csr");
    openssl.write(
        "extensions",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    openssl.run(
        "x509 -req -in ca.csr -CA root.pem -CAkey root.key -days 19000 -extfile extensions -out between.pem",
    );
    let chain = openssl.read("between.pem") + &openssl.read("root.pem");
    let key = secret(&openssl.read("ca.key"));
    Authority::load(AuthorityName::Kubernetes, &chain, Some(&key)).unwrap()
}

#[test]
fn an_authority_of_a_company_issues_what_its_root_vouches_for() {
    let Some(openssl) = Openssl::find("an_authority_of_a_company_issues_what_its_root_vouches_for") else {
        return;
    };
    for key in [
        "genrsa -traditional -out FILE 2048",
        "ecparam -genkey -name prime256v1 -out FILE",
        "genpkey -algorithm ed25519 -out FILE",
    ] {
        let authority = company(&openssl, key);
        // openssl stamps with the time of today.
        let begin = authority.validity().0 + super::DAY;
        let issued = issue(&requirement("apiserver"), &authority, begin).unwrap();
        openssl.write("leaf.pem", &issued.certificate_pem);
        let verify = |trust: &str, more: &str| {
            let at = begin.as_second();
            openssl.run(&format!(
                "verify -x509_strict -attime {at} {more} -CAfile {trust} leaf.pem"
            ))
        };
        // Who knows the root alone finds the authority behind the certificate; machines know the authority alone.
        verify("root.pem", "-untrusted leaf.pem");
        openssl.write("trust.pem", &authority.trust_pem());
        verify("trust.pem", "-partial_chain");
        assert_eq!(issued.certificate_pem.matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(
            authority.trust_pem(),
            Certificate::from_pem(&openssl.read("between.pem"), "it")
                .unwrap()
                .pem()
        );
    }
}

#[test]
fn the_fingerprint_is_the_one_that_kubeadm_pins() {
    let Some(openssl) = Openssl::find("the_fingerprint_is_the_one_that_kubeadm_pins") else {
        return;
    };
    let authority = authority(AuthorityName::Kubernetes);
    openssl.write("ca.pem", &authority.trust_pem());
    openssl.write("public.pem", &openssl.run("x509 -pubkey -noout -in ca.pem"));
    openssl.run("pkey -pubin -in public.pem -outform der -out public.der");
    let digest = openssl.run("dgst -sha256 -hex public.der");
    let digits = digest.trim().rsplit(' ').next().unwrap();
    assert_eq!(authority.fingerprint().to_string(), format!("sha256:{digits}"));
}

#[test]
fn the_public_half_of_the_service_account_key_is_its_own() {
    let Some(openssl) = Openssl::find("the_public_half_of_the_service_account_key_is_its_own") else {
        return;
    };
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let key = keelson::pki::ServiceAccountKey::create(algorithm).unwrap();
        openssl.write("sa.key", key.private_pem().expose());
        assert_eq!(openssl.run("pkey -in sa.key -pubout"), key.public_pem());
    }
}
