//! The world on disk: an append-only log, shared by the commands that run at the same time or one after another.
//!
//! `world.log` holds one JSON line for the header and one for each transaction, with all its effects. Who writes
//! holds the lock on `world.lock`, reads what others wrote first, and appends. A line without its newline was torn
//! by a crash and never counted; a whole line that cannot be read is damage, which is reported and left as it is.
//! So is a line that is missing, twice there or changed: each begins with a check over its text and all lines before.
//! How far the log goes is kept beside it ([`end`]), so that lines that are cut off its end are missed as well.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::end::End;
pub use self::error::WorldLogError;
use self::error::unavailable;
use self::files::{make_directory, private, put_in_place};
use crate::options::Like;
use crate::world::{Effect, World};

mod end;
mod error;
mod files;

/// The format of the log that this version reads and writes.
const FORMAT: u32 = 2;

/// The length of a line's check, in hexadecimal digits.
const CHECK_DIGITS: usize = 16;

/// How often to look whether another process has let go of the lock, and after how long to look again.
const LOCK_POLLS: u32 = 2000;
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A log shorter than this is never rewritten.
const LEAST_LINES: usize = 1000;

/// A log is rewritten when it has more than this many lines for each record that lives.
const LINES_PER_RECORD: usize = 4;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    format: u32,
    like: Like,
    /// Changes whenever the log is rewritten, so that others notice.
    epoch: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: Timestamp,
    #[serde(rename = "do")]
    effects: Vec<Effect>,
}

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

/// Holds the lock on a log until it is dropped.
pub(crate) struct Locked<'a> {
    log: &'a mut WorldLog,
}

impl WorldLog {
    /// Opens the log in `directory`, which is made if it is not there.
    pub(crate) fn open(directory: &Path, like: Like) -> Result<Self, WorldLogError> {
        make_directory(directory)?;
        let lock_path = directory.join("world.lock");
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&lock_path)
            .map_err(unavailable("open", &lock_path))?;
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
            match self.lock.try_lock() {
                Ok(()) => return Ok(Locked { log: self }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL_INTERVAL),
                Err(TryLockError::Error(problem)) => return Err(unavailable("lock", &self.path)(problem)),
            }
        }
        let problem = io::Error::new(
            io::ErrorKind::TimedOut,
            "another process holds it and does not let go",
        );
        Err(unavailable("lock", &self.path)(problem))
    }

    /// Brings `world` up to date with what was written, also by others. `fresh` makes the empty world to begin
    /// with when the log was rewritten.
    pub(crate) fn catch_up(
        &mut self,
        world: &mut World,
        fresh: impl FnOnce() -> World,
    ) -> Result<(), WorldLogError> {
        let file = File::open(&self.path).map_err(unavailable("open", &self.path))?;
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
        let _locked = self.lock()?;
        let noted = end::read(&path)?;
        if noted.is_some_and(|noted| !now.is_after(&noted)) {
            return Ok(());
        }
        let file = File::open(&path).map_err(unavailable("open", &path))?;
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
        let (check, body) = text.split_at_checked(CHECK_DIGITS).unwrap_or_default();
        let body = body.trim_ascii();
        if let Err(problem) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            return Err(self.damaged(line, problem));
        }
        let expected = check_of(before, body);
        if check != expected.as_bytes() {
            let problem = "it, or a line before it, was changed, removed or repeated";
            return Err(self.damaged(line, problem));
        }
        let value = serde_json::from_slice(body).map_err(|problem| self.damaged(line, problem))?;
        Ok((value, expected))
    }

    /// Writes a new log with `lines` in place of the old one, in one step, and gives the last line's check.
    fn replace(&self, epoch: u64, lines: &[Line]) -> Result<String, WorldLogError> {
        let mut text = Vec::new();
        let header = Header {
            format: FORMAT,
            like: self.like,
            epoch,
        };
        let mut check = push_line(&mut text, "", &header);
        for line in lines {
            check = push_line(&mut text, &check, line);
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

impl Locked<'_> {
    /// Brings `world` up to date; see [`WorldLog::catch_up`].
    pub(crate) fn catch_up(
        &mut self,
        world: &mut World,
        fresh: impl FnOnce() -> World,
    ) -> Result<(), WorldLogError> {
        self.log.catch_up(world, fresh)
    }

    /// Appends one transaction; `world` is up to date and does not have its effects yet.
    pub(crate) fn append(&mut self, at: Timestamp, effects: &[Effect]) -> Result<(), WorldLogError> {
        let log = &mut *self.log;
        let mut text = Vec::new();
        let line = Line {
            at,
            effects: effects.to_vec(),
        };
        let check = push_line(&mut text, &log.check, &line);
        let mut file = OpenOptions::new()
            .write(true)
            .open(&log.path)
            .map_err(unavailable("open", &log.path))?;
        // What stands after the last whole line was torn by a crash.
        file.set_len(log.offset)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .and_then(|_| file.write_all(&text))
            .map_err(unavailable("append to", &log.path))?;
        log.offset += u64::try_from(text.len()).unwrap_or(0);
        log.lines += 1;
        log.check = check;
        Ok(())
    }

    /// Rewrites the log when most of what it tells is over.
    pub(crate) fn compact(&mut self, world: &World) -> Result<(), WorldLogError> {
        let log = &mut *self.log;
        let live = world.live_records();
        if log.lines < LEAST_LINES || log.lines < LINES_PER_RECORD.saturating_mul(live) {
            return Ok(());
        }
        let at = world.last_moment();
        let lines: Vec<Line> = world
            .as_effects()
            .into_iter()
            .map(|effect| Line {
                at,
                effects: vec![effect],
            })
            .collect();
        log.check = log.replace(log.epoch + 1, &lines)?;
        let metadata = std::fs::metadata(&log.path).map_err(unavailable("read", &log.path))?;
        log.epoch += 1;
        log.lines = lines.len() + 1;
        log.offset = metadata.len();
        Ok(())
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

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // The lock also goes when the process does; nothing more can be done about an error here.
        let _ = self.log.lock.unlock();
    }
}

/// Appends `line` and gives its check; the line before it has the check `before`.
fn push_line<T: Serialize>(text: &mut Vec<u8>, before: &str, line: &T) -> String {
    // Writing to memory cannot fail, and no map in a line has keys that are no strings.
    let body = serde_json::to_vec(line).unwrap_or_default();
    let check = check_of(before, &body);
    text.extend_from_slice(check.as_bytes());
    text.push(b' ');
    text.extend_from_slice(&body);
    text.push(b'\n');
    check
}

fn check_of(before: &str, body: &[u8]) -> String {
    Digest::of_bytes(&[before.as_bytes(), b"\n", body].concat()).short(CHECK_DIGITS)
}

#[cfg(test)]
mod tests;
