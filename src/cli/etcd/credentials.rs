//! `keelson etcd credentials`: to etcd what `keelson kubeconfig` is to Kubernetes.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use keelson_provider_api::values::Span;

use crate::cli::arguments::{ClusterArgument, Format, lifetime, shell_word};
use crate::cli::failure::Failure;
use crate::cli::files::{self, Permissions};
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::ops::{EtcdCredentials, EtcdCredentialsRequest};
use crate::view::etcd_credentials_text::{
    self, CredentialContents, CredentialFiles, EtcdCredentialsShown, placement,
};

const CA_FILE: &str = "ca.crt";
const CERTIFICATE_FILE: &str = "client.crt";
const KEY_FILE: &str = "client.key";

/// Issue a certificate for a client of the cluster's etcd, and say how it is used
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).multiple(true).args(["out", "show_key"])))]
#[command(
    after_help = "Whoever has such a certificate can read and write everything in etcd, and etcd cannot take it back: \
                  keep it as short as the use allows."
)]
pub(super) struct Credentials {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The client's name: the certificate's common name, for people and logs
    #[arg(long, value_name = "NAME", default_value = "etcd-client")]
    name: String,
    /// How long the certificate is valid, at most 365d
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = lifetime)]
    validity: Span,
    /// Write ca.crt, client.crt and client.key to this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Overwrite files that are there
    #[arg(long, requires = "out")]
    force: bool,
    /// Print the certificates and the private key
    #[arg(long)]
    show_key: bool,
    /// How the rest is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Credentials {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let request = EtcdCredentialsRequest::new(&self.name, self.validity).map_err(|problem| {
            Failure::usage(problem.to_string()).with_help("`--validity 8h`, `--validity 30d`")
        })?;
        if let (Some(folder), false) = (&self.out, self.force) {
            check_free(folder)?;
        }
        let session = self.spec.connect_to_look(terminal).await?;
        let credentials = session.etcd_credentials(&request).await;
        let credentials = credentials
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd credentials")))?;
        let files = self
            .out
            .as_deref()
            .map(|folder| write(folder, &credentials, self.force))
            .transpose()?;
        let main = credentials.endpoints.get("main").map_or(&[][..], Vec::as_slice);
        let shown = EtcdCredentialsShown {
            cluster: credentials.cluster.to_string(),
            name: credentials.name.clone(),
            expires: credentials.not_after,
            placement: files.as_ref().map(|files| placement(main, files)),
            command: files.as_ref().map(|files| command(main, files)),
            files,
            contents: self.show_key.then(|| CredentialContents {
                ca: credentials.authority_pem.clone(),
                certificate: credentials.certificate_pem.clone(),
                key: credentials.key_pem.expose().clone(),
            }),
            endpoints: credentials.endpoints,
        };
        self.output
            .print(terminal, &shown, etcd_credentials_text::render)?;
        Ok(EXIT_DONE)
    }
}

/// Nothing is issued for files that would not be written.
fn check_free(folder: &Path) -> Result<(), Failure> {
    for name in [CA_FILE, CERTIFICATE_FILE, KEY_FILE] {
        let file = folder.join(name);
        if file.symlink_metadata().is_ok() {
            return Err(files::exists(&file));
        }
    }
    Ok(())
}

fn write(folder: &Path, credentials: &EtcdCredentials, force: bool) -> Result<CredentialFiles, Failure> {
    files::make_private_folder(folder)?;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let put = |name: &str, content: &str, permissions| -> Result<String, Failure> {
        let file = folder.join(name);
        files::put(&file, content.as_bytes(), permissions, force)?;
        Ok(file.display().to_string())
    };
    Ok(CredentialFiles {
        ca: put(CA_FILE, &credentials.authority_pem, Permissions::Readable)?,
        key: put(KEY_FILE, credentials.key_pem.expose(), Permissions::Private)?,
        certificate: put(
            CERTIFICATE_FILE,
            &credentials.certificate_pem,
            Permissions::Readable,
        )?,
    })
}

fn command(endpoints: &[String], files: &CredentialFiles) -> String {
    let word = |file: &str| shell_word(Path::new(file));
    format!(
        "etcdctl --endpoints={} --cacert={} --cert={} --key={} endpoint status --write-out=table",
        endpoints.join(","),
        word(&files.ca),
        word(&files.certificate),
        word(&files.key)
    )
}
