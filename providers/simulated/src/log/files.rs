//! Files that nobody else sees, and of which nobody sees half.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use keelson_provider_api::whole_file;

use super::error::{WorldLogError, unavailable};

/// What the draft of a file that is replaced has behind its name. Who writes holds the world's lock.
const DRAFT_SUFFIX: &str = ".new";

/// Writes a whole file in one step.
pub(super) fn put_in_place(path: &Path, content: &[u8]) -> Result<(), WorldLogError> {
    whole_file::put_by_draft(path, DRAFT_SUFFIX, content, 0o600).map_err(unavailable("replace", path))
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

/// Opens a file of the world; whatever else has its name is left alone.
pub(super) fn open(options: &OpenOptions, path: &Path) -> Result<File, WorldLogError> {
    whole_file::check_kind(path)
        .and_then(|()| options.open(path))
        .map_err(unavailable("open", path))
}

/// Options that keep a new file from everyone else's eyes.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
