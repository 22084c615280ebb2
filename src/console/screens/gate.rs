//! The gate's preview and confirmation: the screen that everything else exists for.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::keys::counted;
use crate::console::commands::Command;
use crate::console::dependents;
use crate::console::keymap::Keymap;
use crate::console::state::State;
use crate::console::theme::{Theme, Tone};
use crate::console::widgets::panel;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::text::{Paragraph, wrap, wrap_words};
use crate::gate::preview::Preview;
use crate::inventory::dependents as brief;
use crate::model::age::{ago, short};
use crate::model::dependents::{Dependents, exposed_until};
use crate::model::plan::Operation;
use crate::model::seen::Seen;
use crate::model::text::visible;
use crate::model::usage::Usage;
use crate::respond::view::Waiting;

/// Whether the gate waits for its confirmation, on the Run screen.
#[must_use]
pub fn stands(state: &State) -> bool {
    preview(state).is_some()
}

fn preview(state: &State) -> Option<&Preview> {
    match state.run.view.as_ref().map(|view| &view.waiting) {
        Some(Waiting::Confirmation { preview, .. }) => Some(preview),
        _ => None,
    }
}

/// Whether what was typed is what has to be; the gate asks the same again.
///
/// # Errors
/// What is wrong with it, for the screen.
pub fn check(typed: &str, preview: &Preview) -> Result<(), String> {
    let wanted = &preview.must_type;
    if typed == wanted || preview.must_type_override().as_deref() == Some(typed) {
        return Ok(());
    }
    Err(if typed.is_empty() {
        format!("nothing typed, nothing happened: enter alone never {}", words(&preview.plan.operation).alone)
    } else if wanted.starts_with(typed) {
        format!("not the whole of it yet: type {}", visible(wanted))
    } else {
        format!("that is not {}: nothing happened", visible(wanted))
    })
}

/// The words of an operation.
struct OperationWords {
    title: &'static str,
    /// `to …`
    purpose: &'static str,
    /// enter alone never …
    alone: &'static str,
    reach: &'static str,
}

fn words(operation: &Operation) -> OperationWords {
    let (title, purpose, alone, reach) = match operation {
        Operation::DisableKey => ("DROP THE GATE", "drop the gate", "drops the gate", "STOPS WORKING"),
        Operation::EnableKey => ("RAISE THE GATE", "raise the gate", "raises the gate", "WORKS AGAIN"),
        Operation::CancelKeyDeletion => (
            "SAVE THE KEY",
            "cancel its deletion",
            "cancels a deletion",
            "IS SAVED FROM LOSS, AND STAYS DISABLED",
        ),
        Operation::ScheduleKeyDeletion { .. } => (
            "HAVE THE KEY DELETED",
            "have it deleted for good",
            "deletes a key",
            "STOPS WORKING, AND IS LOST WITH THE KEY",
        ),
        Operation::EnableKeyRotation { .. } => {
            ("ROTATE BY ITSELF", "have it rotated", "changes a rotation", "GOES ON WORKING")
        }
        Operation::RotateKeyOnDemand => {
            ("ROTATE NOW", "rotate it", "rotates a key", "GOES ON WORKING, ON NEW MATERIAL")
        }
        Operation::RevokeGrant { .. } => {
            ("REVOKE A GRANT", "end the grant", "ends a grant", "DEPENDS ON THE KEY; THE GRANTEE LOSES IT")
        }
        Operation::DenyPrincipal { .. } => (
            "SHUT OUT A PRINCIPAL",
            "shut it out",
            "shuts anybody out",
            "DEPENDS ON THE KEY; THE PRINCIPAL LOSES IT",
        ),
        Operation::AllowPrincipal { .. } => {
            ("LET A PRINCIPAL IN AGAIN", "let it in again", "lets anybody in", "DEPENDS ON THE KEY")
        }
        Operation::StartDbInstance { .. } => {
            ("START THE INSTANCE", "start it", "starts an instance", "DEPENDS ON THE KEY")
        }
    };
    OperationWords { title, purpose, alone, reach }
}

/// Draws the preview in full, and the line to be typed below it.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let Some(key) = preview(state).map(|preview| preview.plan.key.clone()) else { return };
    let live = dependents::of(state, &key);
    let page = state.run.who.then(|| dependents::page(state, &key));
    let Some(preview) = preview(state) else { return };
    let theme = &state.theme;
    let operation = &preview.plan.operation;
    let words = words(operation);
    let border = if operation.stands() { theme.border_danger } else { theme.border_focus };
    let title = format!("{} ─ {operation} ─ {}", words.title, preview.plan.incident);
    let inner = panel::boxed(
        buf,
        area,
        border,
        (&title, border),
        if page.is_some() { "esc back to the plan" } else { "esc leave, nothing happens" },
        theme.tone(Tone::Dim),
    );
    let shown = Shown {
        preview,
        usage: best(&live.usage, &preview.dependents.usage),
        who: who_key(&state.options.keymap),
        now: state.now,
    };
    let lines = page.unwrap_or_else(|| lines(&shown, theme, inner.height < 30));
    let complaint = state.run.complaint.as_ref().map(|complaint| {
        wrap_words(format!("✗ {complaint}"), theme.tone(Tone::Bad), usize::from(inner.width))
    });
    let complaint = complaint.unwrap_or_default();
    let asked = wrap(&[asked(preview, theme).into()], usize::from(inner.width));
    let below = 2 + u16::try_from(asked.len() + complaint.len()).unwrap_or(0);
    let text = Rect { height: inner.height.saturating_sub(below), ..inner };
    confirmation(
        state,
        &asked,
        &complaint,
        buf,
        Rect { y: text.bottom(), height: inner.bottom() - text.bottom(), ..inner },
    );
    let theme = theme.clone();
    state.run.text.draw(buf, text, &theme, &lines);
}

/// What has to be typed, and what for.
fn asked(preview: &Preview, theme: &Theme) -> Line<'static> {
    let purpose = words(&preview.plan.operation).purpose;
    Line::from(vec![
        Span::styled("Type  ", theme.tone(Tone::Text)),
        Span::styled(visible(&preview.must_type).into_owned(), theme.tone(Tone::Strong)),
        Span::styled(format!("  to {purpose}, then enter:"), theme.tone(Tone::Text)),
    ])
}

fn confirmation(
    state: &State,
    asked: &[Line<'static>],
    complaint: &[Line<'static>],
    buf: &mut Buffer,
    area: Rect,
) {
    let theme = &state.theme;
    let rule = "─".repeat(usize::from(area.width));
    buf.set_stringn(area.x, area.y, rule, usize::from(area.width), theme.border);
    let mut y = area.y + 1;
    for line in asked {
        // The line to type into always has its place.
        if y + 1 < area.bottom() {
            buf.set_line(area.x, y, line, area.width);
            y += 1;
        }
    }
    if y < area.bottom() {
        let (x, _) = buf.set_stringn(area.x, y, "› ", usize::from(area.width), theme.tone(Tone::Accent));
        let field = Rect { x, y, width: area.right().saturating_sub(x), height: 1 };
        state.run.input.draw(buf, field, theme.input);
    }
    for (line, y) in complaint.iter().zip(y + 1..area.bottom()) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// A preview, with what the trail has told since.
struct Shown<'a> {
    preview: &'a Preview,
    usage: &'a Seen<Usage>,
    /// The key that opens who uses it; empty where there is none.
    who: String,
    now: Timestamp,
}

/// What is known now, else what was known when the plan was made.
fn best<'a>(live: &'a Seen<Usage>, planned: &'a Seen<Usage>) -> &'a Seen<Usage> {
    if live.known().is_some() || planned.known().is_none() { live } else { planned }
}

/// Letters are typed here, so only a key with a modifier, or one that is no letter, opens the page.
pub fn who_key(keymap: &Keymap) -> String {
    let mut keys = keymap.keys(Command::Dependents).iter().map(ToString::to_string);
    keys.find(|key| key.chars().count() > 1).unwrap_or_default()
}

/// The whole plan, as lines.
fn lines(shown: &Shown<'_>, theme: &Theme, compact: bool) -> Vec<Paragraph> {
    let (preview, now) = (shown.preview, shown.now);
    let plan = &preview.plan;
    let mut sheet = Sheet::new(theme, 4).compact(compact);
    let environment = visible(&plan.environment).to_uppercase();
    let production = if preview.production && !environment.contains("PROD") { " (PRODUCTION)" } else { "" };
    sheet.text(
        format!("{environment}{production}  {} {}", visible(&plan.account), visible(&plan.region)),
        if preview.production { Tone::Bad } else { Tone::Strong },
    );
    sheet.fact("key", format!("{}   {}", visible(&plan.key_name), plan.key), Tone::Strong);
    let read = ago(plan.observed.at, now);
    sheet.fact(
        "now",
        format!("{} (read {read} ago) · as {}", plan.observed.state, visible(&preview.acting_as)),
        Tone::Text,
    );
    let found = plan.cek.as_ref().map(|cek| format!(" · found through {cek}")).unwrap_or_default();
    sheet.fact("why", format!("{}{found}", plan.reason), Tone::Text);
    if !preview.change.is_empty() {
        sheet.heading("THE CHANGE");
        for line in &preview.change {
            sheet.text(format!("  {}", visible(line)), Tone::Strong);
        }
    }
    reach(&mut sheet, shown);
    if plan.operation.stands() {
        goes_on(&mut sheet, preview, now);
    }
    if !preview.regions.is_empty() {
        sheet.heading("REGIONS");
        for line in &preview.regions {
            sheet.text(format!("  {}", visible(line)), Tone::Notice);
        }
    }
    sheet.heading("CALLS");
    for call in &preview.calls {
        sheet.text(format!("  → {}", visible(call)), Tone::Text);
    }
    sheet.heading("UNDO");
    sheet.text(format!("  {}", visible(&preview.undo)), Tone::Text);
    sheet.heading("PLAN");
    let approvals = match preview.approvals_needed {
        0 => ("no approval is asked for in this environment".to_owned(), Tone::Dim),
        1 => ("▲ 1 other person must still approve".to_owned(), Tone::Warn),
        more => (format!("▲ {more} other people must still approve"), Tone::Warn),
    };
    sheet.text(format!("  {}", approvals.0), approvals.1);
    if let Some(typed) = preview.must_type_override() {
        let without =
            format!("  to do without, which is recorded and told to everybody, type  {}", visible(&typed));
        sheet.text(without, Tone::Warn);
    }
    let good = if plan.expires_at > now {
        (format!("good for {} more", short(plan.expires_at.duration_since(now))), Tone::Text)
    } else {
        ("▲ stale: esc, and start again".to_owned(), Tone::Bad)
    };
    sheet.text(format!("  {} · {}", preview.digest.short(), good.0), good.1);
    sheet.done()
}

fn reach(sheet: &mut Sheet<'_>, shown: &Shown<'_>) {
    let preview = shown.preview;
    let dependents = &preview.dependents;
    sheet.heading(words(&preview.plan.operation).reach);
    let databases: Vec<String> =
        dependents.databases.keys().map(|place| place.database.to_string()).collect();
    sheet.text(
        format!(
            "  {} · {} · {}{}{}",
            counted(dependents.column_keys.len(), "column key"),
            counted(dependents.columns.len(), "column"),
            counted(databases.len(), "database"),
            if databases.is_empty() { "" } else { "   " },
            databases.join(", ")
        ),
        Tone::Strong,
    );
    let mut used = brief::usage_brief(shown.usage, shown.now);
    if !shown.who.is_empty() {
        used.text = format!("{}   [{}] who", used.text, shown.who);
    }
    dependents::line(sheet, &used);
    for warning in &preview.warnings {
        sheet.text(format!("  ▲ {}", visible(warning)), Tone::Warn);
    }
    rds(sheet, &preview.plan.operation, dependents);
    dependents::line(sheet, &brief::grants_brief(dependents));
    dependents::line(sheet, &brief::policy_brief(dependents));
}

/// Instances under the key. Those that would go down, and that they are not known, is among the warnings.
fn rds(sheet: &mut Sheet<'_>, operation: &Operation, dependents: &Dependents) {
    let Seen::Known(all) = &dependents.rds else { return };
    if operation.drops() && !all.is_empty() {
        return;
    }
    let told: Vec<String> =
        all.iter().map(|instance| format!("{} ({})", instance.id, instance.status)).collect();
    let told =
        if told.is_empty() { "no instance stores its data under it".to_owned() } else { told.join(", ") };
    sheet.text(format!("  RDS: {told}"), Tone::Text);
}

fn goes_on(sheet: &mut Sheet<'_>, preview: &Preview, now: Timestamp) {
    sheet.heading("KEEPS WORKING");
    let until = exposed_until(now, preview.column_key_cache).strftime("%H:%MZ");
    sheet.text(
        format!(
            "  clients that hold decrypted column keys, until {until} at the latest (cache {})",
            short(preview.column_key_cache)
        ),
        Tone::Notice,
    );
    if !matches!(preview.dependents.relatives, Seen::Known(_)) {
        for line in brief::relatives_brief(&preview.dependents) {
            dependents::line(sheet, &line);
        }
    }
}

/// The plan for paper: all that the screen says, and the plan itself.
#[must_use]
pub fn plan_text(state: &State, preview: &Preview) -> String {
    let plan = &preview.plan;
    let mut text = format!(
        "{} - {}\nincident {}\nplan {}\nprinted {}\n\n",
        words(&plan.operation).title,
        plan.operation,
        plan.incident,
        preview.digest,
        state.now
    );
    let shown = Shown { preview, usage: &preview.dependents.usage, who: String::new(), now: state.now };
    for line in lines(&shown, &state.theme, false) {
        text.push_str(line.line.to_string().trim_end());
        text.push('\n');
    }
    let json = serde_json::to_string_pretty(plan).unwrap_or_default();
    text.push_str("\nTHE PLAN THAT THE DIGEST BINDS\n");
    text.push_str(&json);
    text.push('\n');
    text
}
