//! Files that are there as a whole or not at all.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Puts a file with `content` in its place, in place of one that is there, with the permission bits `mode`: written beside
/// it and renamed, so that nobody ever sees half of it, no crash leaves half of it, and nobody else sees a private one.
///
/// # Errors
/// When the file system refuses; what was there before is there still.
pub(crate) fn put(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let draft = file.with_file_name(name);
    let write = || -> io::Result<()> {
        // What a run that was killed has left under this name is not gone on with.
        let _ = std::fs::remove_file(&draft);
        let mut options = OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&draft)?;
        opened.write_all(content)?;
        opened.set_permissions(Permissions::from_mode(mode))?;
        opened.sync_all()?;
        std::fs::rename(&draft, file)
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_a_refusal_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        put(&file, b"1", 0o644).unwrap();
        put(&file, b"2", 0o600).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"2");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, names()), (0o600, 1));
        let in_the_way = folder.path().join("b");
        std::fs::create_dir(&in_the_way).unwrap();
        put(&in_the_way, b"3", 0o600).unwrap_err();
        assert_eq!(names(), 2, "no draft stays");
    }
}
