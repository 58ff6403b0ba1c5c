//! What clients of etcd are given, and logging in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use keelson::ops::{EtcdCredentialsRequest, KubeconfigRequest, LoginRequest, OperationError};
use keelson::pki::{AuthorityName, Certificate, PkiError, Seal, Usage};
use keelson_provider_api::values::Span;
use keelson_provider_api::{Precondition, Store};

use super::etcd_alone::{NOW, Scene};
use super::{block_on, session};

fn request() -> EtcdCredentialsRequest {
    EtcdCredentialsRequest::new("backup", Span::from_secs(8 * 60 * 60)).unwrap()
}

#[test]
fn a_client_gets_a_certificate_and_the_endpoints() {
    let scene = Scene::new(&["a", "b", "c"], "", Seal::none());
    let credentials = block_on(async {
        scene.begin().await;
        scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
        let before = scene.store.list("").await.unwrap();
        let credentials = scene.session.etcd_credentials(&request()).await.unwrap();
        assert_eq!(scene.store.list("").await.unwrap(), before, "nothing is kept");
        credentials
    });
    let certificate = Certificate::from_pem(&credentials.certificate_pem, "client").unwrap();
    assert_eq!(certificate.common_name, "backup");
    assert_eq!(certificate.usages, Some([Usage::Client].into()));
    assert_eq!(certificate.not_after, NOW + SignedDuration::from_hours(8));
    let authority = Certificate::from_pem(&credentials.authority_pem, "authority").unwrap();
    assert_eq!(certificate.issuer, authority.subject);
    assert!(credentials.key_pem.expose().contains("PRIVATE KEY"));
    assert!(!format!("{credentials:?}").contains("PRIVATE KEY"));
    assert_eq!(
        credentials.endpoints["main"],
        [
            "https://10.0.0.1:2379",
            "https://10.0.0.2:2379",
            "https://10.0.0.3:2379"
        ]
    );
    assert_eq!(credentials.endpoints.len(), 1);
}

#[test]
fn events_have_endpoints_of_their_own() {
    let scene = Scene::with_etcd(&["a"], ", events: separate", "", Seal::none());
    let credentials = block_on(async {
        scene.begin().await;
        scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
        scene.session.etcd_credentials(&request()).await.unwrap()
    });
    assert_eq!(credentials.endpoints["main"], ["https://10.0.0.1:2379"]);
    assert_eq!(credentials.endpoints["events"], ["https://10.0.0.1:2382"]);
}

#[test]
fn there_is_no_certificate_before_there_is_an_authority() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        let none = scene.session.etcd_credentials(&request()).await;
        assert!(matches!(none, Err(OperationError::NoCluster { .. })), "{none:?}");
        scene.begin().await;
        let none = scene.session.etcd_credentials(&request()).await;
        assert!(
            matches!(none, Err(OperationError::NoAuthority { .. })),
            "{none:?}"
        );
    });
}

#[test]
fn an_authority_without_its_key_issues_nothing() {
    let scene = Scene::new(&["a"], "", Seal::none());
    block_on(async {
        scene.begin().await;
        scene.authorities.establish(AuthorityName::Etcd).await.unwrap();
        let path = "db.example.com/pki/etcd";
        let kept = scene.store.read(path).await.unwrap().unwrap();
        let mut kept: serde_json::Value = serde_json::from_slice(&kept.content).unwrap();
        kept["key"] = serde_json::Value::Null;
        let content = kept.to_string().into_bytes();
        scene
            .store
            .write(path, &content, Precondition::None)
            .await
            .unwrap();
        let refused = scene.session.etcd_credentials(&request()).await;
        assert!(
            matches!(&refused, Err(OperationError::Pki(PkiError::NoKey { files, .. })) if files == &["backup"]),
            "{refused:?}"
        );
    });
}

/// Who a kubeconfig says that its user is, in a cluster that has begun; its server is the API's address.
fn certificate_of(scene: &Scene, request: &KubeconfigRequest) -> Certificate {
    let kubeconfig = block_on(scene.session.kubeconfig(request)).unwrap();
    let read: serde_json::Value = serde_saphyr::from_str(kubeconfig.yaml.expose()).unwrap();
    assert_eq!(
        read["clusters"][0]["cluster"]["server"],
        "https://10.0.0.100:6443"
    );
    let data = read["users"][0]["user"]["client-certificate-data"]
        .as_str()
        .unwrap();
    let pem = String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap();
    let certificate = Certificate::from_pem(&pem, "user").unwrap();
    assert_eq!(kubeconfig.not_after, Some(certificate.not_after));
    assert_eq!(certificate.usages, Some([Usage::Client].into()));
    certificate
}

/// Written out, not by the names of the program's constants: this is what the API server is shown.
#[test]
fn an_administrator_is_one_by_a_binding_and_not_for_long() {
    let scene = Scene::of_kubernetes();
    block_on(async {
        scene.begin().await;
        let authorities = &scene.authorities;
        authorities.establish(AuthorityName::Kubernetes).await.unwrap();
    });
    for (request, subject, hours) in [
        (
            KubeconfigRequest::administrator(),
            "O=keelson:cluster-admins, CN=admin",
            8,
        ),
        (
            KubeconfigRequest::break_glass(),
            "O=system:masters, CN=break-glass",
            1,
        ),
        (
            KubeconfigRequest::administrator()
                .lasting(Span::from_secs(30 * 60 * 60))
                .unwrap(),
            "O=keelson:cluster-admins, CN=admin",
            30,
        ),
    ] {
        let certificate = certificate_of(&scene, &request);
        assert_eq!(certificate.subject, subject);
        assert_eq!(certificate.not_after, NOW + SignedDuration::from_hours(hours));
    }
}

#[test]
fn a_simulated_cluster_has_nothing_to_give() {
    let (session, _) = session();
    block_on(async {
        let refused = session.etcd_credentials(&request()).await;
        assert!(
            matches!(refused, Err(OperationError::Simulated { .. })),
            "{refused:?}"
        );
        let login = LoginRequest {
            words: Vec::new(),
            with_terminal: false,
            local_shell: "/bin/sh".to_owned(),
        };
        let refused = session.login("control-plane-1", &login).await;
        assert!(matches!(refused, Err(OperationError::Simulated { .. })));
    });
}

#[test]
fn only_machines_of_the_spec_are_logged_in_on() {
    let scene = Scene::new(&["a", "b", "c"], "", Seal::none());
    let request = LoginRequest {
        words: vec!["uptime".to_owned()],
        with_terminal: false,
        local_shell: "/bin/sh".to_owned(),
    };
    block_on(async {
        let login = scene.session.login("b", &request).await.unwrap();
        assert_eq!(login.arguments(), ["b", "uptime"]);
        match scene.session.login("z", &request).await {
            Err(OperationError::UnknownMachine { name, known }) => {
                assert_eq!((name.as_str(), known.join(" ").as_str()), ("z", "a b c"));
            }
            other => panic!("{:?}", other.map(|login| login.program().to_owned())),
        }
    });
}
