//! kubeconfigs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keelson::pki::{
    ADMINISTRATORS_GROUP, AuthorityName, BREAK_GLASS_GROUP, Certificate, Kubeconfig, Renewal, Requirement,
    Terms, Verdict, issue, judge,
};

use super::{NOW, authority, requirement};

#[test]
fn a_kubeconfig_has_the_form_that_kubectl_reads() {
    let authority = authority(AuthorityName::Kubernetes);
    let wanted = requirement("controller-manager");
    let credentials = issue(&wanted, &authority, NOW).unwrap();
    let kubeconfig = Kubeconfig {
        cluster: "prod.example.com",
        server: "https://10.0.0.11:6443",
        authority: &authority,
        user: &wanted.common_name,
        credentials: &credentials,
    };
    let yaml = kubeconfig.to_yaml().unwrap();
    let data = regex::Regex::new("-data: [A-Za-z0-9+/=]{200,}\n").unwrap();
    insta::assert_snapshot!("kubeconfig", data.replace_all(yaml.expose(), "-data: BASE64\n"));

    let read: serde_json::Value = serde_saphyr::from_str(yaml.expose()).unwrap();
    let data = read["users"][0]["user"]["client-certificate-data"]
        .as_str()
        .unwrap();
    let pem = String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap();
    assert_eq!(pem, credentials.certificate_pem);
    let verdict = judge(Some(&pem), &wanted, &authority, Renewal::CERTIFICATE, NOW);
    assert_eq!(verdict, Verdict::Good);
    assert!(!format!("{kubeconfig:?} {yaml:?}").contains("PRIVATE"));
}

#[test]
fn names_that_mean_something_to_yaml_stay_names() {
    let authority = authority(AuthorityName::Kubernetes);
    for user in ["yes", "1.10", "a: b", "- x", "# y", "ü\n", "o'neill", "null"] {
        let credentials = issue(
            &Requirement::user(user, &[], Terms::ADMINISTRATOR),
            &authority,
            NOW,
        )
        .unwrap();
        let kubeconfig = Kubeconfig {
            cluster: "1e3",
            server: "https://[fd00::1]:6443",
            authority: &authority,
            user,
            credentials: &credentials,
        };
        let yaml = kubeconfig.to_yaml().unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(yaml.expose()).unwrap();
        assert_eq!(read["users"][0]["name"], format!("{user}@1e3"));
        assert_eq!(read["current-context"], format!("{user}@1e3"));
        assert_eq!(read["clusters"][0]["cluster"]["server"], "https://[fd00::1]:6443");
        assert_eq!(read["contexts"][0]["context"]["user"], read["users"][0]["name"]);
    }
}

#[test]
fn administrators_are_in_a_group_of_their_own_and_not_for_long() {
    let authority = authority(AuthorityName::Kubernetes);
    for (group, terms, hours) in [
        (ADMINISTRATORS_GROUP, Terms::ADMINISTRATOR, 8),
        (BREAK_GLASS_GROUP, Terms::BREAK_GLASS, 1),
    ] {
        let wanted = Requirement::user("ann", &[group], terms);
        let issued = issue(&wanted, &authority, NOW).unwrap();
        let certificate = Certificate::from_pem(&issued.certificate_pem, "ann").unwrap();
        assert_eq!(certificate.subject, format!("O={group}, CN=ann"));
        assert_eq!(issued.not_after.duration_since(NOW).as_hours(), hours);
    }
}
