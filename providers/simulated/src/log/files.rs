//! Files that nobody else sees, and of which nobody sees half.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{WorldLogError, unavailable};

/// Writes a whole file in one step.
pub(super) fn put_in_place(path: &Path, content: &[u8]) -> Result<(), WorldLogError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut file = private(OpenOptions::new().create(true).write(true).truncate(true))
        .open(&draft)
        .map_err(unavailable("open", &draft))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(unavailable("write", &draft))?;
    std::fs::rename(&draft, path).map_err(unavailable("replace", path))
}

/// Makes a directory that only the user can look into; one that is there stays as it is.
pub(super) fn make_directory(directory: &Path) -> Result<(), WorldLogError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(directory).map_err(|error| match error.kind() {
        // Whatever has the name is no directory: one would do.
        io::ErrorKind::AlreadyExists => io::Error::from(io::ErrorKind::NotADirectory),
        _ => error,
    });
    made.map_err(unavailable("make", directory))
}

/// Options that keep a new file from everyone else's eyes.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
