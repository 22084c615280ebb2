//! A screen as a picture and as text: for `S`, and for the pictures of the README.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::theme::ThemeName;
use super::widgets::text::width;

/// A character's place, in the picture's units.
const CELL: (u32, u32) = (9, 19);
const MARGIN: u32 = 14;

/// The screen as lines of text, without what is blank at their ends.
#[must_use]
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut line = String::new();
        each(buffer, y, |_, cell| line.push_str(cell.symbol()));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The screen as an SVG with its colours, in whatever monospaced font the viewer has.
#[must_use]
pub fn svg(buffer: &Buffer, theme: ThemeName) -> String {
    let (ground, ink) =
        if theme == ThemeName::Light { ("#ffffff", "#1c1c1c") } else { ("#10141a", "#d7dae0") };
    let wide = u32::from(buffer.area.width) * CELL.0 + MARGIN * 2;
    let high = u32::from(buffer.area.height) * CELL.1 + MARGIN * 2;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"'JetBrains Mono','Cascadia Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"15\">\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{ground}\"/>\n"
    );
    for y in buffer.area.top()..buffer.area.bottom() {
        grounds(&mut svg, buffer, y, (ground, ink));
        inks(&mut svg, buffer, y, (ground, ink));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Calls with each cell that begins a character; what a wide one covers is passed over.
fn each<'b>(buffer: &'b Buffer, y: u16, mut with: impl FnMut(u16, &'b Cell)) {
    let mut covered = 0;
    for x in buffer.area.left()..buffer.area.right() {
        let Some(cell) = buffer.cell((x, y)) else { continue };
        if covered > 0 {
            covered -= 1;
            continue;
        }
        covered = width(cell.symbol()).saturating_sub(1);
        with(x, cell);
    }
}

fn place(buffer: &Buffer, x: u16, y: u16) -> (u32, u32) {
    (MARGIN + u32::from(x - buffer.area.left()) * CELL.0, MARGIN + u32::from(y - buffer.area.top()) * CELL.1)
}

/// Ink and ground of a cell, reversal done.
fn colours(cell: &Cell, (ground, ink): (&'static str, &'static str)) -> (String, String) {
    let fg = colour(cell.fg).unwrap_or_else(|| ink.to_owned());
    let bg = colour(cell.bg).unwrap_or_else(|| ground.to_owned());
    if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) }
}

fn grounds(svg: &mut String, buffer: &Buffer, y: u16, plain: (&'static str, &'static str)) {
    let mut run: Option<(u16, u16, String)> = None;
    let mut finish = |run: &mut Option<(u16, u16, String)>| {
        if let Some((start, end, fill)) = run.take() {
            let (left, top) = place(buffer, start, y);
            let wide = u32::from(end - start) * CELL.0;
            // Writing to a String cannot fail.
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{fill}\"/>",
                CELL.1
            );
        }
    };
    for x in buffer.area.left()..buffer.area.right() {
        let Some(cell) = buffer.cell((x, y)) else { continue };
        let (_, bg) = colours(cell, plain);
        match &mut run {
            Some((_, end, fill)) if *fill == bg => *end = x + 1,
            _ => {
                finish(&mut run);
                if bg != plain.0 {
                    run = Some((x, x + 1, bg));
                }
            }
        }
    }
    finish(&mut run);
}

fn inks(svg: &mut String, buffer: &Buffer, y: u16, plain: (&'static str, &'static str)) {
    let mut run: Option<(u16, String, String, Modifier)> = None;
    let mut finish = |run: &mut Option<(u16, String, String, Modifier)>| {
        if let Some((start, text, fill, modifier)) = run.take() {
            write_text(svg, place(buffer, start, y), &text, &fill, modifier);
        }
    };
    each(buffer, y, |x, cell| {
        let symbol = cell.symbol();
        if symbol.trim().is_empty() && !cell.modifier.contains(Modifier::UNDERLINED) {
            finish(&mut run);
            return;
        }
        let (fg, _) = colours(cell, plain);
        let shape = cell.modifier - Modifier::REVERSED;
        // Characters outside ASCII get their own place, so that another width in the viewer's font shifts nothing.
        let alone = !symbol.is_ascii();
        match &mut run {
            Some((_, text, fill, modifier))
                if *fill == fg && *modifier == shape && !alone && text.is_ascii() =>
            {
                text.push_str(symbol);
            }
            _ => {
                finish(&mut run);
                run = Some((x, symbol.to_owned(), fg, shape));
            }
        }
    });
    finish(&mut run);
}

fn write_text(svg: &mut String, (left, top): (u32, u32), text: &str, fill: &str, modifier: Modifier) {
    let mut looks = String::new();
    for (flag, look) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::DIM, " opacity=\"0.65\""),
    ] {
        if modifier.contains(flag) {
            looks.push_str(look);
        }
    }
    // A font whose characters are not as wide as ours would drift: the length is set.
    let length = u32::try_from(width(text)).unwrap_or(0) * CELL.0;
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" fill=\"{fill}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{looks}>{}</text>",
        top + 14,
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// An indexed colour as terminals show it; None for the terminal's own.
fn colour(colour: Color) -> Option<String> {
    let Color::Indexed(index) = colour else { return None };
    let (r, g, b) = match index {
        0..=15 => {
            const ANSI: [(u8, u8, u8); 16] = [
                (0, 0, 0),
                (205, 0, 0),
                (0, 205, 0),
                (205, 205, 0),
                (0, 0, 238),
                (205, 0, 205),
                (0, 205, 205),
                (229, 229, 229),
                (127, 127, 127),
                (255, 0, 0),
                (0, 255, 0),
                (255, 255, 0),
                (92, 92, 255),
                (255, 0, 255),
                (0, 255, 255),
                (255, 255, 255),
            ];
            ANSI[usize::from(index)]
        }
        16..=231 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
            let cube = index - 16;
            (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232..=255 => {
            let grey = 8 + (index - 232) * 10;
            (grey, grey, grey)
        }
    };
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{colour, svg, text};
    use crate::console::theme::ThemeName;
    use ratatui::buffer::Buffer;
    use ratatui::style::{Color, Style};

    #[test]
    fn what_means_something_to_xml_is_escaped_and_colours_are_kept() {
        let mut buffer = Buffer::with_lines(["a<b>&\"  鍵x"]);
        buffer.set_style(buffer.area, Style::new().fg(Color::Indexed(203)));
        let picture = svg(&buffer, ThemeName::Dark);
        assert!(picture.contains(">a&lt;b&gt;&amp;&quot;</text>"), "{picture}");
        assert!(picture.contains("fill=\"#ff5f5f\""));
        assert_eq!(text(&buffer), "a<b>&\"  鍵x\n");
    }

    #[test]
    fn indexed_colours_are_those_of_the_256() {
        assert_eq!(colour(Color::Indexed(16)).as_deref(), Some("#000000"));
        assert_eq!(colour(Color::Indexed(231)).as_deref(), Some("#ffffff"));
        assert_eq!(colour(Color::Indexed(244)).as_deref(), Some("#808080"));
        assert_eq!(colour(Color::Reset), None);
    }
}
