//! Files that are there as a whole or not at all: kubeconfigs, plans, the objects of a state store, a simulated world.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Puts a file with `content` in its place, in place of one that is there, with the permission bits `mode`: written beside
/// it and renamed, so that nobody ever sees half of it, no crash leaves half of it, and nobody else sees a private one.
///
/// # Errors
/// When the file system refuses; what was there before is there still.
pub fn put(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // Two that write the same file at once, threads or processes, have a draft each: the last one wins whole.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    put_by_draft(
        file,
        &format!(".{}-{draft}.part", std::process::id()),
        content,
        mode,
    )
}

/// Like [`put`], for files that are written under a lock: the draft has the file's name and `suffix`, so that the next
/// write clears away what a killed one has left.
///
/// # Errors
/// As those of [`put`].
pub fn put_by_draft(file: &Path, suffix: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    let draft = file.with_file_name(name);
    let write = || -> io::Result<()> {
        // What a run that was killed has left under this name is not gone on with.
        let _ = fs::remove_file(&draft);
        let mut options = OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&draft)?;
        opened.write_all(content)?;
        opened.set_permissions(Permissions::from_mode(mode))?;
        opened.sync_all()?;
        fs::rename(&draft, file)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })?;
    // The name itself has to outlive a power cut, too.
    sync_folder(file)
}

/// Gives `draft`, whose content has been brought to the disk, the name `file`, in place of a file that is there, so that a
/// power cut does not undo it. Both are in one folder.
///
/// # Errors
/// When the file system refuses; both are then as they were.
pub fn put_in_place(draft: &Path, file: &Path) -> io::Result<()> {
    fs::rename(draft, file)?;
    sync_folder(file)
}

/// Gives `draft`, whose content has been brought to the disk, the name `file`, which nothing may have yet, so that a power cut
/// does not undo it. Both are in one folder.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when something has that name, which stays as it is; otherwise when the file
/// system refuses.
pub fn put_new(draft: &Path, file: &Path) -> io::Result<()> {
    put_new_by(|draft, file| fs::hard_link(draft, file), draft, file)
}

fn put_new_by(
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
    draft: &Path,
    file: &Path,
) -> io::Result<()> {
    // A link is refused where a file has come meanwhile, which a new name would take the place of.
    match link(draft, file) {
        Ok(()) => {
            let _ = fs::remove_file(draft);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // Not every file system has links. Then an empty file takes the name, in whose place the draft comes.
        Err(_) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(file)?;
            fs::rename(draft, file).inspect_err(|_| {
                let _ = fs::remove_file(file);
            })?;
        }
    }
    sync_folder(file)
}

/// Removes a file, if it is there, so that a power cut does not bring it back.
///
/// # Errors
/// When the file system refuses.
pub fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => sync_folder(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Brings the names in the folder of `file` to the disk.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes sure that what has the name `file`, if anything, can be opened like a file. Opening a named pipe would wait for
/// whoever opens its other end, and nobody may ever do that; a folder is left to the error that opening it gives.
///
/// # Errors
/// When it is a named pipe, a socket or a device, and when it cannot be looked at.
pub fn check_kind(file: &Path) -> io::Result<()> {
    let kind = match fs::metadata(file) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let what = if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("it is {what} and no file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_like_a_file_is_found_without_opening_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(place("pipe")).status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(place("socket")).unwrap();
        fs::write(place("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", place("link")).unwrap();
        let found = |file: &Path| check_kind(file).map_err(|error| error.to_string());
        let no_file = |what: &str| Err(format!("it is {what} and no file"));
        assert_eq!(found(&place("pipe")), no_file("a named pipe"));
        assert_eq!(found(&place("socket")), no_file("a socket"));
        assert_eq!(found(Path::new("/dev/null")), no_file("a device"));
        for name in ["file", "absent", "link", ""] {
            assert_eq!(found(&place(name)), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_file_is_replaced_and_a_refusal_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        put(&file, b"1", 0o644).unwrap();
        put(&file, b"2", 0o600).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"2");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, names()), (0o600, 1));
        let in_the_way = folder.path().join("b");
        fs::create_dir(&in_the_way).unwrap();
        put(&in_the_way, b"3", 0o600).unwrap_err();
        assert_eq!(names(), 2, "no draft stays");
    }

    #[test]
    fn a_new_file_takes_no_place_of_another_with_links_or_without() {
        type Link = fn(&Path, &Path) -> io::Result<()>;
        let links: [Link; 2] = [
            |draft, file| fs::hard_link(draft, file),
            |_, _| Err(io::ErrorKind::Unsupported.into()),
        ];
        for link in links {
            let folder = tempfile::tempdir().unwrap();
            let [draft, file] = ["draft", "a"].map(|name| folder.path().join(name));
            let names = || fs::read_dir(folder.path()).unwrap().count();
            fs::write(&draft, "1").unwrap();
            put_new_by(link, &draft, &file).unwrap();
            assert_eq!((fs::read(&file).unwrap(), names()), (b"1".to_vec(), 1));
            fs::write(&draft, "2").unwrap();
            let refused = put_new_by(link, &draft, &file).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&file).unwrap(), names()), (b"1".to_vec(), 2));
            fs::remove_file(&draft).unwrap();
            put_new_by(link, &draft, &folder.path().join("b")).unwrap_err();
            assert_eq!(names(), 1, "nothing takes a name for nothing");
        }
    }

    #[test]
    fn a_file_is_removed_once_and_a_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        put(&file, b"1", 0o600).unwrap();
        remove(&file).unwrap();
        assert!(!file.exists());
        remove(&file).unwrap();
        remove(folder.path()).unwrap_err();
    }

    #[test]
    fn what_a_killed_run_left_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(folder.path().join("a.new"), "the beginning of something long").unwrap();
        put_by_draft(&file, ".new", b"1", 0o600).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"1");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn many_writers_at_once_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::thread::scope(|scope| {
            for letter in ["a", "b", "c", "d"] {
                let (file, content) = (&file, letter.repeat(10_000));
                scope.spawn(move || put(file, content.as_bytes(), 0o600).unwrap());
            }
        });
        let content = fs::read_to_string(&file).unwrap();
        assert!(content.len() == 10_000 && content.chars().all(|letter| content.starts_with(letter)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
