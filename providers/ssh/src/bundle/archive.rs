//! Tar archives of small files, in the format that POSIX calls ustar (pax(1), "ustar Interchange Format").

use keelson_provider_api::values::Secret;

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// An archive of files by path; root's, with `mode`.
///
/// # Errors
/// With the path that has no place in such an archive.
pub(super) fn archive<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    mode: u32,
) -> Result<Secret<Vec<u8>>, String> {
    let mut archive = Vec::new();
    for (path, content) in files {
        archive.extend_from_slice(&header(path, content.len(), mode)?);
        archive.extend_from_slice(content);
        let rest = content.len() % BLOCK;
        if rest > 0 {
            archive.resize(archive.len() + BLOCK - rest, 0);
        }
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(Secret::new(archive))
}

fn header(path: &str, size: usize, mode: u32) -> Result<[u8; BLOCK], String> {
    let inside = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !path.split('/').all(inside) || path.contains(['\0', '\n']) {
        return Err(format!("`{}` is no path in a bundle", path.escape_debug()));
    }
    let (prefix, name) = split(path).ok_or_else(|| format!("the path {path} is too long for an archive"))?;
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = header.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(sum.as_bytes());
    }
    Ok(header)
}

/// A long path is cut in two at a slash.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME_BYTES {
        return Some(("", path));
    }
    let mut slashes = path.match_indices('/');
    slashes.find_map(|(at, _)| {
        let (prefix, name) = (path.get(..at)?, path.get(at + 1..)?);
        (prefix.len() <= PREFIX_BYTES && name.len() <= NAME_BYTES).then_some((prefix, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn tar_reads_what_is_written() {
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(80));
        let files: [(&str, &[u8]); 4] = [
            ("apply", b"#!/bin/sh\n"),
            ("empty", b""),
            ("sub/block", &[7; BLOCK]),
            (&long, b"long"),
        ];
        let archive = archive(files, 0o600).unwrap();
        let mut tar = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(archive.expose()).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        for (path, _) in files {
            assert!(listed.contains(&format!(" {path}\n")), "{listed}");
        }
        assert!(
            listed.lines().all(|line| line.starts_with("-rw------- 0/0")),
            "{listed}"
        );
    }

    #[test]
    fn no_path_leads_out() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "a\nb",
            &"x".repeat(101),
        ] {
            assert!(archive([(path, &b""[..])], 0o600).is_err(), "{path}");
        }
    }
}
