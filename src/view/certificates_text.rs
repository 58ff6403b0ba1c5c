//! Certificates, for reading: the state store's, then each machine's.

use std::fmt::Write as _;

use super::humane::printable;
use super::styles::{BAD, CHANGE, GOOD, STRONG, paint};
use super::table::table;
use crate::ops::CertificateReport;
use crate::pki::{CertificateRecord, Verdict};

/// What stands for something that is not known.
const NONE: &str = "-";

/// The report as text.
pub fn render(report: &CertificateReport) -> String {
    let mut text = String::new();
    let mut rest = report.certificates.as_slice();
    while let Some(first) = rest.first() {
        let (place, _) = split(&first.place);
        let count = rest.iter().take_while(|row| split(&row.place).0 == place).count();
        let (section, after) = rest.split_at(count);
        let _ = writeln!(text, "{}", paint(STRONG, place));
        let rows: Vec<Vec<String>> = section.iter().map(row).collect();
        let header = ["CERTIFICATE", "SUBJECT", "SIGNER", "ENDS", "DAYS", "VERDICT"];
        text.push_str(&table(&header, &rows));
        text.push('\n');
        rest = after;
    }
    write_rest(&mut text, report);
    text
}

/// The machine and its file; the state store is both.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.split_once(':') {
        Some((machine, file)) => (machine, Some(file)),
        None => (place, None),
    }
}

fn row(record: &CertificateRecord) -> Vec<String> {
    let (_, file) = split(&record.place);
    let text = |text: Option<&String>| text.map_or_else(|| NONE.to_owned(), |text| printable(text));
    vec![
        file.unwrap_or(&record.certificate).to_owned(),
        text(record.subject.as_ref()),
        text(record.issuer.as_ref()),
        record
            .expires
            .map_or_else(|| NONE.to_owned(), |expires| format!("{expires:.0}")),
        record
            .residual_days
            .map_or_else(|| NONE.to_owned(), |days| days.to_string()),
        verdict(record),
    ]
}

fn verdict(record: &CertificateRecord) -> String {
    let style = match record.verdict {
        Verdict::Good => GOOD,
        Verdict::ExpiresSoon { .. } => CHANGE,
        _ => BAD,
    };
    let external = if record.externally_managed {
        " (its authority's key is not keelson's)"
    } else {
        ""
    };
    format!("{}{external}", paint(style, printable(&record.words)))
}

fn write_rest(text: &mut String, report: &CertificateReport) {
    for key in &report.keys {
        let state = key
            .problem
            .as_ref()
            .map_or_else(|| "good; it has no end".to_owned(), |problem| printable(problem));
        let _ = writeln!(text, "{}: {}: {state}", key.place, key.key);
    }
    for machine in &report.unseen {
        let _ = writeln!(
            text,
            "{} {}: its certificates could not be looked at: {}",
            paint(BAD, "!"),
            machine.machine,
            printable(&machine.problem)
        );
        if let Some(help) = &machine.help {
            let _ = writeln!(text, "    {}", printable(help));
        }
    }
    if !report.not_yet.is_empty() {
        let machines = report.not_yet.join(", ");
        let _ = writeln!(
            text,
            "not part of the cluster yet: {machines}; `keelson apply` brings them in"
        );
    }
    if let Some(caveat) = &report.caveat {
        let _ = writeln!(text, "{caveat}");
    }
    let conclusion = match (report.good, &report.caveat) {
        (true, Some(_)) => return,
        (true, None) => paint(GOOD, "every certificate is good"),
        (false, _) => paint(BAD, "not every certificate is good"),
    };
    let _ = writeln!(text, "{conclusion}");
}
