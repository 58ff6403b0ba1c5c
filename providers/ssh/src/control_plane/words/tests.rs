use super::*;

const UNITS: &str = "unit\tcontainerd\tactive\t0\tsuccess\nunit\tkubelet\tactive\t0\tsuccess\n";
const RUNNING: &str = "container\tkube-apiserver\tCONTAINER_RUNNING\t0\t0\t\n\
    container\tkube-controller-manager\tCONTAINER_RUNNING\t0\t0\t\ncontainer\tkube-scheduler\tCONTAINER_RUNNING\t0\t0\t\n";

fn of(rest: &str) -> Words {
    Words::read(&format!("{UNITS}{rest}end\tend\n"))
}

#[test]
fn a_port_that_someone_else_has_is_named_with_who_has_it() {
    let words = of("listener\tkube-scheduler\tpython3\t812\n");
    assert_eq!(
        words.decisive().as_deref(),
        Some("port 10259, which kube-scheduler needs, is taken by python3 (process 812)")
    );
    // As the kernel cuts them.
    for own in ["kube-controller", "kube-controller-manager"] {
        assert_eq!(
            of(&format!("listener\tkube-controller-manager\t{own}\t9\n")).decisive(),
            None,
            "{own}"
        );
    }
}

#[test]
fn waiting_may_help_while_things_begin() {
    assert_eq!(Words::default().decisive(), None);
    assert_eq!(of("").decisive(), None);
    assert_eq!(of(RUNNING).decisive(), None);
    let ended = |name: &str, attempt: u32| {
        of(&format!(
            "container\t{name}\tCONTAINER_EXITED\t{attempt}\t1\tError\nlog\t{name}\tError: unknown flag: --nonsense\n"
        ))
    };
    assert_eq!(ended("kube-apiserver", 2).decisive(), None);
    assert_eq!(
        ended("kube-scheduler", 9).decisive(),
        None,
        "it ends where there is no API server"
    );
    assert_eq!(
        ended("kube-apiserver", 3).decisive().as_deref(),
        Some(
            "its container ended with status 1 (Error), run 4; it said last: Error: unknown flag: --nonsense"
        )
    );
}

#[test]
fn a_kubelet_that_does_not_stay_is_decisive() {
    let kubelet = |state: &str, restarts: u32| {
        Words::read(&format!(
            "unit\tkubelet\t{state}\t{restarts}\texit-code\njournal\tkubelet\tE0101 failed to load Kubelet config file\n"
        ))
    };
    assert_eq!(kubelet("activating", 3).decisive(), None);
    assert_eq!(kubelet("active", 9).decisive(), None);
    let words = kubelet("activating", 4).decisive().unwrap();
    assert_eq!(
        words,
        "kubelet.service is activating (exit-code) and was begun again 4 times; it said last: E0101 failed to load \
         Kubelet config file"
    );
}

#[test]
fn the_words_of_the_registry_are_found_in_those_of_the_kubelet() {
    let gone = "E1126 19:00:00.1 9 log.go:32] \"PullImage from image service failed\" err=\"rpc error: code = NotFound desc = \
        failed to pull and unpack image \\\"10.90.1.1:5000/kube-apiserver:v1.36.2\\\": not found\" \
        image=\"10.90.1.1:5000/kube-apiserver:v1.36.2\"";
    let words = of(&format!("pull\t{gone}\n"));
    let told = words.decisive().unwrap();
    assert!(
        told.ends_with("unpack image \"10.90.1.1:5000/kube-apiserver:v1.36.2\": not found"),
        "{told}"
    );
    let down = gone.replace(
        "not found",
        "dial tcp 10.90.1.1:5000: connect: connection refused",
    );
    let down = down.replace("NotFound", "Unknown");
    let words = of(&format!("pull\t{down}\n"));
    assert_eq!(words.decisive(), None, "a registry may come back");
    assert!(words.pull_trouble().unwrap().contains("connection refused"));
    // All images came in the end.
    assert_eq!(of(&format!("pull\t{gone}\n{RUNNING}")).decisive(), None);
}

#[test]
fn the_words_of_the_registry_are_found_in_those_of_a_real_kubelet() {
    // Of kubelet 1.36.2 and containerd 2.1.9.
    let line = r#"E1126 20:45:18.614605     223 pod_workers.go:1324] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"kube-controller-manager\" with ErrImagePull: \"rpc error: code = NotFound desc = failed to pull and unpack image \\\"10.90.0.1:41145/kube-controller-manager:v9.9.9\\\": failed to resolve image: 10.90.0.1:41145/kube-controller-manager:v9.9.9: not found\"" pod="kube-system/kube-controller-manager-a" podUID="87e347859ec7f5ace0275cade0265b10""#;
    let words = of(&format!("pull\t{line}\n"));
    assert_eq!(
        words.decisive().as_deref(),
        Some(
            "an image cannot be pulled: failed to pull and unpack image \"10.90.0.1:41145/kube-controller-manager:v9.9.9\": \
             failed to resolve image: 10.90.0.1:41145/kube-controller-manager:v9.9.9: not found"
        )
    );
}

#[test]
fn everything_that_is_known_is_told_once() {
    let text = of("container\tkube-apiserver\tCONTAINER_EXITED\t0\t1\tError\nlog\tkube-apiserver\tbind: address already in use\n")
        .of_components([("kube-apiserver", "connection refused"), ("kube-scheduler", "no")]);
    assert_eq!(
        text,
        "kube-apiserver does not answer (connection refused): its container ended with status 1 (Error), run 1; it said \
         last: bind: address already in use; kube-scheduler does not answer (no): it has no container"
    );
    let rubbish = Words::read("\u{0}\t\u{1}\nunit\nunit\tkubelet\ncontainer\tx\ty\tz\nlog\nlisten");
    assert!(rubbish.of_components([]).contains("kubelet.service is"));
}
