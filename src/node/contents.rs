//! A bundle while it is put together.

use std::collections::BTreeMap;

use keelson_provider_api::Asset;
use keelson_provider_api::bundle::APPLY_SCRIPT;
use keelson_provider_api::values::Digest;

use super::action::{Access, Action, InvalidAction, lines};
use super::assets::{Program, ResolvedRelease};
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
}

/// Files of a bundle, by their path in it.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Files, actions and assets, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    files: Files,
    actions: Vec<Action>,
    assets: Vec<Asset>,
}

impl Contents {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
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

    pub(super) fn unit(&mut self, name: &'static str, text: String) {
        let source = self.keep(name, text);
        self.act(Action::Unit { name, source });
    }

    /// Takes the programs of a release out of its archives.
    pub(super) fn unpack(&mut self, release: &ResolvedRelease, programs: &[Program]) {
        for file in release {
            self.assets.push(file.asset.clone());
            self.act(Action::Asset {
                sha256: file.asset.sha256,
                url: file.url().map(str::to_owned),
                name: file.asset.name.clone(),
                architecture: file.architecture,
            });
            for program in programs {
                self.act(Action::Unpack {
                    path: format!("{}/{}", program.folder, program.name),
                    mode: 0o755,
                    sha256: file.asset.sha256,
                    member: format!("{}/{}", file.top_folder, program.name),
                    units: program.units.clone(),
                    architecture: file.architecture,
                });
            }
        }
    }

    fn keep(&mut self, name: &str, text: String) -> String {
        let source = format!("files/{}", name.trim_start_matches('/'));
        self.files.insert(source.clone(), text.into_bytes());
        source
    }

    /// All files of the bundle, its script and its actions among them, and what it downloads.
    pub(super) fn finish(mut self) -> Result<(Files, Vec<Asset>), RenderError> {
        let actions = lines(&self.actions)?;
        self.files.insert("actions".to_owned(), actions.into_bytes());
        self.files.insert(
            APPLY_SCRIPT.to_owned(),
            templates::APPLY_SCRIPT.as_bytes().to_vec(),
        );
        Ok((self.files, self.assets))
    }
}

/// The digest of a bundle's files: of their paths and contents.
pub(super) fn digest_of(files: &Files) -> Digest {
    let digests: Vec<(&str, Digest)> = files
        .iter()
        .map(|(path, content)| (path.as_str(), Digest::of_bytes(content)))
        .collect();
    Digest::of_json(&digests)
}
