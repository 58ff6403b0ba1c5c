//! From bytes to a valid spec, or to everything that is wrong with it.

use super::check::check;
use super::complete::complete;
use super::errors::{Finding, SpecError, SpecErrors};
use super::path::path_of;
use super::shape;
use super::types::Cluster;
use super::valid::{SpecWarnings, ValidSpec};
use super::validate::validate;
use super::yaml::{self, Mark, Node, Source};

/// The size of the largest spec that is read, in bytes. Who reads a file reads one byte more than this and lets
/// [`load`] refuse it.
pub const fn read_limit_bytes() -> usize {
    1 << 20
}

/// Reads a spec: parses it, checks it, fills in defaults, and checks how its fields go together.
///
/// `origin` is what messages call the spec, usually its file name.
///
/// # Errors
/// Everything that is wrong with the spec, in the order of the file. Errors of YAML itself stop the reading; errors of
/// a field do not hide those of others.
pub fn load(bytes: &[u8], origin: &str) -> Result<ValidSpec, SpecErrors> {
    let source = yaml::decode(bytes, read_limit_bytes()).map_err(|refused| {
        let (finding, source) = *refused;
        SpecErrors::new(origin, vec![locate(finding, None, source)])
    })?;
    let (tree, mut findings) = yaml::read(source)
        .map_err(|finding| SpecErrors::new(origin, vec![locate(*finding, None, source)]))?;
    let (value, checked) = check(&tree, shape::root());
    findings.extend(checked.findings);
    let is_readable = !checked.has_gaps;
    let cluster = is_readable.then(|| serde_json::from_value::<Cluster>(value));
    let warnings = match cluster {
        Some(Ok(mut cluster)) => {
            complete(&mut cluster.spec, &|path| tree.has(path));
            let found = validate(&cluster);
            findings.extend(unrelated(found.errors, &findings));
            if findings.is_empty() {
                let warnings = found
                    .warnings
                    .into_iter()
                    .map(|finding| locate(finding, Some(&tree), source));
                let warnings = SpecWarnings {
                    origin: origin.to_owned(),
                    warnings: warnings.collect(),
                };
                return Ok(ValidSpec::new(cluster, warnings));
            }
            Vec::new()
        }
        // The check lets nothing pass that serde refuses; if it ever does, the user still gets an error.
        Some(Err(problem)) if findings.is_empty() => vec![Finding::new(path_of!(), problem.to_string())],
        _ => Vec::new(),
    };
    let errors = findings.into_iter().chain(warnings);
    let errors = errors
        .map(|finding| locate(finding, Some(&tree), source))
        .collect();
    Err(SpecErrors::new(origin, errors))
}

fn locate(finding: Finding, tree: Option<&Node>, source: Source<'_>) -> SpecError {
    let mark = finding
        .mark
        .unwrap_or_else(|| tree.map_or(Mark::START, |tree| tree.locate(&finding.path)));
    SpecError::locate(finding, mark, source)
}

/// Leaves out findings about maps in which something is already wrong: they might only follow from it.
fn unrelated(findings: Vec<Finding>, earlier: &[Finding]) -> Vec<Finding> {
    let spec = path_of!("spec");
    let follows = |finding: &Finding| {
        earlier.iter().any(|first| {
            let parent = first.path.parent();
            let cause = if parent.leads_to(&spec) {
                &first.path
            } else {
                &parent
            };
            cause.leads_to(&finding.path)
        })
    };
    findings.into_iter().filter(|finding| !follows(finding)).collect()
}
