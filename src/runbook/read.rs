//! From a document's text to a [`Runbook`].
//!
//! The reader goes line by line, because every mistake has to be told with its line, and because it refuses
//! what a Markdown reader would pass over in silence: a `step` block that is indented out of being one, a
//! heading without its blank, an HTML comment that is on the screen and not on paper.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::block::Block;
use super::kind::{StepKind, Then, Value};
use super::mistake::{Mistake, Wrong};
use super::step::{self, Place, RESERVED};
use super::text::{Text, placeholder_in};
use super::{OnFailure, Runbook, Step};
use crate::model::duty::Duty;

impl Runbook {
    /// Reads a document; `file` is what a mistake names.
    ///
    /// # Errors
    /// Every mistake, in the order of the lines. TOML that does not hold together has one for each block.
    pub fn read(document: &str, file: &Path) -> Result<Self, Vec<Mistake>> {
        read(document).map_err(|mut wrongs| {
            wrongs.sort_by_key(|wrong| wrong.line);
            wrongs.into_iter().map(|wrong| wrong.within(file)).collect()
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    id: Spanned<String>,
    title: Spanned<String>,
    summary: Spanned<String>,
    role: Option<Spanned<String>>,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    when_to_use: Vec<String>,
    #[serde(default)]
    when_not_to_use: Vec<String>,
    #[serde(default)]
    prerequisites: Vec<String>,
    #[serde(default)]
    tell: Vec<String>,
    #[serde(default)]
    afterwards: Vec<String>,
    undone_by: Option<String>,
    replaces: Option<Spanned<String>>,
    #[serde(default)]
    takes_lost_keys: bool,
}

fn read(document: &str) -> Result<Runbook, Vec<Wrong>> {
    let lines: Vec<&str> = document.lines().collect();
    let mut wrongs = Vec::new();
    let (front, body) = front_matter(&lines, &mut wrongs);
    let Some(body) = body else { return Err(wrongs) };
    let sections = sections(&lines, body, &mut wrongs);
    let intro = Text::read(&lines[sections.intro.clone()], sections.intro.start + 1, &mut wrongs);
    let titles: Vec<String> = sections.steps.iter().map(|s| s.title.to_owned()).collect();
    let steps: Vec<Option<Step>> = sections
        .steps
        .iter()
        .enumerate()
        .map(|(index, section)| read_step(section, &Place { index, titles: &titles }, &mut wrongs))
        .collect();
    if sections.steps.is_empty() {
        wrongs.push(Wrong::new(lines.len().max(1), "a runbook needs at least one step: a `## ` heading"));
    }
    let steps: Option<Vec<Step>> = steps.into_iter().collect();
    let (Some(front), Some(steps)) = (front, steps) else { return Err(wrongs) };
    unmet_needs(&steps, &sections, &mut wrongs);
    dead_ends(&steps, &sections, &mut wrongs);
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    Ok(Runbook {
        id: front.id.into_inner(),
        title: front.title.into_inner(),
        summary: front.summary.into_inner(),
        role: front.role.and_then(|role| duty(role.get_ref())),
        controls: front.controls,
        when_to_use: front.when_to_use,
        when_not_to_use: front.when_not_to_use,
        prerequisites: front.prerequisites,
        tell: front.tell,
        afterwards: front.afterwards,
        undone_by: front.undone_by,
        replaces: front.replaces.map(Spanned::into_inner),
        takes_lost_keys: front.takes_lost_keys,
        intro,
        steps,
        digest: hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document.as_bytes())),
        file: None,
    })
}

/// Reads the front matter; the second part is the index of the first line after it, where there is one.
fn front_matter(lines: &[&str], wrongs: &mut Vec<Wrong>) -> (Option<FrontMatter>, Option<usize>) {
    if lines.first().map(|line| line.trim_end()) != Some("+++") {
        wrongs.push(Wrong::new(1, "a runbook begins with its front matter: TOML between two `+++` lines"));
        return (None, None);
    }
    let Some(end) = lines.iter().skip(1).position(|line| line.trim_end() == "+++").map(|at| at + 1) else {
        wrongs.push(Wrong::new(1, "the front matter is not closed by a second `+++` line"));
        return (None, None);
    };
    let front = match from_toml::<FrontMatter>(&lines[1..end], 2) {
        Ok(front) => front,
        Err(wrong) => {
            wrongs.push(wrong);
            return (None, Some(end + 1));
        }
    };
    let text = lines[1..end].join("\n");
    let line_of = |span: Range<usize>| 2 + newlines_before(&text, span.start);
    let id = front.id.get_ref();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(plain) {
        let reason = "`id` takes lower-case letters, digits and dashes";
        wrongs.push(Wrong::new(line_of(front.id.span()), reason));
    }
    for (key, value) in [("title", &front.title), ("summary", &front.summary)] {
        if value.get_ref().trim().is_empty() {
            wrongs.push(Wrong::new(line_of(value.span()), format!("`{key}` is empty")));
        }
    }
    if let Some(role) = front.role.as_ref().filter(|role| duty(role.get_ref()).is_none()) {
        let words = Duty::ALL.map(Duty::word).join(", ");
        let reason = format!("`role` takes {words}; not `{}`", role.get_ref());
        wrongs.push(Wrong::new(line_of(role.span()), reason));
    }
    if let Some(replaces) = front.replaces.as_ref().filter(|replaces| replaces.get_ref() != id) {
        let reason = format!(
            "`replaces` takes the runbook's own id, `{id}`: one stands in the place of another by its id"
        );
        wrongs.push(Wrong::new(line_of(replaces.span()), reason));
    }
    (Some(front), Some(end + 1))
}

fn duty(word: &str) -> Option<Duty> {
    Duty::ALL.into_iter().find(|duty| duty.word() == word)
}

/// Steps that use a value which no step before them finds out.
fn unmet_needs(steps: &[Step], sections: &Sections<'_>, wrongs: &mut Vec<Wrong>) {
    for (index, (step, section)) in steps.iter().zip(&sections.steps).enumerate() {
        let needs = match &step.kind {
            StepKind::Change(change) => change.needs(),
            StepKind::Verify(verify) => verify.needs(),
            _ => None,
        };
        let Some(value) = needs else { continue };
        if !steps[..index].iter().any(|before| before.kind.learns() == Some(value)) {
            let from = if value == Value::Material {
                "`check = \"key-material\"`".to_owned()
            } else {
                format!("`ask = \"{}\"`", value.word())
            };
            let line = section.block.as_ref().map_or(section.heading, |(first, _)| *first);
            wrongs.push(Wrong::new(line, format!("this needs a step with {from} before it")));
        }
    }
}

/// Steps to which nothing leads: they would never be taken.
fn dead_ends(steps: &[Step], sections: &Sections<'_>, wrongs: &mut Vec<Wrong>) {
    let mut reached = vec![false; steps.len()];
    let mut to_see = vec![0];
    while let Some(at) = to_see.pop() {
        let Some(step) = steps.get(at).filter(|_| !std::mem::replace(&mut reached[at], true)) else {
            continue;
        };
        let mut leads = match &step.kind {
            StepKind::Choose { options, .. } => options.iter().map(|option| option.then).collect(),
            _ => vec![step.then],
        };
        // A choice that is skipped is followed by the next step.
        if step.only_if_state.is_some() || !step.only_if.is_empty() {
            leads.push(step.then);
        }
        if let OnFailure::GoOn(then) | OnFailure::Ask(then) = step.on_failure {
            leads.push(then);
        }
        to_see.extend(
            leads
                .into_iter()
                .filter_map(|then| match then {
                    Then::Next => Some(at + 1),
                    Then::Step(index) => Some(index),
                    Then::Finish => None,
                })
                .filter(|index| *index < steps.len()),
        );
    }
    for (section, _) in sections.steps.iter().zip(reached).filter(|(_, reached)| !reached) {
        let reason = format!("nothing leads to the step `{}`: it would never be taken", section.title);
        wrongs.push(Wrong::new(section.heading, reason));
    }
}

/// Reads TOML that begins at document line `first`.
pub(super) fn from_toml<T: for<'de> Deserialize<'de>>(lines: &[&str], first: usize) -> Result<T, Wrong> {
    let text = lines.join("\n");
    toml::from_str(&text).map_err(|error| {
        let line = first + error.span().map_or(0, |span| newlines_before(&text, span.start));
        Wrong::new(line, error.message().replace('\n', " "))
    })
}

/// How many lines of `text` end before byte `at`.
pub(super) fn newlines_before(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

/// The parts of a document after its front matter, as line indices.
struct Sections<'a> {
    intro: Range<usize>,
    steps: Vec<Section<'a>>,
}

struct Section<'a> {
    title: &'a str,
    /// From 1.
    heading: usize,
    /// The text's lines without the `step` block, and the line on which each piece begins.
    text: Vec<(usize, Vec<&'a str>)>,
    /// The inside of the `step` block, and its first line.
    block: Option<(usize, Vec<&'a str>)>,
}

/// An open fence: its character, its length, and whether it is a `step` block.
struct Fence {
    mark: char,
    length: usize,
    step: bool,
    /// A `step` block with a mistake, whose inside belongs to no step.
    stray: bool,
    line: usize,
}

fn sections<'a>(lines: &[&'a str], body: usize, wrongs: &mut Vec<Wrong>) -> Sections<'a> {
    let mut found = Sections { intro: body..lines.len(), steps: Vec::new() };
    let mut fence: Option<Fence> = None;
    for (index, line) in lines.iter().enumerate().skip(body) {
        let number = index + 1;
        if let Some(open) = &fence {
            let (step, stray, closes) = (open.step, open.stray, closes(open, line));
            if closes {
                fence = None;
            }
            match found.steps.last_mut().filter(|_| !stray) {
                Some(section) if step && !closes => section.block.get_or_insert_default().1.push(line),
                Some(section) if step => section.text.push((number + 1, Vec::new())),
                Some(section) => section.add(number, line),
                None => {}
            }
        } else if let Some(mut opened) = opens(line, number) {
            if opened.step {
                let wrong = begin_block(&mut found, number).err();
                opened.stray = wrong.is_some();
                wrongs.extend(wrong);
            } else if let Some(section) = found.steps.last_mut() {
                section.add(number, line);
            }
            fence = Some(opened);
        } else if let Some(title) = heading(line, number, wrongs) {
            if found.steps.is_empty() {
                found.intro.end = index;
            }
            found.steps.push(Section { title, heading: number, text: Vec::new(), block: None });
        } else {
            wrongs.extend(what_would_be_lost(line, number));
            if let Some(section) = found.steps.last_mut() {
                section.add(number, line);
            }
        }
    }
    wrongs.extend(fence.map(|open| Wrong::new(open.line, "this fenced block is never closed")));
    found
}

impl<'a> Section<'a> {
    fn add(&mut self, number: usize, line: &'a str) {
        match self.text.last_mut() {
            Some((_, lines)) => lines.push(line),
            None => self.text.push((number, vec![line])),
        }
    }
}

fn begin_block(found: &mut Sections<'_>, number: usize) -> Result<(), Wrong> {
    let Some(section) = found.steps.last_mut() else {
        return Err(Wrong::new(
            number,
            "a `step` block stands under its `##` heading; there is none above it",
        ));
    };
    if section.block.is_some() {
        return Err(Wrong::new(
            number,
            "a step has one `step` block; give the second one a heading of its own",
        ));
    }
    section.block = Some((number + 1, Vec::new()));
    Ok(())
}

/// The fence that a line opens, after `CommonMark`: at most three blanks, then at least three marks.
fn opens(line: &str, number: usize) -> Option<Fence> {
    let marks = line.trim_start_matches(' ');
    if line.len() - marks.len() > 3 {
        return None;
    }
    let mark = marks.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = marks.chars().take_while(|&c| c == mark).count();
    let info = marks[length..].trim();
    if length < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    Some(Fence { mark, length, step: info == "step", stray: false, line: number })
}

fn closes(fence: &Fence, line: &str) -> bool {
    let marks = line.trim_start_matches(' ');
    let length = marks.chars().take_while(|&c| c == fence.mark).count();
    line.len() - marks.len() <= 3 && length >= fence.length && marks[length..].trim().is_empty()
}

/// The title of a `## ` heading. One with a mistake begins a step all the same.
fn heading<'a>(line: &'a str, number: usize, wrongs: &mut Vec<Wrong>) -> Option<&'a str> {
    let rest = line.strip_prefix("##").filter(|rest| !rest.starts_with('#'))?;
    let title = rest.trim().trim_end_matches('#').trim_end();
    let mut wrong = |reason: String| wrongs.push(Wrong::new(number, reason));
    if title.is_empty() {
        wrong("a step needs a title after `## `".to_owned());
    } else if !rest.starts_with([' ', '\t']) {
        wrong("a heading needs a blank after `##`, or it is none".to_owned());
    }
    if let Some((_, word, _)) = placeholder_in(title) {
        wrong(format!("a title takes no placeholder: move `{{{word}}}` into the text"));
    }
    if RESERVED.contains(&title) {
        wrong(format!("no step can be called `{title}`: `then` and `on_failure` mean something else by it"));
    }
    Some(title)
}

fn what_would_be_lost(line: &str, number: usize) -> Option<Wrong> {
    let words = line.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
    let marks = words.trim_start_matches(['`', '~']);
    let lost = if words.len() - marks.len() >= 3 && marks.trim() == "step" {
        "a `step` block must begin at the margin, or nothing would happen there"
    } else if line != words && words.starts_with("## ") {
        "a step's heading must begin at the margin"
    } else if line.contains("<!--") {
        "HTML comments are not taken: paper and screen must say the same"
    } else {
        return None;
    };
    Some(Wrong::new(number, lost))
}

fn read_step(section: &Section<'_>, place: &Place<'_>, wrongs: &mut Vec<Wrong>) -> Option<Step> {
    if place.titles[..place.index].iter().any(|title| title == section.title) {
        wrongs.push(Wrong::new(section.heading, format!("two steps are called `{}`", section.title)));
    }
    let text = read_text(section, wrongs);
    let block = match &section.block {
        // An empty block is told by the line of its fence.
        Some((first, lines)) => Block::read(lines, if lines.is_empty() { *first - 1 } else { *first }),
        None => Ok(Block::manual(section.heading)),
    };
    let block = block.map_err(|wrong| wrongs.push(wrong)).ok()?;
    let step = step::build(&block, text, place, wrongs)?;
    if matches!(step.kind, StepKind::Manual { .. }) && step.text.is_empty() {
        wrongs.push(Wrong::new(section.heading, "a manual step needs text: what is a person to do?"));
    }
    Some(step)
}

fn read_text(section: &Section<'_>, wrongs: &mut Vec<Wrong>) -> Text {
    let mut whole = Text::default();
    for (first, lines) in &section.text {
        whole.append(Text::read(lines, *first, wrongs));
    }
    whole
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
