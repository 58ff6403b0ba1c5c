//! Imports lead downward only. The table is the map; `src/lib.rs` explains it.

use std::collections::BTreeSet;
use std::path::Path;

use super::{code_lines, expect_none, rust_files};

/// A module of `src/` and the modules beside it that it may name.
struct Floor {
    module: &'static str,
    may_use: &'static [&'static str],
    /// Crates of this workspace that it may name.
    crates: &'static [&'static str],
}

const API: &str = "keelson_provider_api";

/// From the top down: each module names only modules that stand further down in this table.
const FLOORS: &[Floor] = &[
    Floor {
        module: "main",
        may_use: &["cli", "execute"],
        crates: &["keelson"],
    },
    // `main` only parses arguments, so it is the commands that connect: they use the registry.
    Floor {
        module: "cli",
        may_use: &[
            "view", "registry", "assets", "ops", "execute", "plan", "backup", "pki", "spec",
        ],
        crates: &[API],
    },
    // Views name the values that they show and the events that they hear.
    Floor {
        module: "view",
        may_use: &["ops", "execute", "plan", "node", "backup", "pki", "spec"],
        crates: &[API],
    },
    // The only place that names concrete providers and stores. The model says which machines there are to be reached.
    Floor {
        module: "registry",
        may_use: &[
            "assets", "ops", "cluster", "execute", "model", "node", "backup", "pki", "spec", "store",
        ],
        crates: &[
            API,
            "keelson_provider_simulated",
            "keelson_provider_aws",
            "keelson_provider_ssh",
        ],
    },
    Floor {
        module: "ops",
        may_use: &[
            "cluster", "execute", "model", "plan", "addons", "node", "backup", "pki", "spec",
        ],
        crates: &[API],
    },
    // A provider that lives in this crate because it serves all others: it sees what add-ons are made of, and no spec.
    Floor {
        module: "cluster",
        may_use: &["addons"],
        crates: &[API],
    },
    // Never the spec: what is carried out is a plan, whoever made it.
    Floor {
        module: "execute",
        may_use: &["plan"],
        crates: &[API],
    },
    // The model builds what the planner takes, `plan::DesiredState`, so it stands above the planner.
    Floor {
        module: "model",
        may_use: &["plan", "addons", "node", "pki", "spec"],
        crates: &[API],
    },
    Floor {
        module: "plan",
        may_use: &[],
        crates: &[API],
    },
    // What a release is comes from `node`; this is who reads networks and disks for it.
    Floor {
        module: "assets",
        may_use: &["node"],
        crates: &[API],
    },
    // Templates and how they quote come from `node`, the names of groups from `pki`.
    Floor {
        module: "addons",
        may_use: &["node", "pki"],
        crates: &[API],
    },
    Floor {
        module: "node",
        may_use: &[],
        crates: &[API],
    },
    // Encrypts as keys are encrypted.
    Floor {
        module: "backup",
        may_use: &["pki"],
        crates: &[API],
    },
    Floor {
        module: "pki",
        may_use: &[],
        crates: &[API],
    },
    Floor {
        module: "spec",
        may_use: &[],
        crates: &[API],
    },
    Floor {
        module: "store",
        may_use: &[],
        crates: &[API],
    },
];

/// Words that a view has no use for: with them it could act.
const WORDS_OF_DEEDS: &[&str] = &[
    "Session",
    "SessionParts",
    "ProviderSet",
    "Execution",
    "Lease",
    "Store",
    "Provider",
    "std::fs",
    "std::env",
];

#[test]
fn no_module_names_one_above_it() {
    let mut problems = Vec::new();
    for (path, text) in rust_files("src") {
        let module = module_of(&path);
        let Some(floor) = FLOORS.iter().find(|floor| floor.module == module) else {
            // The crate's root names every module.
            if module != "lib" {
                problems.push(format!(
                    "{}: `{module}` stands on no floor: add it to the table",
                    path.display()
                ));
            }
            continue;
        };
        for (number, used) in modules_used(&text) {
            if used != module && !floor.may_use.contains(&used.as_str()) {
                problems.push(format!(
                    "{}:{number}: `{module}` must not use `{used}`",
                    path.display()
                ));
            }
        }
    }
    expect_none(&problems);
}

#[test]
fn the_table_itself_leads_downward() {
    for (index, floor) in FLOORS.iter().enumerate() {
        let below: BTreeSet<_> = FLOORS[index + 1..].iter().map(|floor| floor.module).collect();
        for used in floor.may_use {
            assert!(
                below.contains(used),
                "`{}` uses `{used}`, which does not stand below it",
                floor.module
            );
        }
    }
}

#[test]
fn only_the_registry_names_concrete_providers() {
    let mut problems = Vec::new();
    for (path, text) in rust_files("src") {
        let module = module_of(&path);
        let allowed = FLOORS
            .iter()
            .find(|floor| floor.module == module)
            .map_or(&[][..], |floor| floor.crates);
        for (number, line) in code_lines(&text) {
            for word in words(&line).filter(|word| word.starts_with("keelson_provider_")) {
                if !allowed.contains(&word) {
                    problems.push(format!(
                        "{}:{number}: `{module}` must not name `{word}`",
                        path.display()
                    ));
                }
            }
        }
    }
    expect_none(&problems);
}

/// The machines that tests of a provider stand on.
const TEST_HOSTS: &str = "keelson_test_hosts";

#[test]
fn providers_see_only_the_vocabulary() {
    let mut problems = Vec::new();
    for (path, text) in rust_files("providers") {
        let own = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
        let own = format!("keelson_provider_{own}");
        let is_test = path
            .components()
            .nth(2)
            .is_some_and(|part| part.as_os_str() == "tests");
        for (number, line) in code_lines(&text) {
            // Tests write shell too, and its variables may begin like a crate.
            let is_crate = |word: &&str| word.starts_with("keelson_provider_") || *word == TEST_HOSTS;
            for word in words(&line).filter(is_crate) {
                let is_allowed =
                    word == own || (word == API && own != API) || (word == TEST_HOSTS && is_test);
                if !is_allowed {
                    problems.push(format!("{}:{number}: names `{word}`", path.display()));
                }
            }
        }
    }
    expect_none(&problems);
}

#[test]
fn views_act_on_nothing() {
    let mut problems = Vec::new();
    for (path, text) in rust_files("src/view") {
        for (number, line) in code_lines(&text) {
            let names = |deed: &str| {
                let whole_word = !deed.contains("::");
                line.contains(deed) && (!whole_word || words(&line).any(|word| word == deed))
            };
            let deed = WORDS_OF_DEEDS.iter().find(|deed| names(deed));
            if let Some(deed) = deed {
                problems.push(format!(
                    "{}:{number}: a view has no use for `{deed}`",
                    path.display()
                ));
            }
        }
    }
    expect_none(&problems);
}

/// The module of `src/` that a file belongs to.
fn module_of(path: &Path) -> &str {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs")
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_alphanumeric() || character == '_'))
}

/// The modules that follow `crate::` or, in `main`, `keelson::`, with their lines; groups in braces and lists that
/// go over several lines too.
fn modules_used(text: &str) -> Vec<(usize, String)> {
    let code: Vec<(usize, String)> = code_lines(text).collect();
    let mut used = Vec::new();
    for (position, (number, line)) in code.iter().enumerate() {
        for start in ["crate::", "keelson::"] {
            for (at, _) in line.match_indices(start) {
                if line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                    continue;
                }
                let rest = &line[at + start.len()..];
                if rest.starts_with('{') {
                    let following: String = code[position + 1..]
                        .iter()
                        .map(|(_, line)| line.as_str())
                        .collect();
                    let group = format!("{rest}{following}");
                    used.extend(first_words(&group).into_iter().map(|module| (*number, module)));
                } else {
                    used.extend(words(rest).next().map(|module| (*number, module.to_owned())));
                }
            }
        }
    }
    used
}

/// The first word of each entry of a group in braces: `{a::b, c::{d, e}}` has `a` and `c`.
fn first_words(group: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut entry = String::new();
    let mut entries = Vec::new();
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => entries.push(std::mem::take(&mut entry)),
            _ if depth == 1 => entry.push(character),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    entries.push(entry);
    let first = |entry: &String| words(entry.trim()).next().map(str::to_owned);
    entries
        .iter()
        .filter_map(first)
        .filter(|word| !word.is_empty() && word != "self")
        .collect()
}

#[test]
fn groups_of_imports_are_understood() {
    let text = "use crate::{\n    plan::{self, Plan},\n    spec,\n};\nlet x = crate::ops::y(&crate::view::Z);\n// crate::cli\n";
    let used: Vec<String> = modules_used(text).into_iter().map(|(_, module)| module).collect();
    assert_eq!(used, ["plan", "spec", "ops", "view"]);
}
