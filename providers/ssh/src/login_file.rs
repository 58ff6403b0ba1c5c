//! The file from which ssh reads a cluster's own key, for [`SshOptions::identity`](crate::SshOptions::identity).

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use keelson_provider_api::values::Secret;

/// A file that only this user can read. Where the system allows it, it has no name that could outlive this program.
#[derive(Debug)]
pub struct LoginFile {
    file: File,
    path: PathBuf,
    #[cfg(not(target_os = "linux"))]
    _named: tempfile::TempPath,
}

impl LoginFile {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives no file.
    #[cfg(target_os = "linux")]
    pub fn create() -> io::Result<Self> {
        use std::fs::Permissions;
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::PermissionsExt;

        let file = tempfile::tempfile()?;
        // ssh takes no key that others might read.
        file.set_permissions(Permissions::from_mode(0o600))?;
        // Whoever runs on behalf of this user finds it there as long as this program runs (proc_pid_fd(5)).
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        Ok(Self { file, path })
    }

    /// An empty one.
    ///
    /// # Errors
    /// When the system gives no file.
    #[cfg(not(target_os = "linux"))]
    pub fn create() -> io::Result<Self> {
        let (file, named) = tempfile::NamedTempFile::new()?.into_parts();
        Ok(Self {
            file,
            path: named.to_path_buf(),
            _named: named,
        })
    }

    /// Where it is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `text` in it, in place of what is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn fill(&self, text: &Secret<String>) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_in_it_is_for_this_user_alone_and_goes_with_it() {
        let file = LoginFile::create().unwrap();
        file.fill(&Secret::new("a longer key".to_owned())).unwrap();
        file.fill(&Secret::new("a key".to_owned())).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "a key");
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let path = file.path().to_path_buf();
        drop(file);
        assert!(std::fs::read_to_string(path).is_err());
    }
}
