//! A registry of container images that can only be read, out of OCI archives, for hosts that have no way out
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>).

use std::fs::File;
use std::io::{BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::LabError;
use crate::archive::{Blob, Images, images};
use crate::file_server::{Content, Disturbance, Fault, State, refuse, send};
use crate::listener::{Head, Listener};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Serves images over HTTP until it is dropped.
#[derive(Debug)]
pub struct Registry {
    listener: Listener,
    state: Arc<Mutex<State>>,
    images: Arc<Images>,
}

/// Serves the images of every `*.tar` in a folder at an address of this machine, usually a lab's
/// [gateway](crate::Lab::gateway), at a port that is free. Each archive names its images in full
/// (`registry.k8s.io/pause:3.10.1`); here they have the same names behind another host (`10.90.1.1:40000/pause:3.10.1`).
///
/// # Errors
///
/// When the address is none of this machine, or a file is no OCI archive.
pub fn serve_registry(folder: impl AsRef<Path>, address: impl Into<IpAddr>) -> Result<Registry, LabError> {
    let images = Arc::new(images(folder.as_ref())?);
    let state = Arc::new(Mutex::new(State::default()));
    let (shared, served) = (Arc::clone(&state), Arc::clone(&images));
    let listener = Listener::new(address.into(), move |stream| {
        // Whoever hangs up in the middle is not of interest here.
        answer(stream, &served, &shared).ok();
    })?;
    Ok(Registry {
        listener,
        state,
        images,
    })
}

impl Registry {
    /// Where it listens, as `assets.registry` of a spec wants it.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The images as their archives name them, in order.
    pub fn references(&self) -> Vec<&str> {
        self.images.references.keys().map(String::as_str).collect()
    }

    /// How many requests there were whose path ends with this, whatever became of them.
    pub fn hits(&self, path_end: &str) -> usize {
        State::of(&self.state).hits(path_end)
    }

    /// Answers wrong from now on, in this way and no other. With [`Fault::HungUp`] and every path it is down.
    pub fn disturb(&self, disturbance: Disturbance) {
        State::of(&self.state).disturb(Some(disturbance));
    }

    /// Answers right again.
    pub fn heal(&self) {
        State::of(&self.state).disturb(None);
    }
}

fn answer(stream: TcpStream, images: &Images, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(head) = Head::read(&mut reader) else {
        return refuse(stream, 400);
    };
    let path = head.target.split('?').next().unwrap_or_default().to_owned();
    let fault = State::of(state).meet(&path);
    match fault {
        Some(Fault::Status(status)) => return refuse(stream, status),
        Some(Fault::HungUp) => return Ok(()),
        _ => {}
    }
    if head.method != "GET" && head.method != "HEAD" {
        return refuse(stream, 405);
    }
    let Some(path) = path.strip_prefix("/v2") else {
        return refuse(stream, 404);
    };
    if matches!(path, "" | "/") {
        return send_text(stream, "{}");
    }
    let path = path.trim_start_matches('/');
    if let Some((name, reference)) = path.rsplit_once("/manifests/") {
        return match manifest(images, name, reference) {
            Some((digest, blob)) => {
                let kind = media_type(blob);
                send_blob(stream, &head, digest, blob, kind, fault)
            }
            None => missing(stream, "MANIFEST_UNKNOWN"),
        };
    }
    if let Some((_, digest)) = path.rsplit_once("/blobs/") {
        return match images.blobs.get(digest) {
            Some(blob) => send_blob(stream, &head, digest, blob, "application/octet-stream", fault),
            None => missing(stream, "BLOB_UNKNOWN"),
        };
    }
    missing(stream, "UNSUPPORTED")
}

/// What `reference`, a tag or a digest, is of the image `name`. Images are known by what stands behind their host.
fn manifest<'a>(images: &'a Images, name: &str, reference: &'a str) -> Option<(&'a str, &'a Blob)> {
    let digest = if reference.starts_with("sha256:") {
        reference
    } else {
        let wanted = format!("{name}:{reference}");
        let mut known = images.references.iter();
        let found = known.find(|(full, _)| full.split_once('/').is_some_and(|(_, rest)| rest == wanted));
        found?.1
    };
    Some((digest, images.blobs.get(digest)?))
}

/// What a manifest says that it is; what has manifests below it is an index.
fn media_type(blob: &Blob) -> &'static str {
    let text = blob.small_text().unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if json.get("manifests").is_some() {
        INDEX
    } else {
        MANIFEST
    }
}

fn send_blob(
    stream: TcpStream,
    head: &Head,
    digest: &str,
    blob: &Blob,
    kind: &str,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let content = Content {
        file: File::open(&blob.archive)?,
        offset: blob.offset,
        length: blob.length,
        fields: format!("Content-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\n"),
    };
    send(stream, head, content, fault)
}

fn send_text(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn missing(mut stream: TcpStream, code: &str) -> std::io::Result<()> {
    let text = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"there is none\"}}]}}");
    write!(
        stream,
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
