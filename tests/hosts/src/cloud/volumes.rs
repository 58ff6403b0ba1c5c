//! Volumes: each a file of the lab, and a loop device while an instance has it. Files go with the volume, or with the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::LabError;
use crate::command::tool;
use crate::error::AboutFile;
use crate::wait::wait_for;

/// The kernel lets go of a device when the last mount of it is gone, which may take a moment after a power cut.
const DETACH_LIMIT: Duration = Duration::from_secs(20);

/// All volumes of a cloud that were ever attached.
#[derive(Debug)]
pub(super) struct Volumes {
    folder: PathBuf,
    attached: BTreeMap<String, LoopDevice>,
}

#[derive(Debug)]
struct LoopDevice {
    /// `loop5`.
    name: String,
    /// `7:5`.
    numbers: String,
}

impl Volumes {
    /// Their files are in this folder, which is made when there is one.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            attached: BTreeMap::new(),
        }
    }

    /// Makes a block device of a volume, empty when it is a new one, and says its numbers. It stays when there is one.
    pub(super) fn attach(&mut self, volume: &str, gibibytes: u64) -> Result<String, LabError> {
        if let Some(device) = self.attached.get(volume) {
            return Ok(device.numbers.clone());
        }
        let path = self.path(volume);
        fs::create_dir_all(&self.folder).about("failed to make", &self.folder)?;
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .about("failed to make", &path)?;
        let bytes = gibibytes << 30;
        let length = file.metadata().about("failed to read", &path)?.len();
        // What is not written takes no room.
        file.set_len(bytes.max(length)).about("failed to size", &path)?;
        let made = tool("losetup", 20).words("--find --show").arg(&path).run()?;
        let name = made.trim().trim_start_matches("/dev/").to_owned();
        let about = Path::new("/sys/block").join(&name).join("dev");
        let numbers = fs::read_to_string(&about).about("failed to read", &about)?;
        let numbers = numbers.trim().to_owned();
        let device = LoopDevice {
            name,
            numbers: numbers.clone(),
        };
        self.attached.insert(volume.to_owned(), device);
        Ok(numbers)
    }

    /// Takes the block device of a volume away, and waits until nobody has it.
    pub(super) fn detach(&mut self, volume: &str) -> Result<(), LabError> {
        let Some(device) = self.attached.remove(volume) else {
            return Ok(());
        };
        tool("losetup", 20)
            .arg("--detach")
            .arg(Path::new("/dev").join(&device.name))
            .run()?;
        let backing = Path::new("/sys/block")
            .join(&device.name)
            .join("loop/backing_file");
        let path = self.path(volume);
        let late = || {
            (
                format!("volume {volume} is still in use"),
                "unmount it before it is detached".to_owned(),
            )
        };
        wait_for(DETACH_LIMIT, late, || {
            let file = fs::read_to_string(&backing).unwrap_or_default();
            Ok((Path::new(file.trim()) != path).then_some(()))
        })
    }

    /// Removes the files of all volumes but these.
    pub(super) fn keep_only(&mut self, volumes: &BTreeSet<String>) -> Result<(), LabError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.about("failed to list", &self.folder)?,
        };
        for entry in entries {
            let path = entry.about("failed to list", &self.folder)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !volumes.contains(name.as_ref()) && !self.attached.contains_key(name.as_ref()) {
                fs::remove_file(&path).about("failed to remove", &path)?;
            }
        }
        Ok(())
    }

    fn path(&self, volume: &str) -> PathBuf {
        self.folder.join(volume)
    }
}
