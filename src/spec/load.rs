//! From bytes to a valid spec, or to everything that is wrong with it.

use super::check::check;
use super::complete::complete;
use super::errors::{Finding, SpecError, SpecErrors, clip_origin};
use super::path::{Path, path_of};
use super::shape;
use super::types::Cluster;
use super::valid::{SpecWarnings, ValidSpec};
use super::validate::validate;
use super::yaml;

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
/// Everything that is wrong with the spec, in the order of the file. Errors of YAML itself stop the reading, and a spec
/// that chooses no provider is not read further than its fields; no other error hides another.
///
/// ```
/// use keelson::spec::load;
///
/// let text = "
/// apiVersion: keelson.dev/v1alpha1
/// kind: Cluster
/// metadata: { name: demo }
/// spec:
///   provider: { simulated: {} }
///   nodeGroups: [{ name: workers, replicas: 2 }]
/// ";
/// let spec = load(text.as_bytes(), "demo.yaml")?;
/// assert_eq!(spec.name().to_string(), "demo");
/// assert_eq!(spec.control_plane.replicas, 1, "defaults are filled in");
///
/// let errors = load(text.replace("replicas", "replica").as_bytes(), "typo.yaml").unwrap_err();
/// assert_eq!(errors.errors[0].line, 7);
/// assert!(errors.to_string().contains("`replicas`"), "the nearest valid name is offered");
/// # Ok::<(), keelson::spec::SpecErrors>(())
/// ```
pub fn load(bytes: &[u8], origin: &str) -> Result<ValidSpec, SpecErrors> {
    let source = yaml::decode(bytes, read_limit_bytes()).map_err(|refused| {
        let (finding, source) = *refused;
        SpecErrors::new(origin, vec![finding], None, source)
    })?;
    let (tree, mut findings) =
        yaml::read(source).map_err(|finding| SpecErrors::new(origin, vec![*finding], None, source))?;
    let (value, checked) = check(&tree, shape::root());
    findings.extend(checked.findings);
    let Some(value) = value else {
        return Err(SpecErrors::new(origin, findings, Some(&tree), source));
    };
    let mut cluster: Cluster = serde_json::from_value(value).map_err(|problem| {
        // The check lets nothing pass that serde refuses; if it ever does, the user still gets an error.
        findings.push(Finding::new(path_of!(), problem.to_string()));
        SpecErrors::new(origin, std::mem::take(&mut findings), Some(&tree), source)
    })?;
    complete(&mut cluster.spec, &|path| tree.has(path));
    let found = validate(&cluster);
    findings.extend(unrelated(found.errors, &findings, &checked.gaps));
    if !findings.is_empty() {
        return Err(SpecErrors::new(origin, findings, Some(&tree), source));
    }
    let (warnings, _) = SpecError::locate(found.warnings, Some(&tree), source);
    Ok(ValidSpec::new(
        cluster,
        SpecWarnings {
            origin: clip_origin(origin),
            warnings,
        },
    ))
}

/// How many earlier findings are looked at: a bound on the work that a hostile file can cause.
const LOOKED_AT: usize = 200;

/// Leaves out what might only follow from an `earlier` finding: findings about a map in which something is already
/// wrong, and findings that rest on a value for which a stand-in stands.
fn unrelated(findings: Vec<Finding>, earlier: &[Finding], gaps: &[Path]) -> Vec<Finding> {
    let spec = path_of!("spec");
    let gaps: Vec<&Path> = gaps.iter().take(LOOKED_AT).collect();
    let cause = |first: &Finding| {
        let parent = first.path.parent();
        let stands_alone = parent.leads_to(&spec) || gaps.contains(&&first.path);
        if stands_alone { first.path.clone() } else { parent }
    };
    let causes: Vec<Path> = earlier.iter().take(LOOKED_AT).map(cause).collect();
    let is_in_a_wrong_map = |finding: &Finding| causes.iter().any(|cause| cause.leads_to(&finding.path));
    let rests_on_a_gap = |finding: &Finding| {
        let mut grounds = finding.rests_on.iter().chain([&finding.path]);
        grounds.any(|ground| gaps.iter().any(|gap| ground.leads_to(gap)))
    };
    findings
        .into_iter()
        .filter(|finding| !is_in_a_wrong_map(finding) && !rests_on_a_gap(finding))
        .collect()
}
