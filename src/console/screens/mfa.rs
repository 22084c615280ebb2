//! What the Run screen says where a change's role asks for a code of the operator's MFA device.

use ratatui::text::Line;

use crate::console::Face;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::text::Paragraph;
use crate::model::duty::Duty;
use crate::model::text::visible;

/// What is asked of the operator's MFA device; in a drill the device itself lies beside.
pub(super) fn lines(state: &State, device: &str, duty: Duty, wrong: Option<&str>) -> Vec<Paragraph> {
    let theme = &state.theme;
    let say = |text: String, tone: Tone| Paragraph::hanging(Line::styled(text, theme.tone(tone)), 2);
    let mut lines: Vec<Paragraph> = wrong
        .map(visible)
        .into_iter()
        .chain(state.run.complaint.as_deref().map(visible))
        .map(|why| say(format!("✗ {why}"), Tone::Bad))
        .collect();
    lines.push(say(
        format!(
            "Confirmed. Now as {duty}: the six digits that {} shows, then enter. Nothing has been sent.",
            visible(device.rsplit(':').next().unwrap_or(device))
        ),
        Tone::Strong,
    ));
    if let Some(pretend) = &state.options.device {
        let Face { code, seconds_left, used } = pretend.face(state.now);
        let (head, tail) = code.split_at_checked(3).unwrap_or((&code, ""));
        let line = if used {
            format!("▣ simulated device: used already, the next code in {seconds_left} s")
        } else {
            format!("▣ simulated device: {head} {tail} ({seconds_left} s left)")
        };
        lines.push(say(line, if used { Tone::Dim } else { Tone::Accent }));
    }
    lines
}
