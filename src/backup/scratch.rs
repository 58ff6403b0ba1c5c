//! Files that are there while a run needs them. Whoever needs one holds its lock, which goes with the process however that ends:
//! what nobody holds was left by a run that was killed, and the next one takes it away.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How the names of folders begin in which snapshots are unpacked.
const PREFIX: &str = "keelson-snapshot-";
/// What a snapshot is called there.
const SNAPSHOT: &str = "snapshot.db";
/// What is held there: programs of etcd take the lock of the snapshot itself, and wait for it for ever.
const HELD: &str = "held";
const PART: &str = ".part";
const RANDOM_BYTES: usize = 8;

/// A folder that nobody else can read, with one file in it for whoever asks. It goes with the value.
pub struct Scratch {
    folder: PathBuf,
    _held: File,
    /// The file.
    pub file: PathBuf,
    /// The same, open to be written.
    pub opened: File,
}

impl Scratch {
    /// Makes one in `work_folder`, and takes away what runs have left there that have ended.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn begin(work_folder: &Path) -> io::Result<Self> {
        sweep(work_folder, |name| name.starts_with(PREFIX), HELD);
        let name = format!("{PREFIX}{}", random_name()?);
        let (folder, hidden) = (work_folder.join(&name), work_folder.join(format!(".{name}")));
        DirBuilder::new().mode(0o700).create(&hidden)?;
        // It gets its name when it is held, so that nobody takes it for one that was left.
        let made = || {
            let held = create_held(&hidden.join(HELD))?;
            let opened = create(&hidden.join(SNAPSHOT))?;
            fs::rename(&hidden, &folder)?;
            Ok((held, opened))
        };
        let (held, opened) = made().inspect_err(|_: &io::Error| {
            let _ = fs::remove_dir_all(&hidden);
        })?;
        Ok(Self {
            file: folder.join(SNAPSHOT),
            folder,
            _held: held,
            opened,
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Begins what is to become `file`, under another name beside it, and takes away what runs have left there that have ended.
///
/// # Errors
/// When the file system refuses.
pub fn begin_part(file: &Path) -> io::Result<(PathBuf, File)> {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let is_part = |other: &str| {
        let random = other
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|rest| rest.strip_suffix(PART));
        random.is_some_and(|random| {
            random.len() == 2 * RANDOM_BYTES && random.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    sweep(folder, is_part, "");
    let random = random_name()?;
    let (part, hidden) = (
        folder.join(format!("{name}.{random}{PART}")),
        folder.join(format!("{name}.{random}.new")),
    );
    let held = create_held(&hidden)?;
    fs::rename(&hidden, &part).inspect_err(|_| {
        let _ = fs::remove_file(&hidden);
    })?;
    Ok((part, held))
}

/// A new file that nobody else can read.
fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
}

/// The same, and its lock. Where a file system has no locks, nothing on it is ever taken for left.
fn create_held(file: &Path) -> io::Result<File> {
    let opened = create(file)?;
    let _ = opened.try_lock();
    Ok(opened)
}

/// Takes away what `is_meant` by its name in `folder` and was left there by this user: a folder with a file `inner` in it, or a
/// file where that is empty. What cannot be seen or taken away stays.
fn sweep(folder: &Path, is_meant: impl Fn(&str) -> bool, inner: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(&is_meant) {
            continue;
        }
        let path = entry.path();
        let is_ours = |found: &Metadata| {
            found.uid() == rustix::process::geteuid().as_raw() && found.is_dir() != inner.is_empty()
        };
        if !fs::symlink_metadata(&path).is_ok_and(|found| is_ours(&found)) {
            continue;
        }
        if inner.is_empty() {
            if is_left(&path) {
                let _ = fs::remove_file(&path);
            }
        } else if is_left(&path.join(inner)) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// True when nobody holds the lock of a file that is there.
fn is_left(file: &Path) -> bool {
    let is_file = fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
    is_file && File::open(file).is_ok_and(|opened| opened.try_lock().is_ok())
}

fn random_name() -> io::Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0; RANDOM_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_left_goes_and_what_is_held_stays() {
        let folder = tempfile::tempdir().unwrap();
        let held = Scratch::begin(folder.path()).unwrap();
        let left = folder.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(SNAPSHOT), "1").unwrap();
        fs::write(left.join(HELD), "").unwrap();
        // Somebody else's, by their names or by what is in them.
        for other in ["keelson-other", "keelson-snapshot-empty"] {
            fs::create_dir(folder.path().join(other)).unwrap();
        }
        let second = Scratch::begin(folder.path()).unwrap();
        assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
        assert!(held.file.exists() && second.file.exists() && !left.exists());
        let taken = File::open(&held.file).unwrap().try_lock();
        assert!(taken.is_ok(), "etcd's programs lock what they read: {taken:?}");
        let mode = fs::metadata(second.file.parent().unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        drop((held, second));
        assert_eq!(names(folder.path()), ["keelson-other", "keelson-snapshot-empty"]);
    }

    #[test]
    fn parts_of_the_same_file_alone_are_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("main.db");
        let others = [
            "main.db.0123.part",
            "main.db.part",
            "other.db.0123456789abcdef.part",
        ];
        for name in others.iter().copied().chain(["main.db.0123456789abcdef.part"]) {
            fs::write(folder.path().join(name), "1").unwrap();
        }
        let (part, held) = begin_part(&file).unwrap();
        let (other, _held) = begin_part(&file).unwrap();
        assert!(part.exists() && other.exists());
        drop(held);
        let (_, _held) = begin_part(&file).unwrap();
        assert!(!part.exists() && other.exists());
        assert_eq!(names(folder.path()).len(), others.len() + 2);
    }
}
