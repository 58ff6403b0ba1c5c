//! The documents name everything that they claim to list.

mod plan_form;

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory;
use keelson_provider_api::kinds::KINDS;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `StepDone` as it is in JSON: `step-done`.
fn kebab_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// `took_ms` as it is in JSON: `tookMs`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

/// The variants of `Event` with their fields, read from its source.
fn events() -> Vec<(String, Vec<String>)> {
    let source = read("src/execute/event.rs");
    let (_, after) = source.split_once("pub enum Event {").unwrap();
    let (body, _) = after.split_once("\n}").unwrap();
    let mut events: Vec<(String, Vec<String>)> = Vec::new();
    for line in body.lines() {
        let (text, indentation) = (line.trim(), line.len() - line.trim_start().len());
        if text.starts_with("//") || text.starts_with("#[") || text.is_empty() || text == "}," {
            continue;
        }
        let name: String = text
            .chars()
            .take_while(|&letter| letter.is_alphanumeric() || letter == '_')
            .collect();
        if indentation == 4 {
            events.push((kebab_case(&name), Vec::new()));
        } else {
            events.last_mut().unwrap().1.push(camel_case(&name));
        }
    }
    events
}

#[test]
fn every_event_and_each_of_its_fields_is_described() {
    let document = read("docs/events.md");
    let sections: Vec<(&str, &str)> = document
        .split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .collect();
    let events = events();
    assert!(
        events.len() > 5,
        "the source of `Event` is read wrongly: {events:?}"
    );
    for (event, fields) in &events {
        let title = format!("`{event}`");
        let Some((_, section)) = sections.iter().find(|(heading, _)| *heading == title) else {
            panic!("docs/events.md has no section {title}");
        };
        for field in fields {
            assert!(
                section.contains(&format!("`{field}`")),
                "docs/events.md, {title}: `{field}` is missing"
            );
        }
    }
    for (heading, _) in sections.iter().filter(|(heading, _)| heading.starts_with('`')) {
        assert!(
            events.iter().any(|(event, _)| format!("`{event}`") == *heading),
            "there is no event {heading}"
        );
    }
}

#[test]
fn the_form_of_plans_names_every_kind() {
    let document = read("docs/plan-format.md");
    for info in KINDS {
        assert!(
            document.contains(&format!("`{}`", info.name)),
            "docs/plan-format.md: `{}` is missing",
            info.name
        );
    }
    assert!(document.contains(keelson::plan::PLAN_FORMAT));
}

#[test]
fn the_readme_lists_every_command_and_no_other() {
    let readme = read("README.md");
    for command in keelson::cli::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("`keelson {name}")),
            "README.md: `keelson {name}` is missing"
        );
    }
    let known: BTreeSet<String> = keelson::cli::Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for named in readme.split("| `keelson ").skip(1) {
        let name: String = named.chars().take_while(char::is_ascii_alphabetic).collect();
        assert!(
            known.contains(&name),
            "README.md: there is no command `keelson {name}`"
        );
    }
}

#[test]
fn the_readme_lists_every_example() {
    let readme = read("README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            readme.contains(&format!("(examples/{name})")),
            "README.md: examples/{name} is missing"
        );
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in [
        "README.md",
        "docs/aws.md",
        "docs/events.md",
        "docs/plan-format.md",
        "docs/state-store.md",
        "docs/status-format.md",
        "docs/testing.md",
        "docs/performance.md",
    ] {
        let folder = Path::new(document).parent().unwrap();
        for link in read(document).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
            assert!(path.exists(), "{document}: {target} does not exist");
        }
    }
}

#[test]
fn names_are_converted_as_serde_does() {
    assert_eq!(kebab_case("StepDone"), "step-done");
    assert_eq!(camel_case("took_ms"), "tookMs");
}
