//! The world on disk: an append-only log, shared by the commands that run at the same time or one after another.
//!
//! `world.log` holds one JSON line for the header and one for each transaction, with all its effects. Who writes
//! holds the lock on `world.lock`, reads what others wrote first, and appends. A line without its newline was torn
//! by a crash and never counted; a whole line that cannot be read is damage, which is reported and left as it is.
//! So is a line that is missing, twice there or changed: each begins with a check over its text and all lines before.
//! How far the log goes is kept beside it ([`end`]), so that lines that are cut off its end are missed as well.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use self::end::End;
pub use self::error::WorldLogError;
use self::error::unavailable;
use self::files::{make_directory, private, put_in_place};
use self::line::{Header, Line};
pub(crate) use self::locked::Locked;
use crate::options::Like;
use crate::world::World;

mod end;
mod error;
mod files;
mod line;
mod locked;

/// The format of the log that this version reads and writes.
const FORMAT: u32 = 2;

/// How often to look whether another process has let go of the lock, and after how long to look again.
const LOCK_POLLS: u32 = 2000;
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The log of one world, as far as this process has read it.
#[derive(Debug)]
pub(crate) struct WorldLog {
    path: PathBuf,
    like: Like,
    lock: File,
    epoch: u64,
    /// How many bytes and lines have been read and applied.
    offset: u64,
    lines: usize,
    /// The check of the last of those lines.
    check: String,
    /// How far the log has to go at least.
    end: Option<End>,
}

impl WorldLog {
    /// Opens the log in `directory`, which is made if it is not there.
    pub(crate) fn open(directory: &Path, like: Like) -> Result<Self, WorldLogError> {
        make_directory(directory)?;
        let lock_path = directory.join("world.lock");
        let mut options = OpenOptions::new();
        let options = private(options.create(true).truncate(false).write(true));
        let lock = files::open(options, &lock_path)?;
        let mut log = Self {
            path: directory.join("world.log"),
            like,
            lock,
            epoch: 0,
            offset: 0,
            lines: 0,
            check: String::new(),
            end: None,
        };
        let locked = log.lock()?;
        let end = end::read(&locked.log.path)?;
        match (&end, locked.log.path.symlink_metadata()) {
            (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                locked.log.replace(1, &[])?;
            }
            (Some(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(WorldLogError::Missing {
                    path: locked.log.path.clone(),
                    end: end::path(&locked.log.path),
                });
            }
            (_, Err(error)) => return Err(unavailable("read", &locked.log.path)(error)),
            (_, Ok(_)) => {}
        }
        locked.log.end = end;
        drop(locked);
        Ok(log)
    }

    /// Waits for the lock, which others hold for the moment of one transaction.
    pub(crate) fn lock(&mut self) -> Result<Locked<'_>, WorldLogError> {
        for _ in 0..LOCK_POLLS {
            if self.has_locked()? {
                return Ok(Locked { log: self });
            }
            std::thread::sleep(LOCK_POLL_INTERVAL);
        }
        let problem = io::Error::new(
            io::ErrorKind::TimedOut,
            "another process holds it and does not let go",
        );
        Err(unavailable("lock", &self.path)(problem))
    }

    /// The lock, if nobody holds it at this moment.
    fn try_lock(&mut self) -> Result<Option<Locked<'_>>, WorldLogError> {
        let locked = self.has_locked()?;
        Ok(locked.then_some(Locked { log: self }))
    }

    /// Notes that it is `now`, if that is later than what anyone noted, and nobody writes at this moment.
    pub(crate) fn pass_time(
        &mut self,
        world: &mut World,
        now: Timestamp,
        fresh: impl FnOnce() -> World,
    ) -> Result<(), WorldLogError> {
        let Some(mut locked) = self.try_lock()? else {
            return Ok(());
        };
        locked.catch_up(world, fresh)?;
        if now > world.last_moment() {
            locked.append(now, &[])?;
        }
        Ok(())
    }

    fn has_locked(&self) -> Result<bool, WorldLogError> {
        match self.lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(problem)) => Err(unavailable("lock", &self.path)(problem)),
        }
    }

    /// Brings `world` up to date with what was written, also by others. `fresh` makes the empty world to begin
    /// with when the log was rewritten.
    fn catch_up(&mut self, world: &mut World, fresh: impl FnOnce() -> World) -> Result<(), WorldLogError> {
        let file = files::open(OpenOptions::new().read(true), &self.path)?;
        let mut reader = BufReader::new(file);
        let mut first = String::new();
        let length = reader
            .read_line(&mut first)
            .map_err(|problem| self.unreadable(problem, 1))?;
        let (header, check): (Header, String) = self.parsed(first.as_bytes(), "", 1)?;
        if header.format != FORMAT {
            let problem = format!("its format is {}, and this version reads {FORMAT}", header.format);
            return Err(self.damaged(1, problem));
        }
        if header.like != self.like {
            return Err(WorldLogError::OtherPlatform {
                path: self.path.clone(),
                is: header.like,
                asked: self.like,
            });
        }
        if header.epoch != self.epoch {
            *world = fresh();
            self.epoch = header.epoch;
            self.offset = u64::try_from(length).unwrap_or(u64::MAX);
            self.lines = 1;
            self.check = check;
        }
        self.check_length(&reader)?;
        reader
            .seek(SeekFrom::Start(self.offset))
            .map_err(unavailable("read", &self.path))?;
        let mut news = Vec::new();
        reader
            .read_to_end(&mut news)
            .map_err(unavailable("read", &self.path))?;
        for text in news.split_inclusive(|&byte| byte == b'\n') {
            if !text.ends_with(b"\n") {
                break;
            }
            let (line, check): (Line, String) = self.parsed(text, &self.check, self.lines + 1)?;
            self.check = check;
            world.apply(line.at, line.effects);
            self.offset += u64::try_from(text.len()).unwrap_or(0);
            self.lines += 1;
            self.check_against_end()?;
        }
        self.check_end()
    }

    /// Makes sure that nothing was cut off while this process had the log open.
    fn check_length(&self, reader: &BufReader<File>) -> Result<(), WorldLogError> {
        let metadata = reader
            .get_ref()
            .metadata()
            .map_err(unavailable("read", &self.path))?;
        if metadata.len() < self.offset {
            let problem = "it was cut off while it was in use";
            return Err(self.damaged(self.lines, problem));
        }
        Ok(())
    }

    /// Makes sure that the line read last is the one that the end names, where it names that one.
    fn check_against_end(&self) -> Result<(), WorldLogError> {
        match &self.end {
            Some(end) if (end.epoch, end.lines) == (self.epoch, self.lines) && end.check != self.check => {
                let problem = format!("{} knows another line", end::path(&self.path).display());
                Err(self.damaged(self.lines, problem))
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that the log goes as far as it is known to have gone.
    fn check_end(&self) -> Result<(), WorldLogError> {
        match &self.end {
            Some(end) if end.is_after(&End::new(self.epoch, self.lines, "")) => {
                let problem = format!(
                    "the log ends before it, and {} says that it has {} lines",
                    end::path(&self.path).display(),
                    end.lines
                );
                Err(self.damaged(self.lines + 1, problem))
            }
            _ => Ok(()),
        }
    }

    /// Notes how far the log goes, for whoever opens it next. What cannot be noted is only not missed later.
    fn note_end(&mut self) -> Result<(), WorldLogError> {
        let now = End::new(self.epoch, self.lines, &self.check);
        let path = self.path.clone();
        // A process that ends waits for nobody: what is not noted now is noted by the next one.
        let Some(_locked) = self.try_lock()? else {
            return Ok(());
        };
        let noted = end::read(&path)?;
        if noted.is_some_and(|noted| !now.is_after(&noted)) {
            return Ok(());
        }
        let file = files::open(OpenOptions::new().read(true), &path)?;
        file.sync_all().map_err(unavailable("write", &path))?;
        end::write(&path, &now)
    }

    /// What the line `text`, number `line`, says, and its check; the line before it has the check `before`.
    fn parsed<T: DeserializeOwned>(
        &self,
        text: &[u8],
        before: &str,
        line: usize,
    ) -> Result<(T, String), WorldLogError> {
        line::parse(text, before).map_err(|problem| self.damaged(line, problem))
    }

    /// Writes a new log with `lines` in place of the old one, in one step, and gives the last line's check.
    fn replace(&self, epoch: u64, lines: &[Line]) -> Result<String, WorldLogError> {
        let mut text = Vec::new();
        let header = Header {
            format: FORMAT,
            like: self.like,
            epoch,
        };
        let mut check = line::push(&mut text, "", &header);
        for line in lines {
            check = line::push(&mut text, &check, line);
        }
        put_in_place(&self.path, &text)?;
        end::write(&self.path, &End::new(epoch, lines.len() + 1, &check))?;
        Ok(check)
    }

    fn damaged(&self, line: usize, problem: impl fmt::Display) -> WorldLogError {
        WorldLogError::Damaged {
            path: self.path.clone(),
            line,
            problem: problem.to_string(),
        }
    }

    fn unreadable(&self, problem: io::Error, line: usize) -> WorldLogError {
        if problem.kind() == io::ErrorKind::InvalidData {
            self.damaged(line, problem)
        } else {
            unavailable("read", &self.path)(problem)
        }
    }
}

impl Drop for WorldLog {
    fn drop(&mut self) {
        // Only what was read to its end and found whole.
        if self.lines > 0 && self.check_end().is_ok() {
            // Nothing more can be done about an error here, and nothing is wrong with the world.
            let _ = self.note_end();
        }
    }
}

#[cfg(test)]
mod tests;
