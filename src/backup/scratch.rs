//! Files that are there while a run needs them. Whoever needs one holds its lock, which goes with the process however that ends:
//! what nobody holds was left by a run that was killed, and the next one takes it away.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the names of folders begin in which snapshots are unpacked.
const PREFIX: &str = "keelson-snapshot-";
/// What a snapshot is called there.
const SNAPSHOT: &str = "snapshot.db";
/// What is held there: programs of etcd take the lock of the snapshot itself, and wait for it for ever.
const HELD: &str = "held";
const PART: &str = ".part";
/// What a part ends with until it is held.
const UNHELD: &str = ".new";
/// What was begun has its name in a moment; what is older than this and has none was left.
const UNNAMED_LEAST_AGE: Duration = Duration::from_secs(3600);
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
        let is_hidden = |name: &str| {
            name.strip_prefix('.')
                .is_some_and(|name| name.starts_with(PREFIX))
        };
        sweep_unnamed(work_folder, is_hidden, HELD, &hidden);
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
    let is_of_file = |other: &str, end: &str| {
        let random = other
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|rest| rest.strip_suffix(end));
        random.is_some_and(|random| {
            random.len() == 2 * RANDOM_BYTES && random.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    sweep(folder, |other| is_of_file(other, PART), "");
    let random = random_name()?;
    let (part, hidden) = (
        folder.join(format!("{name}.{random}{PART}")),
        folder.join(format!("{name}.{random}{UNHELD}")),
    );
    let held = create_held(&hidden)?;
    sweep_unnamed(folder, |other| is_of_file(other, UNHELD), "", &hidden);
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
    for (path, _) in own_entries(folder, is_meant, inner) {
        if is_left(&held_of(&path, inner)) {
            take_away(&path, inner);
        }
    }
}

/// The same with what was left before it was held and had its name: it is much older than `new`, by the clock of the file system.
fn sweep_unnamed(folder: &Path, is_meant: impl Fn(&str) -> bool, inner: &str, new: &Path) {
    let Ok(now) = fs::symlink_metadata(new).and_then(|found| found.modified()) else {
        return;
    };
    for (path, found) in own_entries(folder, is_meant, inner) {
        let age = found
            .modified()
            .ok()
            .and_then(|made| now.duration_since(made).ok());
        let is_old = age.is_some_and(|age| age > UNNAMED_LEAST_AGE);
        let held = held_of(&path, inner);
        if is_old && (is_left(&held) || !held.exists()) {
            take_away(&path, inner);
        }
    }
}

/// What `is_meant` by its name in `folder` and is this user's: folders, or files where `inner` is empty.
fn own_entries(folder: &Path, is_meant: impl Fn(&str) -> bool, inner: &str) -> Vec<(PathBuf, Metadata)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let meant = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_meant));
    let found = meant.filter_map(|entry| {
        let path = entry.path();
        let found = fs::symlink_metadata(&path).ok()?;
        Some((path, found))
    });
    let is_ours = |found: &Metadata| {
        found.uid() == rustix::process::geteuid().as_raw() && found.is_dir() != inner.is_empty()
    };
    found.filter(|(_, found)| is_ours(found)).collect()
}

/// The file whose lock is held while what is at `path` is needed.
fn held_of(path: &Path, inner: &str) -> PathBuf {
    if inner.is_empty() {
        path.to_owned()
    } else {
        path.join(inner)
    }
}

fn take_away(path: &Path, inner: &str) {
    let _ = if inner.is_empty() {
        fs::remove_file(path)
    } else {
        fs::remove_dir_all(path)
    };
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

    /// Makes a file or a folder look as if it had been made long ago.
    fn age(path: &Path) {
        let opened = File::open(path).unwrap();
        opened.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn what_was_left_before_it_had_its_name_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let hidden = ["empty", "held", "young"].map(|name| place(&format!(".{PREFIX}{name}")));
        for hidden in &hidden {
            fs::create_dir(hidden).unwrap();
        }
        let held = create_held(&hidden[1].join(HELD)).unwrap();
        hidden[..2].iter().for_each(|hidden| age(hidden));
        drop(Scratch::begin(folder.path()).unwrap());
        assert_eq!(
            hidden.each_ref().map(|hidden| hidden.exists()),
            [false, true, true]
        );
        drop(held);
        age(&hidden[1]);
        drop(Scratch::begin(folder.path()).unwrap());
        assert_eq!(
            hidden.each_ref().map(|hidden| hidden.exists()),
            [false, false, true]
        );
        let parts = ["0123456789abcdef", "fedcba9876543210"].map(|name| place(&format!("a.db.{name}.new")));
        for part in &parts {
            fs::write(part, "").unwrap();
        }
        age(&parts[0]);
        begin_part(&place("a.db")).unwrap();
        assert_eq!(parts.each_ref().map(|part| part.exists()), [false, true]);
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
