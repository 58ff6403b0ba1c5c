//! A plan as a picture: each step is a bar from when it can start to when it should be done, joined to what it waits
//! for. As SVG, as a page around it, and as Graphviz text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use keelson_provider_api::{Action, Change};

use super::humane::duration;
use super::plan_text;
use crate::ops::Planned;

const ROW_HEIGHT: usize = 20;
const LABEL_WIDTH: usize = 340;
const CHART_WIDTH: u64 = 900;
const MARGIN: usize = 20;

/// When each step would start and end, if each took its typical time.
fn schedule(planned: &Planned, typical: &dyn Fn(&Change) -> Duration) -> Vec<(Duration, Duration)> {
    let mut times: Vec<(Duration, Duration)> = Vec::with_capacity(planned.plan.steps().len());
    for step in planned.plan.steps() {
        let start = step
            .after()
            .iter()
            .map(|&earlier| times[earlier].1)
            .max()
            .unwrap_or_default();
        times.push((start, start + typical(step.change())));
    }
    times
}

/// The plan as an SVG timeline; `typical` says how long a change typically takes.
pub fn svg(planned: &Planned, typical: &dyn Fn(&Change) -> Duration) -> String {
    let times = schedule(planned, typical);
    let total = times
        .iter()
        .map(|(_, end)| *end)
        .max()
        .unwrap_or_default()
        .as_millis()
        .max(1);
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let at = |moment: Duration| {
        let offset = u64::try_from(moment.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_mul(CHART_WIDTH)
            / total;
        LABEL_WIDTH + usize::try_from(offset).unwrap_or(0)
    };
    let critical: BTreeSet<usize> = planned.forecast.critical_path.steps.iter().copied().collect();
    let (width, height) = (
        LABEL_WIDTH + 900 + 2 * MARGIN + 60,
        (planned.plan.steps().len() + 2) * ROW_HEIGHT + MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let row = |index: usize| MARGIN + index * ROW_HEIGHT;
    for (index, step) in planned.plan.steps().iter().enumerate() {
        for &earlier in step.after() {
            let on_path = critical.contains(&index) && critical.contains(&earlier);
            let from = (at(times[earlier].1), row(earlier) + 7);
            write_edge(&mut svg, from, (at(times[index].0), row(index) + 7), on_path);
        }
    }
    for (index, step) in planned.plan.steps().iter().enumerate() {
        let (start, end) = times[index];
        let (x, y) = (at(start), row(index));
        let bar = at(end).saturating_sub(x).max(2);
        let stroke = if critical.contains(&index) {
            " stroke=\"#b02a37\" stroke-width=\"2\""
        } else {
            ""
        };
        let label = escape(&step.change().to_string());
        let took = duration(end.saturating_sub(start));
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{}\">{label}</text>\
             <rect x=\"{x}\" y=\"{y}\" width=\"{bar}\" height=\"14\" rx=\"2\" fill=\"{}\"{stroke}>\
             <title>{label}: {took}, after {}</title></rect>",
            y + 11,
            colour(step.change()),
            duration(start)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LABEL_WIDTH}\" y=\"{}\">about {}; what decides it is outlined</text>\n</svg>",
        row(planned.plan.steps().len()) + 14,
        duration(planned.forecast.critical_path.duration)
    );
    svg
}

fn write_edge(svg: &mut String, from: (usize, usize), to: (usize, usize), on_path: bool) {
    let (colour, opacity) = if on_path {
        ("#b02a37", "1")
    } else {
        ("#888888", "0.25")
    };
    let _ = writeln!(
        svg,
        "<path d=\"M{} {} V{} H{}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"{opacity}\"/>",
        from.0, from.1, to.1, to.0
    );
}

fn colour(change: &Change) -> &'static str {
    match &change.action {
        Action::Create { .. } => "#4c9f70",
        Action::Update { .. } => "#e0a800",
        Action::Delete { .. } => "#d1605e",
    }
}

fn escape(text: &str) -> String {
    let entity = |character| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(entity).collect()
}

/// The plan as one HTML page: its text, and the timeline below.
pub fn html(planned: &Planned, typical: &dyn Fn(&Change) -> Duration) -> String {
    let title = escape(&format!("keelson plan: {}", planned.plan.cluster().name));
    let text = anstream::adapter::strip_str(&plan_text::render(planned, true)).to_string();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n<pre>{}</pre>\n{}</body>\n</html>\n",
        escape(&text),
        svg(planned, typical)
    )
}

/// The plan as Graphviz text, for `dot -Tsvg` and its like.
pub fn graphviz(planned: &Planned) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = "digraph plan {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (index, step) in planned.plan.steps().iter().enumerate() {
        let _ = writeln!(text, "  s{index} [label={}];", quote(&step.change().to_string()));
        for earlier in step.after() {
            let _ = writeln!(text, "  s{earlier} -> s{index};");
        }
    }
    text + "}\n"
}
