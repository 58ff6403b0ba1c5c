//! Files that mean harm: none may take the program down, hold it up, or fill the memory.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keelson::spec::{SpecErrors, load, read_limit_bytes};

const BASE: &str = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: a }\nspec:\n  provider: { simulated: {} }\n";
/// Long enough for a slow machine, short enough to notice a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// Loads `bytes` and returns what is said, within the deadline and on the stack of an ordinary thread.
fn refuse(name: &str, bytes: Vec<u8>) -> SpecErrors {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let outcome = load(&bytes, "hostile.yaml").map(|spec| spec.to_yaml().len());
        let said = outcome.as_ref().err().map(ToString::to_string);
        let _ = sender.send((outcome, said));
    });
    let (outcome, said) = receiver
        .recv_timeout(DEADLINE)
        .unwrap_or_else(|problem| panic!("{name}: {problem}"));
    assert!(
        said.is_none_or(|said| said.len() < 1 << 20),
        "{name}: too much is said"
    );
    match outcome {
        Err(errors) => {
            assert!(!errors.errors.is_empty() && errors.errors.len() <= 1000, "{name}");
            errors
        }
        Ok(_) => panic!("{name} is accepted"),
    }
}

/// Loads `bytes` and checks that the first error says `expected`.
fn refuse_saying(name: &str, bytes: impl Into<Vec<u8>>, expected: &str) {
    let errors = refuse(name, bytes.into());
    let said = errors.to_string();
    assert!(
        said.contains(expected),
        "{name}: {}",
        said.chars().take(600).collect::<String>()
    );
}

fn bomb(levels: usize, width: usize) -> String {
    let mut text = format!("{BASE}  kubelet:\n    config:\n      l0: &l0 [a, a, a, a, a, a, a, a, a]\n");
    for level in 1..levels {
        let aliases = vec![format!("*l{}", level - 1); width].join(", ");
        let _ = writeln!(text, "      l{level}: &l{level} [{aliases}]");
    }
    text
}

#[test]
fn sizes_and_depths_have_limits() {
    refuse_saying("100 MB", vec![b'x'; 100 << 20], "larger than 1048576");
    refuse_saying(
        "one byte too many",
        vec![b'#'; read_limit_bytes() + 1],
        "larger than 1048576",
    );
    refuse_saying("100,000 flow lists", "[".repeat(100_000), "more than 64 levels");
    refuse_saying("100,000 flow maps", "{a: ".repeat(100_000), "more than 64 levels");
    let mut block = String::new();
    for level in 0..1_000 {
        let _ = writeln!(block, "{}a:", " ".repeat(level));
    }
    refuse_saying("1,000 block maps", block, "more than 64 levels");
    refuse_saying(
        "500,000 list items in one line",
        "- ".repeat(500_000),
        "more than 64 levels",
    );
    refuse_saying(
        "400,000 values",
        format!("[{}]", "1,".repeat(400_000)),
        "more than 50000 values",
    );
    let unclosed = format!("{BASE}  kubelet: {{ config: {{ a: \"{}", "x".repeat(900_000));
    refuse_saying("a gigantic unclosed text", unclosed, "closing quote");
    let name = format!("{BASE}  ? {}\n  : 1\n", "k".repeat(900_000));
    refuse_saying("a gigantic name", name, "longer than 512 characters");
}

#[test]
fn aliases_cannot_grow_without_bound() {
    refuse_saying("a billion laughs", bomb(30, 9), "more than 50000 values");
    refuse_saying("a deep chain", bomb(200, 1), "more than 64 levels");
    refuse_saying(
        "itself",
        format!("{BASE}  kubelet: {{ config: &a {{ b: *a }} }}\n"),
        "part of",
    );
    refuse_saying(
        "no anchor",
        format!("{BASE}  kubelet: {{ config: *a }}\n"),
        "refers to no anchor",
    );
}

#[test]
fn a_million_fields_are_refused_quickly() {
    let mut text = BASE.to_owned();
    for index in 0..100_000 {
        let _ = writeln!(text, "  k{index}: 1");
    }
    refuse_saying("100,000 unknown fields, too large", text, "hostile.yaml");
    let mut text = BASE.to_owned();
    for index in 0..45_000 {
        let _ = writeln!(text, "  k{index}: 1");
    }
    let errors = refuse("45,000 unknown fields", text.into_bytes());
    assert_eq!(errors.errors.len() + errors.omitted, 45_000);
    let mut keys = "{".to_owned();
    for index in 0..1_000_000 {
        let _ = write!(keys, "{index}: 1, ");
    }
    refuse_saying("1,000,000 fields", keys, "larger than 1048576");
    refuse_saying(
        "the same field 100,000 times",
        "a: 1\n".repeat(100_000),
        "more than 50000 values",
    );
    refuse_saying(
        "the same field 40,000 times",
        "a: 1\n".repeat(40_000),
        "is given twice",
    );
}

#[test]
fn findings_about_many_items_stay_bounded() {
    let mut labels = format!("{BASE}  nodeGroups:\n  - name: a\n    labels:\n");
    for index in 0..40_000 {
        let _ = writeln!(labels, "      \"{index} \": x");
    }
    refuse_saying("40,000 wrong labels", labels, "contains ` `");
    let mut groups = format!("{BASE}  nodeGroups:\n");
    for _ in 0..20_000 {
        groups.push_str("  - name: a\n");
    }
    refuse_saying("20,000 groups of one name", groups, "too");
    let base = BASE.replace("simulated: {}", "simulated: { like: ssh }");
    let mut hosts = base.replace("  provider: { simulated: { like: ssh } }\n", "  nodeGroups:\n");
    for index in 0..8_000 {
        let _ = writeln!(hosts, "  - name: g{index}");
    }
    hosts.push_str("  provider:\n    simulated:\n      like: ssh\n      hosts:\n");
    for index in 0..3_000 {
        let _ = writeln!(
            hosts,
            "      - {{ name: h{index}, address: h{index}, roles: [worker], group: x{index} }}"
        );
    }
    refuse_saying("3,000 hosts of unknown groups", hosts, "there is no node group");
    let mut gaps = format!("{BASE}  nodeGroups:\n");
    for index in 0..12_000 {
        let _ = writeln!(gaps, "  - {{ min: 9, max: {} }}", index % 9);
    }
    refuse_saying("12,000 groups without names", gaps, "is missing");
    let commas = format!("{BASE}  addons: [{}]\n", "x,".repeat(40_000));
    refuse_saying("40,000 unknown addons", commas, "unknown value");
}

#[test]
fn bytes_that_are_no_text_are_named() {
    refuse_saying(
        "not UTF-8",
        [BASE.as_bytes(), b"  \xFF\n"].concat(),
        "hostile.yaml:6:3: (document): the byte 0xFF at offset",
    );
    refuse_saying("NUL", [BASE.as_bytes(), b"  a: \0\n"].concat(), "U+0000");
    refuse_saying("NUL only", vec![0; 1000], "U+0000");
    refuse_saying("UTF-16", b"\xFF\xFEa\0".to_vec(), "UTF-16");
    refuse_saying("escape sequences", format!("{BASE}  \u{1b}[2J: 1\n"), "U+001B");
    refuse_saying("nothing", "", "the file is empty");
    refuse_saying("a mark alone", "\u{FEFF}", "the file is empty");
    refuse_saying("blanks", "\n\n  \n", "the file is empty");
    refuse_saying("comments", "# nothing\n", "the file is empty");
}

#[test]
fn very_long_lines_are_shown_in_part() {
    let line = format!("{BASE}  kubelet: {{ maxPods: {}1000 }}\n", " ".repeat(900_000));
    let said = refuse("a long line", line.into_bytes()).to_string();
    assert!(
        said.contains("`1000` is out of range") && said.len() < 2_000,
        "{said}"
    );
    let value = format!("{BASE}  network: {{ dnsDomain: {} }}\n", "x".repeat(900_000));
    let said = refuse("a long value", value.into_bytes()).to_string();
    assert!(said.contains("longer than 253") && said.len() < 2_000, "{said}");
}

/// The peak of this process's memory in KiB, from `/proc/self/status`; `None` where there is no such file.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn memory_stays_small() {
    // Each test has a process of its own under nextest; under `cargo test` this one includes the others.
    let files = [
        format!("[{}]", "1,".repeat(500_000)),
        format!("[{}]", "{a: 1},".repeat(140_000)),
        bomb(30, 9),
        "a: 1\n".repeat(200_000),
        format!("{BASE}  addons: [{}]\n", "x,".repeat(40_000)),
        "- &a x\n".repeat(140_000),
    ];
    let before = peak_memory_kib();
    for text in files {
        refuse("for its memory", text.into_bytes());
    }
    for case in super::corpus::cases() {
        refuse("for its memory", std::fs::read(case).unwrap());
    }
    // It holds those 100 MB itself; what is said of them comes on top.
    refuse("100 MB", vec![b'x'; 100 << 20]);
    if let (Some(before), Some(after)) = (before, peak_memory_kib()) {
        assert!(
            after.saturating_sub(before) < 200 << 10,
            "{before} KiB before, {after} KiB after"
        );
    }
}
