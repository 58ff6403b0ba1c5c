//! What a client of etcd is given, for reading and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::styles::{STRONG, paint};

/// What a client of etcd is given, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdCredentialsShown {
    /// The cluster.
    pub cluster: String,
    /// The certificate's common name.
    pub name: String,
    /// Until when it is valid.
    pub expires: Timestamp,
    /// The URLs for clients, by etcd cluster.
    pub endpoints: BTreeMap<String, Vec<String>>,
    /// The files that were written, if any were.
    pub files: Option<CredentialFiles>,
    /// `spec.etcd` of another cluster that uses this etcd, YAML, where files were written.
    pub placement: Option<String>,
    /// A command to try it with, where files were written.
    pub command: Option<String>,
    /// The contents, where the user asked for them to be printed.
    pub contents: Option<CredentialContents>,
}

/// The files of a client's credentials, as paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialFiles {
    /// The certificate of etcd's authority.
    pub ca: String,
    /// The client's certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// The same as text, PEM.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialContents {
    /// The certificate of etcd's authority.
    pub ca: String,
    /// The client's certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for CredentialContents {
    /// Without the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CredentialContents")
    }
}

/// The part of another cluster's spec that makes it use this etcd: that of everything but events.
pub fn placement(endpoints: &[String], files: &CredentialFiles) -> String {
    let mut text = "etcd:\n  placement:\n    external:\n      endpoints:\n".to_owned();
    for endpoint in endpoints {
        let _ = writeln!(text, "        - {endpoint}");
    }
    for (field, file) in [
        ("ca", &files.ca),
        ("certificate", &files.certificate),
        ("key", &files.key),
    ] {
        // A JSON string is a YAML one, whatever the path is like.
        let quoted = serde_json::Value::from(file.as_str());
        let _ = writeln!(text, "      {field}: {quoted}");
    }
    text
}

/// The credentials as text.
pub fn render(shown: &EtcdCredentialsShown) -> String {
    let mut text = format!(
        "{} for {} of etcd of cluster {}, valid until {:.0}\n",
        paint(STRONG, "Certificate"),
        shown.name,
        shown.cluster,
        shown.expires
    );
    if let Some(files) = &shown.files {
        for file in [&files.ca, &files.certificate, &files.key] {
            let _ = writeln!(text, "  {file}");
        }
    }
    for (cluster, endpoints) in &shown.endpoints {
        let _ = writeln!(
            text,
            "\n{}",
            paint(STRONG, format!("Endpoints of etcd {cluster}"))
        );
        for endpoint in endpoints {
            let _ = writeln!(text, "  {endpoint}");
        }
    }
    if let Some(placement) = &shown.placement {
        let _ = writeln!(
            text,
            "\n{}",
            paint(STRONG, "Below `spec` of a cluster that is to use it")
        );
        for line in placement.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(command) = &shown.command {
        let _ = writeln!(text, "\n{}\n  {command}", paint(STRONG, "To try it"));
    }
    if let Some(contents) = &shown.contents {
        for content in [&contents.ca, &contents.certificate, &contents.key] {
            let _ = write!(text, "\n{}\n", content.trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_every_kind_stand_in_the_fragment() {
        let files = CredentialFiles {
            ca: "/a b/ca.crt".to_owned(),
            certificate: "/it's: #1/client.crt".to_owned(),
            key: "/\u{1b}[31m\"/client.key".to_owned(),
        };
        let text = placement(&["https://10.0.0.1:2379".to_owned()], &files);
        assert!(!text.contains('\u{1b}'));
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let external = &read["etcd"]["placement"]["external"];
        assert_eq!(external["ca"], files.ca);
        assert_eq!(external["certificate"], files.certificate);
        assert_eq!(external["key"], files.key);
        assert_eq!(external["endpoints"][0], "https://10.0.0.1:2379");
    }
}
