//! Manifests of add-ons in a rehearsal.

use super::lab::Lab;
use super::plans::SPEC;

#[test]
fn a_manifest_is_read_in_a_rehearsal() {
    let lab = Lab::with_spec(&format!(
        "{SPEC}  addons: [{{ name: foo, manifest: foo.yaml }}]\n"
    ));
    lab.expect(0, "validate");
    for command in ["plan", "apply --yes"] {
        lab.expect(1, command).says(&[
            "cannot read foo.yaml",
            "help: name a file that is there: a path in a spec is relative to the spec's folder",
        ]);
    }
    lab.write("foo.yaml", "a: [");
    for command in ["plan", "apply --yes"] {
        lab.expect(1, command).says(&[
            "the manifest of addon/foo, foo.yaml, cannot be used: ",
            "help: mend it",
        ]);
    }
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";
    lab.write("foo.yaml", manifest);
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "plan");
    lab.edit("foo.yaml", "name: a", "name: b");
    let plan = lab.expect(2, "plan").stdout;
    assert!(plan.contains("addon/foo  digest changed"), "{plan}");
    // What is only looked at, or goes, need not be of use.
    lab.write("foo.yaml", "a: [");
    lab.expect(1, "status");
    lab.expect(0, "destroy --yes --progress none");
}

#[test]
fn a_manifest_at_a_url_is_not_fetched_in_a_rehearsal() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let addon = format!("{{ name: foo, manifest: \"http://127.0.0.1:1/foo.yaml\", sha256: \"{digest}\" }}");
    let lab = Lab::with_spec(&format!("{SPEC}  addons: [{addon}]\n"));
    lab.expect(0, "apply --yes --progress none");
}
