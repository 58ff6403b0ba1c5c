//! `keelson assets`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{Format, SpecArgument, shell_word};
use super::failure::{Failure, chain};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::assets::{AssetError, Copied, Known, copy};
use crate::ops::release_files;
use crate::registry;
use crate::view::assets_text::{self, AssetRow};
use crate::view::plural;

/// Show or copy the release files that a cluster's machines install
#[derive(Debug, Args)]
pub(super) struct Assets {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Copy(Copy),
}

/// Show each file with its digest and where it comes from
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    spec: SpecArgument,
    /// How the list is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Fill a folder with the files, for `assets.files` of clusters that cannot reach upstream
#[derive(Debug, Args)]
struct Copy {
    #[command(flatten)]
    spec: SpecArgument,
    /// The folder; what is there and right is left alone
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Assets {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        match &self.command {
            Command::List(list) => list.run(terminal).await,
            Command::Copy(copy) => copy.run(terminal).await,
        }
    }
}

impl List {
    async fn run(&self, terminal: &Terminal) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let found = registry::find_assets(&spec, &self.spec.directory(), &Known::new()).await?;
        let release = found.index.release(&release_files(&spec));
        let rows: Vec<AssetRow> = release.iter().map(AssetRow::from).collect();
        self.output
            .print(terminal, &rows, |rows| assets_text::render(rows))?;
        Ok(EXIT_DONE)
    }
}

impl Copy {
    async fn run(&self, terminal: &Terminal) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let found = registry::find_assets(&spec, &self.spec.directory(), &Known::new()).await?;
        let mut written = 0;
        for file in release_files(&spec) {
            let Some(resolved) = found.index.release(std::slice::from_ref(&file)).pop() else {
                continue;
            };
            let copied = copy(&file, &resolved, &self.folder, &found.fetcher).await;
            let copied = copied.map_err(|error| Failure::failed(chain(&error)).with_help(asset_help(&error)));
            match copied? {
                Copied::Kept => terminal.note(&format!("kept {}", file.path)),
                Copied::Written(bytes) => {
                    written += 1;
                    terminal.note(&format!("wrote {} ({bytes} bytes)", file.path));
                }
            }
        }
        terminal.note(&format!(
            "{} copied; `assets: {{ files: {} }}` in a spec uses them",
            plural(written, "file"),
            shell_word(&self.folder)
        ));
        Ok(EXIT_DONE)
    }
}

/// What to do about a release file that is not to be had.
pub(super) fn asset_help(error: &AssetError) -> String {
    let fill = "`keelson assets copy FOLDER` fills a mirror where there is a way to upstream";
    match error {
        AssetError::Unreachable { .. } => format!(
            "see whether this machine reaches it (curl -I); name a proxy in `assets.proxy`, or a mirror or a folder in \
             `assets.files`: {fill}"
        ),
        AssetError::NotListed { .. } => format!(
            "see that the version in the spec was released; where `assets.files` names a mirror or a folder, it has to have \
             this list and the files: {fill}"
        ),
        AssetError::Damaged { .. } => {
            format!("it broke off or was changed: take it away there and bring it anew; {fill}")
        }
        AssetError::File { verb: "write", .. } => {
            "see that the folder can be written and its disk has room, then try again".to_owned()
        }
        AssetError::Client(_) => {
            "install the system's trusted authorities (on Debian: apt-get install ca-certificates), \
                                  and check `assets.proxy`"
                .to_owned()
        }
        _ => "see that the file that is named above can be read, then try again".to_owned(),
    }
}
