//! The world on disk: an append-only log, shared by the commands that run at the same time or one after another.
//!
//! `world.log` holds one JSON line for the header and one for each transaction, with all its effects. Who writes
//! holds the lock on `world.lock`, reads what others wrote first, and appends. A line without its newline was torn
//! by a crash and never counted; a whole line that cannot be read is damage, which is reported and left as it is.
//! So is a line that is missing, twice there or changed: each begins with a check over its text and all lines before.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::options::Like;
use crate::world::{Effect, World};

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

/// Why the world on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldLogError {
    /// The file system refused.
    #[error("cannot {verb} {}", path.display())]
    Unavailable {
        /// What was tried, for example `append to`.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// What is written there cannot be understood. It is left as it is.
    #[error("{}:{line} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The world there is like another platform than the one that was asked for.
    #[error("the world in {} is like {is}, not like {asked}", path.display())]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// What it is like.
        is: Like,
        /// What was asked for.
        asked: Like,
    },
}

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
        };
        let locked = log.lock()?;
        if !locked.log.path.exists() {
            locked.log.replace(1, &[])?;
        }
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
        }
        Ok(())
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
        let draft = self.path.with_extension("log.new");
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
        let mut file = private(OpenOptions::new().create(true).write(true).truncate(true))
            .open(&draft)
            .map_err(unavailable("open", &draft))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(unavailable("write", &draft))?;
        std::fs::rename(&draft, &self.path).map_err(unavailable("replace", &self.path))?;
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

fn unavailable(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorldLogError {
    let path = path.to_owned();
    move |source| WorldLogError::Unavailable { verb, path, source }
}

fn make_directory(directory: &Path) -> Result<(), WorldLogError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(unavailable("make", directory))
}

/// Options that keep a new file from everyone else's eyes.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(test)]
mod tests;
