//! The Run screen: the steps, what the present one says, what was found out, what is waited for.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Screen;
use super::{gate, mfa};
use crate::cloud::MfaCode;
use crate::console::commands::Command;
use crate::console::dependents;
use crate::console::header::left;
use crate::console::markdown;
use crate::console::state::{Action, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::input::TextInput;
use crate::console::widgets::panel;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::text::{Paragraph, fit, width, wrap};
use crate::model::text::visible;
use crate::respond::view::{Ask, RunView, StepStatus, StepView, Waiting};

/// What the Run screen remembers.
#[derive(Default)]
pub struct RunScreen {
    pub view: Option<Box<RunView>>,
    pub text: Scroll,
    pub evidence: Scroll,
    pub input: TextInput,
    /// What is wrong with what was typed.
    pub complaint: Option<String>,
    /// Whether the gate shows what depends on the key in the plan's place.
    pub who: bool,
    choice: usize,
    in_evidence: bool,
    /// An answer is on its way: enter held down must not answer what comes next.
    answered: bool,
}

impl RunScreen {
    /// Whether a run goes on.
    #[must_use]
    pub fn live(&self) -> bool {
        self.view
            .as_ref()
            .is_some_and(|view| !matches!(view.waiting, Waiting::Finished { .. } | Waiting::Left))
    }

    /// Whether the program is in the middle of a step.
    #[must_use]
    pub fn at_work(&self) -> bool {
        self.view.as_ref().is_some_and(|view| matches!(view.waiting, Waiting::Program(_)))
    }

    /// The run that was left, where the last one was.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.view.as_ref().filter(|view| matches!(view.waiting, Waiting::Left)).map(|view| view.run)
    }

    fn waiting(&self) -> Option<&Waiting> {
        self.view.as_ref().map(|view| &view.waiting)
    }

    /// A request was refused or never sent, so another answer may be given.
    pub fn refused(&mut self) {
        self.answered = false;
    }
}

/// Takes a run's new state. A run that is new comes to the front.
pub fn on_view(state: &mut State, view: Box<RunView>) {
    let run = &mut state.run;
    let is_new = run.view.as_ref().is_none_or(|before| before.run != view.run) || !run.live();
    let moved = run.view.as_ref().is_none_or(|before| {
        before.run != view.run
            || before.current != view.current
            || std::mem::discriminant(&before.waiting) != std::mem::discriminant(&view.waiting)
    });
    run.answered = false;
    run.complaint = None;
    if moved {
        run.input.clear();
        run.text.reset();
        run.choice = 0;
        run.who = false;
        run.in_evidence = false;
    }
    if let Waiting::Confirmation { wrong: Some(wrong), .. } = &view.waiting {
        run.complaint = Some(visible(wrong).into_owned());
    }
    run.evidence.go_to_end();
    run.view = Some(view);
    if is_new && state.run.live() {
        state.goto(Screen::Run);
        state.screen = Screen::Run;
    } else if moved && state.screen != Screen::Run && state.run.live() && !state.run.at_work() {
        state.say(Words::plain("the run waits for you: 3 shows it"));
    }
}

/// Whether letters go into a line of text.
#[must_use]
pub fn typing(state: &State) -> bool {
    matches!(
        state.run.waiting(),
        Some(Waiting::Attestation | Waiting::Confirmation { .. } | Waiting::MfaCode { .. })
    )
}

/// Gives a key to the line of text, if there is one that wants it.
pub fn takes(state: &mut State, key: KeyEvent) -> bool {
    if !typing(state) {
        return false;
    }
    let taken = state.run.input.on_key(key);
    if taken {
        state.run.complaint = None;
    }
    taken
}

/// Pastes into a note; the gate's confirmation has to be typed.
pub fn on_paste(state: &mut State, text: &str) {
    match state.run.waiting() {
        Some(Waiting::Attestation | Waiting::MfaCode { .. }) => state.run.input.insert(text),
        Some(Waiting::Confirmation { .. }) => {
            state.run.complaint = Some("pasting is not taken here: the name has to be typed".to_owned());
        }
        _ => {}
    }
}

/// What the bottom line says: what this run waits for decides.
#[must_use]
pub fn hints(state: &State) -> Vec<(String, &'static str)> {
    let key = |command| state.options.keymap.key(command).map(|key| key.to_string()).unwrap_or_default();
    let of = |command, word| (key(command), word);
    let mut hints = match state.run.waiting() {
        Some(Waiting::Program(_)) => vec![],
        Some(Waiting::Proceed { .. }) => vec![of(Command::Open, "go on"), of(Command::Back, "leave the run")],
        Some(Waiting::Attestation) => vec![of(Command::Open, "done"), of(Command::Back, "leave the run")],
        Some(Waiting::Choice { .. }) => vec![("↑↓".to_owned(), "choose"), of(Command::Open, "answer")],
        Some(Waiting::Confirmation { .. }) => vec![
            of(Command::Open, "when it is typed"),
            of(Command::Back, "leave"),
            ("↑↓".to_owned(), "read on"),
            (gate::who_key(&state.options.keymap), "who uses it"),
            of(Command::SavePlan, "print the plan"),
        ],
        Some(Waiting::MfaCode { .. }) => {
            vec![of(Command::Open, "when it is typed"), of(Command::Back, "leave, nothing happens")]
        }
        Some(Waiting::Failed { .. }) => {
            vec![of(Command::Open, "try again"), of(Command::Back, "leave the run")]
        }
        Some(Waiting::Finished { .. }) => vec![of(Command::Open, "the runbooks")],
        Some(Waiting::Left) | None => {
            vec![of(Command::Resume, "go on with it"), of(Command::Back, "the runbooks")]
        }
    };
    if state.run.view.as_ref().is_some_and(|view| view.undo.is_some()) && !typing(state) {
        hints.push(of(Command::Undo, "undo"));
    }
    if !typing(state) {
        hints.extend([of(Command::Note, "note"), of(Command::Copy, "copy"), of(Command::Help, "help")]);
    }
    hints.push(of(Command::NextScreen, "other screens"));
    hints
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    let run = &mut state.run;
    if let Some(Waiting::Choice { options, .. }) = run.view.as_ref().map(|view| &view.waiting) {
        match command {
            Command::Up => {
                run.choice = run.choice.saturating_sub(1);
                return Vec::new();
            }
            Command::Down => {
                run.choice = (run.choice + 1).min(options.len().saturating_sub(1));
                return Vec::new();
            }
            _ => {}
        }
    }
    let scroll = if run.in_evidence { &mut run.evidence } else { &mut run.text };
    if scroll.on_command(command) {
        return Vec::new();
    }
    match command {
        Command::Right => run.in_evidence = true,
        Command::Left => run.in_evidence = false,
        // The plan is seen before anything is confirmed.
        Command::Open | Command::Back if run.who => {
            run.who = false;
            run.text.reset();
        }
        Command::Dependents => return who(state),
        Command::Open => return answer(state),
        Command::Back => return leave(state),
        Command::SavePlan => return save_plan(state),
        Command::Copy => {
            let arn = run.view.as_ref().and_then(|view| view.key.as_ref()).map(ToString::to_string);
            match arn {
                Some(text) => return vec![Action::Copy { text, what: "the KMS key's ARN" }],
                None => state.say(Words::plain("this run has found no key yet")),
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Opens or closes what depends on the key of the plan that waits at the gate.
fn who(state: &mut State) -> Vec<Action> {
    let Some(Waiting::Confirmation { preview, .. }) = state.run.waiting() else {
        state.say(Words::plain("d on the Keys screen shows what depends on a key"));
        return Vec::new();
    };
    let key = preview.plan.key.clone();
    state.run.who = !state.run.who;
    state.run.text.reset();
    if state.run.who { dependents::ask(state, &key) } else { Vec::new() }
}

/// Enter: answers what is waited for, once.
fn answer(state: &mut State) -> Vec<Action> {
    if state.run.answered {
        state.say(Words::plain("that was sent: wait for the run to answer"));
        return Vec::new();
    }
    let run = &mut state.run;
    let typed = run.input.text().to_owned();
    let ask = match run.view.as_ref().map(|view| &view.waiting) {
        Some(Waiting::Proceed { .. } | Waiting::Failed { .. }) => Ask::Proceed,
        Some(Waiting::Attestation) => Ask::Attest { note: typed.trim().to_owned() },
        Some(Waiting::Choice { options, .. }) => match options.get(run.choice) {
            Some(option) => Ask::Choose { option: option.clone() },
            None => return Vec::new(),
        },
        Some(Waiting::Confirmation { preview, .. }) => match gate::check(&typed, preview) {
            Ok(()) => Ask::Confirm { typed },
            Err(complaint) => {
                run.complaint = Some(complaint);
                return Vec::new();
            }
        },
        Some(Waiting::MfaCode { .. }) => {
            run.input.clear();
            match MfaCode::read(&typed) {
                Ok(code) => Ask::MfaCode { code },
                Err(complaint) => {
                    run.complaint = Some(complaint.to_owned());
                    return Vec::new();
                }
            }
        }
        Some(Waiting::Program(_)) => {
            state.say(Words::plain("at work: wait for this step to end"));
            return Vec::new();
        }
        Some(Waiting::Finished { .. } | Waiting::Left) | None => {
            state.screen = Screen::Runbooks;
            return Vec::new();
        }
    };
    state.run.answered = state.can_act();
    state.ask(ask)
}

fn leave(state: &mut State) -> Vec<Action> {
    match state.run.waiting() {
        Some(Waiting::Program(_)) => {
            state.say(Words::plain("at work: what was sent cannot be taken back; wait for this step to end"));
            Vec::new()
        }
        Some(Waiting::Finished { .. } | Waiting::Left) | None => {
            state.screen = Screen::Runbooks;
            Vec::new()
        }
        Some(Waiting::Attestation | Waiting::MfaCode { .. }) if !state.run.input.text().is_empty() => {
            state.run.input.clear();
            Vec::new()
        }
        Some(_) => {
            state.say(Words::plain(
                "leaving the run: nothing more happens, the journal keeps it; c goes on with it",
            ));
            state.ask(Ask::Leave)
        }
    }
}

fn save_plan(state: &mut State) -> Vec<Action> {
    let Some(Waiting::Confirmation { preview, .. }) = state.run.waiting() else {
        state.say(Words::plain("there is no plan to print now"));
        return Vec::new();
    };
    let digest = preview.digest.0.get(..12).unwrap_or("plan").to_owned();
    vec![Action::SaveText { name: format!("plan-{digest}.txt"), text: gate::plan_text(state, preview) }]
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let Some(view) = state.run.view.take() else {
        let line = Rect { y: area.y + 1, height: 1, ..area };
        let words = "no run yet: r on a pair starts a runbook";
        buf.set_stringn(line.x + 1, line.y, words, usize::from(line.width), state.theme.tone(Tone::Dim));
        return;
    };
    title(state, &view, buf, Rect { height: 1, ..area });
    let prompt = prompt_lines(state, &view, usize::from(area.width.saturating_sub(4)));
    let typed = u16::from(matches!(view.waiting, Waiting::Attestation | Waiting::MfaCode { .. }));
    let high =
        u16::try_from(prompt.len()).unwrap_or(u16::MAX).saturating_add(2 + typed).min(area.height * 2 / 3);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + high), ..area };
    let bottom =
        Rect { y: body.bottom(), height: high.min(area.bottom().saturating_sub(body.bottom())), ..area };
    panes(state, &view, buf, body);
    draw_prompt(state, &view, &prompt, buf, bottom);
    state.run.view = Some(view);
}

fn title(state: &State, view: &RunView, buf: &mut Buffer, line: Rect) {
    let theme = &state.theme;
    let room = usize::from(line.width.saturating_sub(2));
    let (x, _) = buf.set_stringn(
        line.x + 1,
        line.y,
        fit(&visible(&view.title), room),
        room,
        theme.tone(Tone::Heading),
    );
    if let Some(key) = &view.key_name {
        let rest = usize::from(line.right().saturating_sub(x + 3));
        let named = format!("on {}", visible(key));
        buf.set_stringn(x + 2, line.y, fit(&named, rest), rest, theme.tone(Tone::Strong));
    }
    let Some(deadline) = view.steps.get(view.current).and_then(|step| step.deadline) else { return };
    let (text, tone) = if deadline > state.now {
        (format!(" deadline in {} ", left(deadline.duration_since(state.now))), Tone::Notice)
    } else {
        (format!(" ▲ deadline passed {} ago ", left(state.now.duration_since(deadline))), Tone::Bad)
    };
    let wide = u16::try_from(width(&text)).unwrap_or(0);
    if line.width > wide + 40 {
        buf.set_string(line.right() - wide - 1, line.y, text, theme.tone(tone));
    }
}

/// Steps at the left, the present step's text in the middle, the evidence at the right or below.
fn panes(state: &mut State, view: &RunView, buf: &mut Buffer, area: Rect) {
    let wide = area.width >= 110;
    let steps = Rect { width: if wide { 34 } else { 28.min(area.width * 2 / 5) }, ..area };
    let rest = Rect { x: steps.right(), width: area.width - steps.width, ..area };
    draw_steps(state, view, buf, panel::pad(steps, 1));
    let (text, evidence) = if wide {
        let right = rest.width * 2 / 5;
        let text = Rect { width: rest.width - right, ..rest };
        (text, Rect { x: text.right(), width: right, ..rest })
    } else {
        let below = (rest.height / 3).max(3).min(rest.height);
        let text = Rect { height: rest.height - below, ..rest };
        (text, Rect { y: text.bottom(), height: below, ..rest })
    };
    let rule = state.theme.border;
    let (_, text) = panel::beside(buf, text, text.width, rule);
    let (_, evidence) = panel::beside(buf, evidence, evidence.width, rule);
    let page = view.steps.get(view.current).or(view.steps.last());
    let lines = page.map_or_else(Vec::new, |step| markdown::render(&step.text, &state.theme));
    state.run.text.draw(buf, text, &state.theme, &lines);
    let tone = if state.run.in_evidence { Tone::Accent } else { Tone::Heading };
    buf.set_stringn(evidence.x, evidence.y, "EVIDENCE", usize::from(evidence.width), state.theme.tone(tone));
    let lines = evidence_lines(state, view);
    let evidence = Rect {
        y: evidence.y + 1.min(evidence.height),
        height: evidence.height.saturating_sub(1),
        ..evidence
    };
    state.run.evidence.draw(buf, evidence, &state.theme, &lines);
}

fn evidence_lines(state: &State, view: &RunView) -> Vec<Paragraph> {
    if view.evidence.is_empty() {
        return vec![Line::styled("nothing gathered yet", state.theme.tone(Tone::Dim)).into()];
    }
    let told = |fact: &crate::respond::view::Evidence| {
        let (glyph, tone) = if fact.good { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        let line = Line::from(vec![
            Span::styled(format!("{glyph} "), state.theme.tone(tone)),
            Span::styled(fact.at.strftime("%H:%M:%S ").to_string(), state.theme.tone(Tone::Dim)),
            Span::styled(visible(&fact.text).into_owned(), state.theme.tone(Tone::Text)),
        ]);
        Paragraph::hanging(line, 2)
    };
    view.evidence.iter().map(told).collect()
}

fn step_look(status: StepStatus) -> (&'static str, Tone) {
    match status {
        StepStatus::ToCome => ("·", Tone::Dim),
        StepStatus::Now => ("▸", Tone::Accent),
        StepStatus::Done => ("✓", Tone::Good),
        StepStatus::Skipped => ("–", Tone::Dim),
        StepStatus::Failed => ("✗", Tone::Bad),
        StepStatus::Unknown => ("?", Tone::Notice),
    }
}

fn draw_steps(state: &State, view: &RunView, buf: &mut Buffer, area: Rect) {
    let lines: Vec<Vec<Line<'static>>> =
        view.steps.iter().map(|step| wrap(&[step_line(state, step)], usize::from(area.width))).collect();
    let until_current: usize = lines.iter().take(view.current + 1).map(Vec::len).sum();
    let skip = until_current.saturating_sub(usize::from(area.height));
    for (line, y) in lines.iter().flatten().skip(skip).zip(area.top()..area.bottom()) {
        buf.set_line(area.x, y, line, area.width);
    }
}

fn step_line(state: &State, step: &StepView) -> Paragraph {
    let (glyph, tone) = step_look(step.status);
    let title = match step.status {
        StepStatus::Now => Tone::Strong,
        StepStatus::ToCome | StepStatus::Skipped => Tone::Dim,
        StepStatus::Failed | StepStatus::Unknown => tone,
        StepStatus::Done => Tone::Text,
    };
    let mut spans = vec![
        Span::styled(format!("{glyph} "), state.theme.tone(tone)),
        Span::styled(visible(&step.title).into_owned(), state.theme.tone(title)),
    ];
    if let Some(at) = step.finished {
        spans.push(Span::styled(at.strftime(" %H:%M:%S").to_string(), state.theme.tone(Tone::Dim)));
    }
    Paragraph::hanging(Line::from(spans), 2)
}

/// What is waited for, in words.
fn prompt_lines(state: &State, view: &RunView, room: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let say = |text: String, tone: Tone| Paragraph::hanging(Line::styled(text, theme.tone(tone)), 2);
    let undo = view.undo.map(|operation| format!("u takes it back ({operation})"));
    let lines = match &view.waiting {
        Waiting::Program(work) => vec![say(format!("… {}", visible(work)), Tone::Accent)],
        Waiting::Proceed { what } => vec![say(format!("enter: {}", visible(what)), Tone::Strong)],
        Waiting::Attestation => {
            vec![say("Done? Write a note for the journal, then enter.".to_owned(), Tone::Strong)]
        }
        Waiting::Choice { question, options } => {
            let mut lines = vec![say(visible(question).into_owned(), Tone::Strong)];
            for (at, option) in options.iter().enumerate() {
                let (mark, tone) =
                    if at == state.run.choice { ("▸", Tone::Accent) } else { (" ", Tone::Text) };
                lines.push(say(format!("{mark} {}", visible(option)), tone));
            }
            lines
        }
        Waiting::MfaCode { device, duty, wrong } => mfa::lines(state, device, *duty, wrong.as_deref()),
        // Drawn by the gate's own screen.
        Waiting::Confirmation { .. } => Vec::new(),
        Waiting::Failed { reason, next } => vec![
            say(format!("✗ {}", visible(reason)), Tone::Bad),
            say(visible(next).into_owned(), Tone::Text),
            say("enter tries again · esc leaves the run, which the journal keeps".to_owned(), Tone::Dim),
        ],
        Waiting::Finished { summary, .. } => {
            let mut lines = vec![say(format!("✓ {}", visible(summary)), Tone::Good)];
            lines.extend(undo.map(|undo| say(undo, Tone::Strong)));
            lines
        }
        Waiting::Left => vec![say("left: nothing more happens. c goes on with it".to_owned(), Tone::Notice)],
    };
    wrap(&lines, room)
}

fn draw_prompt(state: &State, view: &RunView, lines: &[Line<'static>], buf: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let (title, border, tone) = match &view.waiting {
        Waiting::Program(_) => ("AT WORK", theme.border, Tone::Heading),
        Waiting::Failed { .. } => ("STOPPED", theme.border_danger, Tone::Bad),
        Waiting::Finished { .. } => ("FINISHED", theme.border, Tone::Good),
        Waiting::Left => ("LEFT", theme.border, Tone::Notice),
        _ => ("WAITS FOR YOU", theme.border_focus, Tone::Heading),
    };
    let inner = panel::boxed(buf, area, border, (title, theme.tone(tone)), "", theme.tone(Tone::Dim));
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
    let y = inner.y.saturating_add(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    if matches!(view.waiting, Waiting::Attestation) && y < inner.bottom() {
        let (x, _) = buf.set_stringn(inner.x, y, "› ", usize::from(inner.width), theme.tone(Tone::Accent));
        let field = Rect { x, y, width: inner.right().saturating_sub(x), height: 1 };
        state.run.input.draw(buf, field, theme.input);
    } else if matches!(view.waiting, Waiting::MfaCode { .. }) && y < inner.bottom() {
        // Never echoed; a dot for each character.
        let dots = "•".repeat(state.run.input.text().chars().count());
        let (x, _) = buf.set_stringn(inner.x, y, "› ", usize::from(inner.width), theme.tone(Tone::Accent));
        buf.set_stringn(x, y, dots, usize::from(inner.right().saturating_sub(x)), theme.input);
    }
}
