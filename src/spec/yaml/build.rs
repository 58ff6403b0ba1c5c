//! From the parser's events to the tree.

use std::collections::HashMap;
use std::rc::Rc;

use keelson_provider_api::values::clip;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span};

use super::syntax;
use super::{Content, Entry, Mark, Node, Source};
use crate::spec::errors::Finding;
use crate::spec::path::{Path, Segment};

/// How deep maps and lists may be nested; the spec's own fields need seven levels.
const DEPTH_LIMIT: usize = 64;
/// How many values a spec may have, aliases written out. Five thousand bare hosts have fewer.
const NODE_LIMIT: usize = 50_000;
/// The longest name of a field; a label's, the longest that means anything, has 317 characters.
const NAME_LIMIT_CHARS: usize = 512;

/// A map or list that is being read.
struct Frame {
    mark: Mark,
    anchor: usize,
    items: Vec<Rc<Node>>,
    entries: Vec<Entry>,
    /// The name that waits for its value, in a map, and whether the value is to be kept.
    name: Option<(String, Mark, bool)>,
    /// Where each name of a map stands.
    names: HashMap<String, Mark>,
    is_map: bool,
}

struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    weight: usize,
    documents: usize,
    findings: Vec<Finding>,
}

/// Reads a document: the tree, and what is wrong with it short of a reason to stop.
///
/// # Errors
/// The first thing after which nothing sensible can be read.
pub(crate) fn read(source: Source<'_>) -> Result<(Rc<Node>, Vec<Finding>), Box<Finding>> {
    let options = granit_parser::options! {
        emit_comments: false,
        block_nesting_limit: DEPTH_LIMIT,
        flow_nesting_limit: DEPTH_LIMIT,
        emit_unresolved_aliases: true,
    };
    let mut builder = Builder {
        frames: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        weight: 0,
        documents: 0,
        findings: Vec::new(),
    };
    for event in Parser::new_from_str_with_options(source.0, options) {
        match event {
            Ok((event, span)) => builder.take(event, &span)?,
            Err(error) => return Err(Box::new(syntax::explain(&error, builder.path()))),
        }
    }
    match builder.root {
        Some(root) => Ok((root, builder.findings)),
        None => Err(Box::new(
            Finding::new(Path::default(), "the file is empty")
                .at(Mark::START)
                .help("`keelson init` writes a spec to begin with"),
        )),
    }
}

fn mark_of(span: &Span) -> Mark {
    let (start, end) = (span.start, span.end);
    let same_line = start.line() == end.line();
    Mark {
        line: start.line().max(1),
        column: start.col() + 1,
        length: if same_line {
            end.col().saturating_sub(start.col()).max(1)
        } else {
            1
        },
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Box<Finding>> {
        let mark = mark_of(span);
        match event {
            Event::DocumentStart(..) => self.begin_document(mark),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark, span);
                // The parser reports a value that is left out as `~`; messages tell the two apart.
                let is_left_out = span.start.index() == span.end.index();
                let text = if is_left_out {
                    String::new()
                } else {
                    text.into_owned()
                };
                self.take_scalar(text, style == ScalarStyle::Plain, anchor, mark)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark, span);
                self.open(false, anchor, mark)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark, span);
                self.open(true, anchor, mark)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.take_alias(anchor, mark),
            Event::UnresolvedAlias(name) => Err(Box::new(
                Finding::new(self.path(), format!("`*{}` refers to no anchor", clip(&name)))
                    .at(mark)
                    .help("put text that begins with `*` into quotes"),
            )),
            _ => Ok(()),
        }
    }

    /// The place in the document that is being read.
    fn path(&self) -> Path {
        let mut segments = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            match (&frame.name, frame.is_map) {
                (Some((name, ..)), true) => segments.push(Segment::Field(name.clone())),
                (None, true) => {}
                (_, false) => segments.push(Segment::Item(frame.items.len())),
            }
        }
        Path(segments)
    }

    fn begin_document(&mut self, mark: Mark) -> Result<(), Box<Finding>> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        Err(Box::new(
            Finding::new(Path::default(), "a second document begins here")
                .at(Mark { length: 3, ..mark })
                .expected("one cluster in one file")
                .help("put each cluster into a file of its own"),
        ))
    }

    fn refuse_tag(&mut self, tagged: bool, mark: Mark, span: &Span) {
        if !tagged {
            return;
        }
        let tag = span.tag_span().map_or(mark, |span| mark_of(&span));
        self.findings.push(
            Finding::new(self.path(), "YAML tags have no meaning in a spec")
                .at(tag)
                .help("remove the tag; put text that begins with `!` into quotes"),
        );
    }

    fn take_scalar(
        &mut self,
        text: String,
        plain: bool,
        anchor: usize,
        mark: Mark,
    ) -> Result<(), Box<Finding>> {
        let awaits_name = self
            .frames
            .last()
            .is_some_and(|frame| frame.is_map && frame.name.is_none());
        if awaits_name {
            return self.take_name(text, plain, mark);
        }
        let node = Node {
            mark,
            content: Content::Scalar { text, plain },
            weight: 1,
            height: 1,
        };
        self.add(Rc::new(node), anchor)
    }

    fn take_name(&mut self, name: String, plain: bool, mark: Mark) -> Result<(), Box<Finding>> {
        if name.is_empty() {
            let finding = Finding::new(self.path(), "a field has no name").at(mark);
            return Err(Box::new(finding.help("a field is written `name: value`")));
        }
        if name.chars().nth(NAME_LIMIT_CHARS).is_some() {
            let problem = format!("a field's name is longer than {NAME_LIMIT_CHARS} characters");
            return Err(Box::new(Finding::new(self.path(), problem).at(mark)));
        }
        let is_merge = plain && name == "<<";
        if is_merge {
            self.findings.push(
                Finding::new(self.path().then("<<"), "YAML merge keys are not supported")
                    .at(mark)
                    .help("write the fields out, or name a whole map with an anchor and `*alias`"),
            );
        }
        let first = self
            .frames
            .last()
            .and_then(|frame| frame.names.get(&name).copied());
        if let Some(first) = first {
            let problem = format!(
                "the field `{}` is given twice; the first is at line {}, column {}",
                clip(&name),
                first.line,
                first.column
            );
            let finding = Finding::new(self.path().then(&name), problem).at(mark);
            self.findings.push(finding.help("remove one of the two"));
        }
        if let Some(frame) = self.frames.last_mut() {
            // Of a name that stands twice the first counts; a merge key never does. Both are errors already.
            frame.name = Some((name, mark, first.is_none() && !is_merge));
        }
        Ok(())
    }

    fn take_alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Box<Finding>> {
        if self
            .frames
            .last()
            .is_some_and(|frame| frame.is_map && frame.name.is_none())
        {
            let finding = Finding::new(self.path(), "an alias is used as a field's name");
            return Err(Box::new(
                finding.at(mark).help("put text that begins with `*` into quotes"),
            ));
        }
        let Some(target) = self.anchors.get(&anchor).map(Rc::clone) else {
            let finding = Finding::new(self.path(), "an alias refers to the value that it is part of");
            return Err(Box::new(finding.at(mark)));
        };
        // A scalar is copied, so that errors about it point at its use.
        let node = match &target.content {
            Content::Scalar { text, plain } => Rc::new(Node {
                mark,
                content: Content::Scalar {
                    text: text.clone(),
                    plain: *plain,
                },
                weight: 1,
                height: 1,
            }),
            _ => target,
        };
        self.add(node, 0)
    }

    fn open(&mut self, is_map: bool, anchor: usize, mark: Mark) -> Result<(), Box<Finding>> {
        if self
            .frames
            .last()
            .is_some_and(|frame| frame.is_map && frame.name.is_none())
        {
            let kind = if is_map { "map" } else { "list" };
            return Err(Box::new(
                Finding::new(self.path(), format!("a {kind} is used as a field's name"))
                    .at(mark)
                    .help("put template expressions such as `{{ name }}` into quotes, or fill them in first"),
            ));
        }
        self.frames.push(Frame {
            mark,
            anchor,
            items: Vec::new(),
            entries: Vec::new(),
            name: None,
            names: HashMap::new(),
            is_map,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Box<Finding>> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let children = || {
            frame
                .items
                .iter()
                .chain(frame.entries.iter().map(|entry| &entry.value))
        };
        let weight = children().map(|child| child.weight).sum::<usize>() + 1;
        let height = children().map(|child| child.height).max().unwrap_or(0) + 1;
        let anchor = frame.anchor;
        let content = if frame.is_map {
            Content::Map(frame.entries)
        } else {
            Content::List(frame.items)
        };
        // The children are counted already.
        self.weight = self.weight.saturating_sub(weight - 1);
        let node = Node {
            mark: frame.mark,
            content,
            weight,
            height,
        };
        self.add(Rc::new(node), anchor)
    }

    /// Puts a finished value into its map or list.
    fn add(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Box<Finding>> {
        self.weight += node.weight;
        if self.weight > NODE_LIMIT {
            let problem = format!("there are more than {NODE_LIMIT} values, aliases written out");
            return Err(Box::new(Finding::new(self.path(), problem).at(node.mark)));
        }
        if self.frames.len() + node.height > DEPTH_LIMIT + 1 {
            let problem = format!("maps and lists are nested more than {DEPTH_LIMIT} levels deep");
            return Err(Box::new(Finding::new(self.path(), problem).at(node.mark)));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match frame.name.take() {
            Some((name, mark, true)) => {
                frame.names.insert(name.clone(), mark);
                frame.entries.push(Entry {
                    name,
                    mark,
                    value: node,
                });
            }
            Some(_) => {}
            None => frame.items.push(node),
        }
        Ok(())
    }
}
