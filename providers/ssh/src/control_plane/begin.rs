//! Writing down on a machine what it is, and starting what serves that.

use std::time::Duration;

use keelson_provider_api::values::{Secret, Taint};
use keelson_provider_api::{Outcome, StepContext};

use crate::fence::run_fenced;
use crate::shell::{Job, Shell};

const SCRIPT: &str = concat!(
    include_str!("../scripts/write.sh"),
    include_str!("../scripts/unit.sh"),
    include_str!("../scripts/kubernetes-begin.sh")
);
/// Units that start their processes take a moment; containerd is given 90 s by systemd.
const TIMEOUT: Duration = Duration::from_secs(180);

pub(super) const CONTAINERD: &str = "containerd.service";
pub(super) const KUBELET: &str = "kubelet.service";
pub(super) const KEEPALIVED: &str = "keelson-keepalived.service";

/// What a machine is to know, and to run.
pub(super) struct Begin<'a> {
    /// What is done, for messages.
    pub name: &'static str,
    /// The mark's name: `control-plane`, `virtual-address` or `node`.
    pub kind: &'static str,
    /// True for a mark that is there and changes; false for one that is made, and left alone where it is the same.
    pub is_rewritten: bool,
    /// The mark.
    pub line: String,
    /// The taints that a node is registered with; none for what is no node.
    pub taints: &'a [Taint],
    /// The units, in the order in which they start.
    pub units: &'a [&'static str],
    /// What a kubelet brings itself in with.
    pub token: Option<&'a Secret<String>>,
    /// True where the kubelet has to register: one that has run for a while starts anew.
    pub registers: bool,
}

/// Does it. Doing it twice is doing it once.
pub(super) async fn begin(
    shell: &dyn Shell,
    context: &StepContext<'_>,
    what: Begin<'_>,
) -> Result<(), Outcome> {
    let how = if what.is_rewritten { "rewrite" } else { "make" };
    let registers = if what.registers { "register" } else { "-" };
    let mut arguments = vec![
        how.to_owned(),
        what.kind.to_owned(),
        flag(what.taints),
        registers.to_owned(),
    ];
    arguments.extend(what.units.iter().map(|&unit| unit.to_owned()));
    let mut input = what.line.into_bytes();
    input.push(b'\n');
    if let Some(token) = what.token {
        input.extend_from_slice(token.expose().as_bytes());
        input.push(b'\n');
    }
    let job = Job {
        name: what.name,
        script: SCRIPT,
        arguments,
        input,
        timeout: TIMEOUT,
    };
    run_fenced(shell, context, job).await.map(drop)
}

/// Taints as kubelet's `--register-with-taints` takes them; `-` for none.
fn flag(taints: &[Taint]) -> String {
    if taints.is_empty() {
        return "-".to_owned();
    }
    let one = |taint: &Taint| format!("{}={}:{}", taint.key, taint.value, taint.effect.as_str());
    taints.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::values::TaintEffect;

    use super::*;

    #[test]
    fn taints_are_what_a_kubelet_reads() {
        let taint = |key: &str, value: &str, effect| Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect,
        };
        assert_eq!(flag(&[]), "-");
        let taints = [
            taint(
                "node-role.kubernetes.io/control-plane",
                "",
                TaintEffect::NoSchedule,
            ),
            taint("dedicated", "db", TaintEffect::PreferNoSchedule),
            taint("drained", "", TaintEffect::NoExecute),
        ];
        assert_eq!(
            flag(&taints),
            "node-role.kubernetes.io/control-plane=:NoSchedule,dedicated=db:PreferNoSchedule,drained=:NoExecute"
        );
    }
}
