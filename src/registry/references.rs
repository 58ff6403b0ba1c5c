//! What a spec says by pointing at it: files beside it, and the machine that keelson runs on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use keelson_provider_api::values::Digest;

use super::manifests::read;
use super::{ConnectError, read_text};
use crate::ops::manifest_files;
use crate::pki::Certificate;
use crate::spec::{Network, Provider, ValidSpec};

/// `spec` with what it points at: the digests of manifests that lie in files, the authorities of an OpenID Connect provider
/// and of an etcd that someone else runs, and the address of a host that is `local`. Relative paths are relative to `base_directory`.
///
/// # Errors
/// [`ConnectError`] when a file cannot be read or is not what it should be, or this machine has no address that other
/// machines could reach.
pub fn resolve_references(spec: ValidSpec, base_directory: &Path) -> Result<ValidSpec, ConnectError> {
    let spec = spec.with_manifest_digests(|path| {
        let path = super::beside(base_directory, path);
        match read(&path) {
            Ok(bytes) => Ok(Digest::of_bytes(&bytes)),
            Err(source) => Err(ConnectError::File { path, source }),
        }
    })?;
    // Nothing in a simulated world reads these files, and none of its hosts is this machine.
    if matches!(spec.spec().provider, Provider::Simulated(_)) {
        return Ok(spec);
    }
    let network = spec.network.clone();
    let spec = spec.with_oidc_authority(|path| {
        let text = read_text(base_directory, path)?;
        Certificate::from_pem(&text, "spec.api.oidc.ca")?;
        Ok::<_, ConnectError>(text)
    })?;
    let spec = spec.with_etcd_authority(|path| {
        let text = read_text(base_directory, path)?;
        Ok::<_, ConnectError>(Digest::of_bytes(text.as_bytes()))
    })?;
    spec.with_local_address(|| own_address(&network))
}

/// Makes sure that the manifests of `spec` that lie in files can be used: an apply would come to them late, and a rehearsal
/// never. One at a URL is not fetched for that.
///
/// # Errors
/// [`ConnectError`] when one cannot be read, is no manifest, or is not the one that the spec means.
pub(super) fn check_manifests(spec: &ValidSpec, base_directory: &Path) -> Result<(), ConnectError> {
    for manifest in manifest_files(spec) {
        let path = super::beside(base_directory, &manifest.path);
        let content = read(&path).map_err(|source| ConnectError::File { path, source })?;
        manifest.check(&content).map_err(ConnectError::Manifest)?;
    }
    Ok(())
}

/// The address under which this machine speaks to the world. Nothing is sent: a datagram socket is only asked where it would
/// send from, to an address that is nobody's (RFC 5737, RFC 3849).
fn own_address(network: &Network) -> Result<IpAddr, ConnectError> {
    let (any, nobody): (IpAddr, IpAddr) = if network.pod_cidr.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    } else {
        let nobody = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), nobody.into())
    };
    let address = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((nobody, 9))?;
        socket.local_addr()
    });
    let problem = match address.map(|address| address.ip()) {
        Ok(address) if address.is_loopback() || address.is_unspecified() => {
            "it has none but for itself".to_owned()
        }
        Ok(address)
            if [network.pod_cidr, network.service_cidr]
                .iter()
                .any(|range| range.contains(address)) =>
        {
            format!("{address} is inside a range of spec.network, which pods or Services will have")
        }
        Ok(address) => return Ok(address),
        Err(error) => error.to_string(),
    };
    Err(ConnectError::OwnAddress(problem))
}
