//! Writing to a log, which only the holder of its lock does.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use jiff::Timestamp;

use super::WorldLog;
use super::error::{WorldLogError, unavailable};
use super::files;
use super::line::{self, Line};
use crate::world::{Effect, World};

/// A log shorter than this is never rewritten.
pub(super) const LEAST_LINES: usize = 1000;

/// A log is rewritten when it has more than this many lines for each record that lives.
const LINES_PER_RECORD: usize = 4;

/// Holds the lock on a log until it is dropped.
pub(crate) struct Locked<'a> {
    pub(super) log: &'a mut WorldLog,
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
        let check = line::push(&mut text, &log.check, &line);
        let mut file = files::open(OpenOptions::new().write(true), &log.path)?;
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
