//! Tar archives of small files, in the format that POSIX calls ustar (pax(1), "ustar Interchange Format").

use std::collections::BTreeMap;

use crate::values::Secret;

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// An archive of files by path; root's, with `mode`.
///
/// # Errors
/// With the path that has no place in such an archive.
pub fn archive<'a>(
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

/// The files of an archive that [`archive`] made, by their path.
///
/// # Errors
/// With what such an archive does not have: anything but whole files.
pub fn files(archive: &[u8]) -> Result<BTreeMap<String, Secret<Vec<u8>>>, String> {
    let mut files = BTreeMap::new();
    let mut rest = archive;
    loop {
        let (head, behind) = rest.split_at_checked(BLOCK).ok_or("it is cut off")?;
        if head.iter().all(|&byte| byte == 0) {
            return Ok(files);
        }
        let size = head
            .get(124..135)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let size = size.and_then(|digits| usize::from_str_radix(digits, 8).ok());
        let size = size.ok_or("a file in it has no size")?;
        let (name, prefix) = (text(head, 0, NAME_BYTES), text(head, 345, PREFIX_BYTES));
        let (name, prefix) = name.zip(prefix).ok_or("a file in it has no name")?;
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        // What does not come out as it went in is none of ours.
        let mode = head
            .get(100..107)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let mode = mode.and_then(|digits| u32::from_str_radix(digits, 8).ok());
        let same = mode.and_then(|mode| header(&path, size, mode).ok());
        if same.is_none_or(|same| same.as_slice() != head) {
            return Err(format!("`{}` in it is damaged", path.escape_debug()));
        }
        let content = behind.get(..size).ok_or("it is cut off")?;
        files.insert(path, Secret::new(content.to_vec()));
        rest = behind
            .get(size.next_multiple_of(BLOCK)..)
            .ok_or("it is cut off")?;
    }
}

/// The text that begins there and ends before the first zero, or after `length` bytes.
fn text(head: &[u8], begin: usize, length: usize) -> Option<String> {
    let field = head.get(begin..begin + length)?;
    let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8(text.to_vec()).ok()
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
        let read = super::files(archive.expose()).unwrap();
        let read: Vec<(&str, &[u8])> = read
            .iter()
            .map(|(path, content)| (path.as_str(), content.expose().as_slice()))
            .collect();
        let mut sorted = files;
        sorted.sort_unstable();
        assert_eq!(read, sorted);
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
    fn what_is_damaged_or_cut_off_is_not_read() {
        let whole = archive([("a", &b"1"[..]), ("b", &[2; BLOCK + 1])], 0o600).unwrap();
        let whole = whole.expose();
        assert_eq!(files(whole).unwrap().len(), 2);
        // The first of the two empty blocks that end it is enough.
        for end in [0, 1, BLOCK, 2 * BLOCK, 5 * BLOCK, whole.len() - BLOCK - 1] {
            assert!(files(&whole[..end]).is_err(), "{end}");
        }
        for at in [0, 105, 130, 150, 257, 350] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(files(&damaged).is_err(), "{at}");
        }
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
