//! Kubeconfigs that refer to files.

use keelson_provider_api::API_SERVER_NAME;
use serde::Serialize;

use super::super::action::Access;
use super::super::contents::{Contents, RenderError};
use super::super::templates;

/// How a component reaches the API, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Kubeconfig<'a> {
    /// The cluster's name.
    pub(super) cluster: &'a str,
    /// The API server's URL.
    pub(super) server: &'a str,
    /// The certificate of its authority.
    pub(super) authority: &'a str,
    /// The user, for people: who it is says the certificate.
    pub(super) user: &'a str,
    /// What it shows.
    pub(super) credentials: Credentials<'a>,
}

/// What a component shows to the API server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Credentials<'a> {
    /// The certificate in this file, with the key in the other.
    Certificate(&'a str, &'a str),
    /// The token in this file.
    Token(&'a str),
}

#[derive(Serialize)]
struct Values<'a> {
    cluster: &'a str,
    server: &'a str,
    server_name: &'a str,
    authority: &'a str,
    user: &'a str,
    is_bootstrap: bool,
    token: &'a str,
    certificate: &'a str,
    key: &'a str,
}

impl Kubeconfig<'_> {
    /// Adds it at `path`; `units` read it when they start.
    pub(super) fn add(
        &self,
        path: &str,
        units: &[&'static str],
        contents: &mut Contents,
    ) -> Result<(), RenderError> {
        let (token, certificate, key) = match self.credentials {
            Credentials::Certificate(certificate, key) => ("", certificate, key),
            Credentials::Token(token) => (token, "", ""),
        };
        let values = Values {
            cluster: self.cluster,
            server: self.server,
            server_name: API_SERVER_NAME,
            authority: self.authority,
            user: self.user,
            is_bootstrap: matches!(self.credentials, Credentials::Token(_)),
            token,
            certificate,
            key,
        };
        let text = templates::render(templates::KUBECONFIG, &values)?;
        contents.file(path, Access::of_root(0o600), text, units);
        Ok(())
    }
}
