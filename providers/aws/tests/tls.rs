//! Servers on premises, with a certificate of an authority of their own.

use std::fs;

use keelson_provider_api::{Precondition, Store, with_causes};

use crate::emulator::{Emulator, settings, store};
use crate::shell::Desk;

#[tokio::test]
async fn an_authority_that_is_named_is_trusted_and_no_other() {
    let test = "aws::tls::an_authority_that_is_named_is_trusted_and_no_other";
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let path = |end: &str| folder.path().join(format!("{name}.{end}"));
        fs::write(path("pem"), certificate.pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("pem"), path("key"))
    };
    let (certificate, key) = make("own");
    let (other, _) = make("other");
    let Some(emulator) = Emulator::start_with_tls(test, &certificate, &key) else {
        return;
    };
    let endpoint = format!("https://{}", emulator.address());
    let mut settings = settings(&endpoint, "state");
    settings.authorities = Some(fs::read_to_string(&certificate).unwrap());
    store(&settings)
        .write("a", b"1", Precondition::Absent)
        .await
        .unwrap();
    assert_eq!(store(&settings).read("a").await.unwrap().unwrap().content, b"1");
    settings.authorities = Some(fs::read_to_string(&other).unwrap());
    let told = with_causes(&store(&settings).read("a").await.unwrap_err());
    assert!(told.contains("name the file of the authority"), "{told}");
    assert!(told.contains("certificate"), "{told}");

    let mut desk = Desk::new(&endpoint);
    desk.settings = format!("s3_ca={}", certificate.display());
    assert_eq!(desk.done("s3_read state/a", &[]), "1");
    desk.settings = format!("s3_ca={}", other.display());
    let refused = desk.run("s3_read state/a", &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
}
