//! Markdown as plain text, for a printer that knows no other.

/// A4 and US Letter both hold it in a typewriter's type.
const COLUMNS: usize = 78;

/// Markdown as plain text: emphasis without its marks, headings underlined, everything wrapped.
pub(super) fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut fenced = false;
    for line in markdown.lines() {
        let flush = |paragraph: &mut String, out: &mut String| {
            wrap(paragraph, out);
            paragraph.clear();
        };
        let bare = line.trim_start();
        let entry = bare.starts_with("- ")
            || bare
                .split_once(". ")
                .is_some_and(|(n, _)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
        if bare.starts_with("```") {
            flush(&mut paragraph, &mut out);
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            flush(&mut paragraph, &mut out);
            out.extend(["    ", line.trim(), "\n"]);
        } else if bare.is_empty() {
            flush(&mut paragraph, &mut out);
            if !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else if bare.starts_with('#') {
            flush(&mut paragraph, &mut out);
            heading(bare, &mut out);
        } else if let Some(row) = bare.strip_prefix('|') {
            flush(&mut paragraph, &mut out);
            table_row(row, &mut out);
        } else {
            if entry {
                flush(&mut paragraph, &mut out);
            }
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(if paragraph.is_empty() { line.trim_end() } else { bare.trim_end() });
        }
    }
    wrap(&paragraph, &mut out);
    out
}

fn heading(line: &str, out: &mut String) {
    let title = unmarked(line.trim_start_matches('#').trim());
    let rule = if line.starts_with("# ") {
        "="
    } else if line.starts_with("## ") {
        "-"
    } else {
        ""
    };
    out.extend([title.as_str(), "\n", &rule.repeat(title.chars().count().min(COLUMNS))]);
    if !rule.is_empty() {
        out.push('\n');
    }
}

/// A row of a table; the rules between rows are left out.
fn table_row(row: &str, out: &mut String) {
    let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
    if cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':'))) {
        return;
    }
    let padded: Vec<String> = cells.iter().map(|cell| format!("{:<30}", unmarked(cell))).collect();
    let line = padded.concat();
    out.extend([line.trim_end(), "\n"]);
}

/// Without the marks of emphasis and code. A star by itself is one.
fn unmarked(text: &str) -> String {
    let bare = |word: &str| if word == "*" { word.to_owned() } else { word.replace(['*', '`'], "") };
    text.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}

/// Writes a paragraph or an entry of a list, wrapped, its later lines under the first one's text.
fn wrap(paragraph: &str, out: &mut String) {
    let text = unmarked(paragraph);
    let bare = text.trim_start();
    if bare.is_empty() {
        return;
    }
    let indent = text.len() - bare.len();
    let number =
        bare.split_once(". ").map(|(number, _)| number).filter(|n| n.chars().all(|c| c.is_ascii_digit()));
    let mark = ["- [ ] ", "- "].into_iter().find(|mark| bare.starts_with(mark)).map(str::len);
    let mark = mark.or(number.map(|number| number.len() + 2)).unwrap_or_default();
    let hang = " ".repeat(indent + mark);
    let mut line = " ".repeat(indent);
    let mut first = true;
    for word in bare.split(' ') {
        let wide = line.chars().count() + 1 + word.chars().count();
        if wide > COLUMNS && !line.trim().is_empty() {
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&hang);
            first = true;
        }
        if !first {
            line.push(' ');
        }
        first = false;
        line.push_str(word);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
