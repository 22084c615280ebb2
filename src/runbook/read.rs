//! From a document's text to a [`Runbook`].
//!
//! The reader goes line by line, because every mistake has to be told with its line, and because it refuses
//! what a Markdown reader would pass over in silence: a `step` block that is indented out of being one, a
//! heading without its blank, an HTML comment that is on the screen and not on paper.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::mistake::{Mistake, Wrong};
use super::step::{self, Block};
use super::text::{Text, placeholder_in};
use super::{Runbook, Step, StepKind};

impl Runbook {
    /// Reads a document; `file` is what a mistake names.
    ///
    /// # Errors
    /// The first mistake, with its file and line.
    pub fn read(document: &str, file: &Path) -> Result<Self, Mistake> {
        read(document).map_err(|wrong| wrong.within(file))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    id: Spanned<String>,
    title: Spanned<String>,
    summary: Spanned<String>,
    role: Option<String>,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    when_to_use: Vec<String>,
    undone_by: Option<String>,
}

fn read(document: &str) -> Result<Runbook, Wrong> {
    let lines: Vec<&str> = document.lines().collect();
    let (front, body) = front_matter(&lines)?;
    let sections = sections(&lines, body)?;
    let intro = Text::read(&lines[sections.intro.clone()], sections.intro.start + 1)?;
    let titles: Vec<String> = sections.steps.iter().map(|s| s.title.to_owned()).collect();
    let mut steps = Vec::with_capacity(titles.len());
    for (index, section) in sections.steps.iter().enumerate() {
        steps.push(read_step(section, index, &titles)?);
    }
    if steps.is_empty() {
        return Err(Wrong::new(lines.len().max(1), "a runbook needs at least one step: a `## ` heading"));
    }
    Ok(Runbook {
        id: front.id.into_inner(),
        title: front.title.into_inner(),
        summary: front.summary.into_inner(),
        role: front.role,
        controls: front.controls,
        when_to_use: front.when_to_use,
        undone_by: front.undone_by,
        intro,
        steps,
        digest: hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document.as_bytes())),
        file: None,
    })
}

/// Reads the front matter; the second part is the index of the first line after it.
fn front_matter(lines: &[&str]) -> Result<(FrontMatter, usize), Wrong> {
    if lines.first().map(|line| line.trim_end()) != Some("+++") {
        return Err(Wrong::new(1, "a runbook begins with its front matter: TOML between two `+++` lines"));
    }
    let end = lines
        .iter()
        .skip(1)
        .position(|line| line.trim_end() == "+++")
        .ok_or_else(|| Wrong::new(1, "the front matter is not closed by a second `+++` line"))?
        + 1;
    let front: FrontMatter = from_toml(&lines[1..end], 2)?;
    let line_of = |span: Range<usize>| 2 + newlines_before(&lines[1..end].join("\n"), span.start);
    let id = front.id.get_ref();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(plain) {
        return Err(Wrong::new(line_of(front.id.span()), "`id` takes lower-case letters, digits and dashes"));
    }
    for (key, value) in [("title", &front.title), ("summary", &front.summary)] {
        if value.get_ref().trim().is_empty() {
            return Err(Wrong::new(line_of(value.span()), format!("`{key}` is empty")));
        }
    }
    Ok((front, end + 1))
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
    line: usize,
}

fn sections<'a>(lines: &[&'a str], body: usize) -> Result<Sections<'a>, Wrong> {
    let mut found = Sections { intro: body..lines.len(), steps: Vec::new() };
    let mut fence: Option<Fence> = None;
    for (index, line) in lines.iter().enumerate().skip(body) {
        let number = index + 1;
        if let Some(open) = &fence {
            let (step, closes) = (open.step, closes(open, line));
            if closes {
                fence = None;
            }
            match found.steps.last_mut() {
                Some(section) if step && !closes => section.block.get_or_insert_default().1.push(line),
                Some(section) if step => section.text.push((number + 1, Vec::new())),
                Some(section) => section.add(number, line),
                None => {}
            }
        } else if let Some(opened) = opens(line, number) {
            if opened.step {
                begin_block(&mut found, number)?;
            } else if let Some(section) = found.steps.last_mut() {
                section.add(number, line);
            }
            fence = Some(opened);
        } else if let Some(title) = heading(line, number)? {
            if found.steps.is_empty() {
                found.intro.end = index;
            }
            found.steps.push(Section { title, heading: number, text: Vec::new(), block: None });
        } else {
            refuse_what_would_be_lost(line, number)?;
            if let Some(section) = found.steps.last_mut() {
                section.add(number, line);
            }
        }
    }
    match fence {
        Some(open) => Err(Wrong::new(open.line, "this fenced block is never closed")),
        None => Ok(found),
    }
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
    Some(Fence { mark, length, step: info == "step", line: number })
}

fn closes(fence: &Fence, line: &str) -> bool {
    let marks = line.trim_start_matches(' ');
    let length = marks.chars().take_while(|&c| c == fence.mark).count();
    line.len() - marks.len() <= 3 && length >= fence.length && marks[length..].trim().is_empty()
}

/// The title of a `## ` heading.
fn heading(line: &str, number: usize) -> Result<Option<&str>, Wrong> {
    let Some(rest) = line.strip_prefix("##") else { return Ok(None) };
    if rest.starts_with('#') {
        return Ok(None);
    }
    let title = rest.trim().trim_end_matches('#').trim_end();
    if title.is_empty() {
        return Err(Wrong::new(number, "a step needs a title after `## `"));
    }
    if !rest.starts_with([' ', '\t']) {
        return Err(Wrong::new(number, "a heading needs a blank after `##`, or it is none"));
    }
    if let Some((_, word, _)) = placeholder_in(title) {
        return Err(Wrong::new(
            number,
            format!("a title takes no placeholder: move `{{{word}}}` into the text"),
        ));
    }
    Ok(Some(title))
}

fn refuse_what_would_be_lost(line: &str, number: usize) -> Result<(), Wrong> {
    let words = line.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
    let marks = words.trim_start_matches(['`', '~']);
    if words.len() - marks.len() >= 3 && marks.trim() == "step" {
        return Err(Wrong::new(
            number,
            "a `step` block must begin at the margin, or nothing would happen there",
        ));
    }
    if line != words && words.starts_with("## ") {
        return Err(Wrong::new(number, "a step's heading must begin at the margin"));
    }
    if line.contains("<!--") {
        return Err(Wrong::new(number, "HTML comments are not taken: paper and screen must say the same"));
    }
    Ok(())
}

fn read_step(section: &Section<'_>, index: usize, titles: &[String]) -> Result<Step, Wrong> {
    if titles[..index].iter().any(|title| title == section.title) {
        return Err(Wrong::new(section.heading, format!("two steps are called `{}`", section.title)));
    }
    let text = read_text(section)?;
    let block = match &section.block {
        Some((first, lines)) => Block::read(lines, *first)?,
        None => Block::manual(section.heading),
    };
    let step = step::build(&block, section.title, text, &titles[index + 1..], index + 1)?;
    if matches!(step.kind, StepKind::Manual { .. }) && step.text.is_empty() {
        return Err(Wrong::new(section.heading, "a manual step needs text: what is a person to do?"));
    }
    Ok(step)
}

fn read_text(section: &Section<'_>) -> Result<Text, Wrong> {
    let mut whole = Text::default();
    for (first, lines) in &section.text {
        whole.append(Text::read(lines, *first)?);
    }
    Ok(whole)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
