//! The page about one event: the sentence, what was found, the facts, then the record as it came.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Entry, look, selected};
use crate::console::commands::Command;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::text::Paragraph;
use crate::detect::Finding;
use crate::model::age::ago;
use crate::model::event::{KeyEvent, Outcome};
use crate::model::text::visible;

/// Draws the page about the selected event.
pub(super) fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let entry = selected(state).and_then(|entry| Some((entry, entry.event()?)));
    let lines = entry.map_or_else(Vec::new, |(entry, event)| lines(state, entry, &event));
    state.events.detail.draw(buf, area, &state.theme, &lines);
}

/// The page about an event: the sentence and the facts first, then the record as it came.
fn lines(state: &State, entry: Entry<'_>, event: &KeyEvent) -> Vec<Paragraph> {
    let mut sheet = Sheet::new(&state.theme, 10);
    sheet.heading(event.name.to_string());
    sheet.text(entry.sentence(event, state.now), Tone::Strong);
    for finding in entry.findings() {
        found(&mut sheet, finding, state);
    }
    sheet.heading("FACTS");
    if state.several() {
        sheet.fact("where", visible(entry.environment).into_owned(), Tone::Strong);
    }
    facts(&mut sheet, state, entry, event);
    references(&mut sheet, entry);
    sheet.heading("RECORD");
    sheet.json(&entry.raw().unwrap_or_default());
    sheet.done()
}

/// What a rule says: the reason, and what to do next.
fn found(sheet: &mut Sheet<'_>, finding: &Finding, state: &State) {
    let (glyph, tone) = look(finding.severity);
    let rule = finding.rule;
    sheet.heading(format!("{glyph} {} {}", finding.severity.word().to_uppercase(), rule.title));
    sheet.text(visible(&finding.reason).into_owned(), tone);
    if let Some(muted) = &finding.muted {
        let until = muted.expires.strftime("%Y-%m-%d");
        sheet.fact("muted", format!("until {until}: {}", visible(&muted.reason)), Tone::Dim);
    }
    sheet.fact("means", rule.why, Tone::Text);
    sheet.fact("next", rule.next.say, Tone::Strong);
    if let Some(runbook) = rule.next.runbook {
        let key =
            state.options.keymap.key(Command::StartRunbook).map(|key| key.to_string()).unwrap_or_default();
        let how = if state.can_act() {
            format!("{key} starts it on this key")
        } else {
            "read-only here".to_owned()
        };
        sheet.fact("runbook", format!("{runbook} · {how}"), Tone::Text);
    }
    if finding.events.len() > 1 {
        sheet.fact("rests on", format!("{} events, this one among them", finding.events.len()), Tone::Text);
    }
    sheet.fact("rule", rule.id, Tone::Dim);
}

/// Where to read more of what was found.
fn references(sheet: &mut Sheet<'_>, entry: Entry<'_>) {
    let findings = entry.findings();
    if findings.is_empty() {
        return;
    }
    sheet.heading("REFERENCES");
    for finding in findings {
        let techniques = finding.rule.techniques.iter().map(|one| format!("ATT&CK {} {}", one.id, one.name));
        let references = finding.rule.references.iter().map(|one| (*one).to_owned());
        let all: Vec<String> = references.chain(techniques).collect();
        sheet.text(format!("{}: {}", finding.rule.id, all.join(" · ")), Tone::Dim);
    }
}

fn facts(sheet: &mut Sheet<'_>, state: &State, entry: Entry<'_>, event: &KeyEvent) {
    let (glyph, tone) = look(event.severity);
    sheet.fact("severity", format!("{glyph} {}", event.severity.word()), tone);
    let at = event.at.strftime("%Y-%m-%d %H:%M:%SZ");
    sheet.fact("when", format!("{at} ({} ago)", ago(event.at, state.now)), Tone::Text);
    sheet.fact("who", event.who.name.to_string(), Tone::Strong);
    if let Some(role) = &event.who.role {
        sheet.fact("through", role.to_string(), Tone::Text);
    }
    if let Some(session) = event.who.session.as_ref().filter(|session| **session != event.who.name) {
        sheet.fact("session", session.to_string(), Tone::Text);
    }
    if let Some(service) = event.who.invoked_by.as_ref().filter(|service| **service != event.who.name) {
        sheet.fact("by service", service.to_string(), Tone::Text);
    }
    let mfa = match event.who.mfa {
        Some(true) => ("with MFA", Tone::Good),
        Some(false) => ("without MFA", Tone::Notice),
        None => ("the record does not say", Tone::Dim),
    };
    sheet.fact("MFA", mfa.0, mfa.1);
    let account = event.who.account.as_deref().map(|account| format!(" · account {}", visible(account)));
    sheet.fact("identity", format!("{}{}", event.who.kind, account.unwrap_or_default()), Tone::Text);
    match &event.outcome {
        Outcome::Allowed => sheet.fact("outcome", "allowed", Tone::Good),
        Outcome::DryRun => sheet.fact("outcome", "a dry run: allowed, and nothing happened", Tone::Dim),
        Outcome::Denied { code, message } => {
            sheet.fact("outcome", format!("denied: {} {message}", visible(code)), Tone::Warn);
        }
        Outcome::Failed { code, message } => {
            sheet.fact("outcome", format!("failed: {} {message}", visible(code)), Tone::Notice);
        }
    }
    for arn in &event.keys {
        sheet.fact("key", visible(entry.names.get(arn)).into_owned(), Tone::Strong);
        sheet.fact("", arn.to_string(), Tone::Text);
    }
    if let Some(typed) = &event.key_as_typed {
        sheet.fact("as typed", typed.to_string(), Tone::Text);
    }
    sheet.fact("from", event.from.to_string(), Tone::Text);
    sheet.fact("with", event.user_agent.to_string(), Tone::Text);
    sheet.fact("service", format!("{} in {}", event.source, visible(&event.region)), Tone::Text);
    origin(sheet, event);
}

/// Facts about a call that only some records have.
fn origin(sheet: &mut Sheet<'_>, event: &KeyEvent) {
    let facts = [
        ("access key", event.who.access_key.as_deref()),
        ("endpoint", event.vpc_endpoint.as_deref()),
        ("material", event.key_material.as_deref()),
        ("shared id", event.shared_id.as_deref()),
    ];
    for (what, value) in facts.into_iter().filter_map(|(what, value)| Some((what, value?))) {
        sheet.fact(what, visible(value).into_owned(), Tone::Text);
    }
    if event.crosses_accounts() {
        let owner = event.recipient.as_deref().unwrap_or("unknown");
        sheet.fact(
            "accounts",
            format!("a call across accounts; this record is {}'s", visible(owner)),
            Tone::Notice,
        );
    }
    if event.who.from_console {
        sheet.fact("console", "with a web console sign-in's credentials", Tone::Notice);
    }
}
