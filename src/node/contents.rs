//! A bundle while it is put together.

use std::collections::BTreeMap;

use keelson_provider_api::Asset;
use keelson_provider_api::bundle::APPLY_SCRIPT;
use keelson_provider_api::values::Digest;

use super::action::{Access, Action, Architecture, InvalidAction, lines};
use super::assets::{Packaging, Program, ResolvedRelease};
use super::class::OwnFile;
use super::templates;

/// Why a bundle cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A value cannot stand where a template puts it.
    #[error("cannot render what machines run")]
    Template(#[from] handlebars::RenderError),
    /// A value cannot stand in a line of actions.
    #[error("cannot write down what machines are to do")]
    Action(#[from] InvalidAction),
    /// What a template gives is no manifest: a defect of the template.
    #[error("template {template} does not give a manifest: {problem}")]
    Manifest {
        /// The template's path below `templates/`.
        template: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A value has no form in YAML.
    #[error("cannot write a file for machines in YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// There is no room for so much.
    #[error("{what} would have {bytes} bytes, and there is room for {limit}")]
    TooLarge {
        /// What is rendered.
        what: &'static str,
        /// How much it would have.
        bytes: usize,
        /// How much it may have.
        limit: usize,
    },
    /// A value has no form in TOML, such as a `null`.
    #[error("cannot write a file for machines in TOML")]
    Toml(#[from] toml::ser::Error),
}

/// Files of a bundle, by their path in it.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Files, actions and assets, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    files: Files,
    own: BTreeMap<String, OwnFile>,
    actions: Vec<Action>,
    assets: Vec<(Architecture, Asset)>,
}

/// A bundle that was put together.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    /// The files that all machines of the class have.
    pub(super) files: Files,
    /// The files that each has of its own.
    pub(super) own: BTreeMap<String, OwnFile>,
    /// What the machines download, by architecture.
    pub(super) assets: Vec<(Architecture, Asset)>,
}

impl Contents {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// A directory, unless there is an action for it already.
    pub(super) fn directory(&mut self, path: &str, access: Access) {
        let is_it =
            |action: &Action| matches!(action, Action::Directory { path: there, .. } if there == path);
        if !self.actions.iter().any(is_it) {
            self.act(Action::Directory {
                path: path.to_owned(),
                access,
            });
        }
    }

    /// A file of the bundle that goes to `path`, and that `units` read when they start.
    pub(super) fn file(&mut self, path: &str, access: Access, text: String, units: &[&'static str]) {
        let source = self.keep(path, text);
        self.act(Action::File {
            path: path.to_owned(),
            access,
            source,
            units: units.to_vec(),
        });
    }

    /// A file that is different on each machine, and otherwise like [`Contents::file`].
    pub(super) fn own(&mut self, path: &str, access: Access, file: OwnFile, units: &[&'static str]) {
        let source = source(path);
        self.own.insert(source.clone(), file);
        self.act(Action::File {
            path: path.to_owned(),
            access,
            source,
            units: units.to_vec(),
        });
    }

    pub(super) fn unit(&mut self, name: &'static str, mode: u32, text: String) {
        let source = self.keep(name, text);
        self.act(Action::Unit { name, mode, source });
    }

    /// Takes the programs of a release out of its files.
    pub(super) fn install(&mut self, release: &ResolvedRelease, programs: &[Program]) {
        for file in release {
            self.assets.push((file.architecture, file.asset.clone()));
            self.act(Action::Asset {
                sha256: file.asset.sha256,
                url: file.url().map(str::to_owned),
                name: file.asset.name.clone(),
                architecture: file.architecture,
            });
            for program in programs {
                let path = format!("{}/{}", program.folder, program.name);
                let (mode, sha256, units) = (0o755, file.asset.sha256, program.units.clone());
                let architecture = file.architecture;
                self.act(match &file.packaging {
                    Packaging::Program => Action::Install {
                        path,
                        mode,
                        sha256,
                        units,
                        architecture,
                    },
                    Packaging::Archive(folder) => Action::Unpack {
                        path,
                        mode,
                        sha256,
                        member: format!("{folder}{}", program.name),
                        units,
                        architecture,
                    },
                });
            }
        }
    }

    fn keep(&mut self, name: &str, text: String) -> String {
        let source = source(name);
        self.files.insert(source.clone(), text.into_bytes());
        source
    }

    /// All files of the bundle, its script and its actions among them, and what it downloads.
    pub(super) fn finish(mut self) -> Result<Finished, RenderError> {
        let actions = lines(&self.actions)?;
        self.files.insert("actions".to_owned(), actions.into_bytes());
        self.files.insert(
            APPLY_SCRIPT.to_owned(),
            templates::APPLY_SCRIPT.as_bytes().to_vec(),
        );
        Ok(Finished {
            files: self.files,
            own: self.own,
            assets: self.assets,
        })
    }
}

/// Where in a bundle the file is that goes to `path`.
fn source(path: &str) -> String {
    format!("files/{}", path.trim_start_matches('/'))
}

impl Finished {
    /// The digest of the files: of their paths and contents, and of what each machine's own are made from.
    pub(super) fn digest(&self) -> Digest {
        let digests: Vec<(&str, Digest)> = self
            .files
            .iter()
            .map(|(path, content)| (path.as_str(), Digest::of_bytes(content)))
            .collect();
        Digest::of_json(&(digests, &self.own))
    }
}
