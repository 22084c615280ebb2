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
use crate::respond::view::{Ask, Offer, RunView, StepStatus, StepView, Waiting};

/// Options of a choice that are seen at once: 80×24 has room for the step's text beside them.
const OPTIONS: usize = 6;
/// Letters of an offered value in the list.
const VALUE: usize = 30;

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
    let late = |view: &RunView| view.steps.get(view.current).is_some_and(|step| step.overdue);
    let newly_late = late(&view)
        && !run
            .view
            .as_ref()
            .is_some_and(|before| before.run == view.run && before.current == view.current && late(before));
    run.answered = false;
    run.complaint = None;
    if moved {
        run.input.clear();
        run.text.reset();
        run.choice = 0;
        run.who = false;
        run.in_evidence = false;
    }
    if let Waiting::Confirmation { wrong: Some(wrong), .. }
    | Waiting::Value { wrong: Some(wrong), .. }
    | Waiting::Approval { wrong: Some(wrong), .. } = &view.waiting
    {
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
    if newly_late {
        state.say(Words::plain("the deadline of this step has passed; the journal keeps that"));
    }
}

/// Whether letters go into a line of text.
#[must_use]
pub fn typing(state: &State) -> bool {
    state.run.waiting().is_some_and(takes_text)
}

fn takes_text(waiting: &Waiting) -> bool {
    matches!(
        waiting,
        Waiting::Attestation
            | Waiting::Confirmation { .. }
            | Waiting::Approval { .. }
            | Waiting::MfaCode { .. }
            | Waiting::Value { typed: true, .. }
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
        Some(
            Waiting::Attestation
            | Waiting::MfaCode { .. }
            | Waiting::Approval { .. }
            | Waiting::Value { typed: true, .. },
        ) => {
            state.run.input.insert(text);
        }
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
        Some(Waiting::Time { .. }) => {
            vec![of(Command::Open, "do not wait"), of(Command::Back, "leave the run")]
        }
        Some(Waiting::Value { .. }) => vec![
            ("↑↓".to_owned(), "choose"),
            of(Command::Open, "take it"),
            of(Command::Back, "leave the run"),
        ],
        Some(Waiting::Approval { .. }) => {
            vec![of(Command::Open, "they agreed"), of(Command::Back, "leave the run")]
        }
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
        Some(Waiting::Failed { otherwise: Some(_), .. }) => {
            vec![
                ("↑↓".to_owned(), "choose"),
                of(Command::Open, "do that"),
                of(Command::Back, "leave the run"),
            ]
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
    let last = run.waiting().map_or(0, options_of).saturating_sub(1);
    match command {
        Command::Up if last > 0 && !run.in_evidence => {
            run.choice = run.choice.saturating_sub(1);
            return Vec::new();
        }
        Command::Down if last > 0 && !run.in_evidence => {
            run.choice = (run.choice + 1).min(last);
            return Vec::new();
        }
        _ => {}
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

/// How many options what is waited for offers.
fn options_of(waiting: &Waiting) -> usize {
    match waiting {
        Waiting::Choice { options, .. } => options.len(),
        Waiting::Value { offers, .. } => offers.len(),
        // Try again, or go on without.
        Waiting::Failed { otherwise: Some(_), .. } => 2,
        _ => 0,
    }
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
        Some(Waiting::Failed { otherwise: Some(_), .. }) if run.choice == 1 => Ask::GoOn,
        Some(Waiting::Proceed { .. } | Waiting::Failed { .. } | Waiting::Time { .. }) => Ask::Proceed,
        Some(Waiting::Value { offers, .. }) => match (typed.trim(), offers.get(run.choice)) {
            ("", Some(offer)) => Ask::Answer { value: offer.value.clone() },
            ("", None) => {
                run.complaint = Some("nothing was typed, and nothing is offered".to_owned());
                return Vec::new();
            }
            (typed, _) => Ask::Answer { value: typed.to_owned() },
        },
        Some(Waiting::Approval { .. }) => {
            let (names, note) = typed.split_once(':').unwrap_or((&typed, ""));
            let by = names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
            Ask::Approved { by: by.collect(), note: note.trim().to_owned() }
        }
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
        Some(
            Waiting::Attestation
            | Waiting::MfaCode { .. }
            | Waiting::Approval { .. }
            | Waiting::Value { typed: true, .. },
        ) if !state.run.input.text().is_empty() => {
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
    let typed = u16::from(has_line(&view.waiting) || matches!(view.waiting, Waiting::MfaCode { .. }));
    let high =
        u16::try_from(prompt.len()).unwrap_or(u16::MAX).saturating_add(2 + typed).min(area.height * 2 / 3);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + high), ..area };
    let bottom =
        Rect { y: body.bottom(), height: high.min(area.bottom().saturating_sub(body.bottom())), ..area };
    panes(state, &view, buf, body);
    draw_prompt(state, &view, &prompt, buf, bottom);
    state.run.view = Some(view);
}

/// Whether what is typed stands under the prompt. The gate's own screen has a line of its own, and a code of an MFA
/// device is never echoed.
fn has_line(waiting: &Waiting) -> bool {
    takes_text(waiting) && !matches!(waiting, Waiting::Confirmation { .. } | Waiting::MfaCode { .. })
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
    let lines = page.map_or_else(Vec::new, |step| page_lines(state, view, step));
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

/// The step's text, then what the program does there and what follows a failure, and what the run knows by now.
fn page_lines(state: &State, view: &RunView, step: &StepView) -> Vec<Paragraph> {
    let dim = |text: String| Paragraph::hanging(Line::styled(text, state.theme.tone(Tone::Dim)), 2);
    let mut lines = markdown::render(&step.text, &state.theme);
    if !lines.is_empty() {
        lines.push(Paragraph::default());
    }
    lines.push(dim(format!("→ {}", visible(&step.does))));
    lines.extend(view.values.iter().map(|(word, value)| dim(format!("= {word}: {}", visible(value)))));
    lines
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
    let undo = view.undo.as_ref().map(|operation| format!("u takes it back ({operation})"));
    let lines = match &view.waiting {
        Waiting::Program(work) => vec![say(format!("… {}", visible(work)), Tone::Accent)],
        Waiting::Proceed { what } => vec![say(format!("enter: {}", visible(what)), Tone::Strong)],
        Waiting::Attestation => {
            vec![say("Done? Write a note for the journal, then enter.".to_owned(), Tone::Strong)]
        }
        Waiting::Time { until, what } => {
            let left = left(until.duration_since(state.now));
            vec![
                say(
                    format!("… until {} ({left}): {}", until.strftime("%H:%M:%SZ"), visible(what)),
                    Tone::Accent,
                ),
                say("enter does not wait".to_owned(), Tone::Dim),
            ]
        }
        Waiting::Choice { question, options } => {
            let mut lines = vec![say(visible(question).into_owned(), Tone::Strong)];
            lines.extend(options_lines(state, options.iter().map(|option| visible(option).into_owned())));
            lines
        }
        Waiting::Value { question, offers, typed, .. } => {
            let mut lines = vec![say(visible(question).into_owned(), Tone::Strong)];
            // One line each: the marked one stands below in full.
            let line = |offer: &Offer| {
                let line = format!("{}  {}", tail(&visible(&offer.value)), visible(&offer.told));
                fit(&line, room.saturating_sub(2)).into_owned()
            };
            lines.extend(options_lines(state, offers.iter().map(line)));
            let marked = offers.get(state.run.choice).map(|offer| visible(&offer.value).into_owned());
            lines.extend(marked.map(|value| say(format!("= {value}"), Tone::Dim)));
            if offers.is_empty() {
                lines.push(say("nothing was found that could be offered".to_owned(), Tone::Dim));
            }
            if *typed {
                lines.push(say("enter takes the one marked, or what is typed:".to_owned(), Tone::Dim));
            }
            lines
        }
        Waiting::Approval { by, people, .. } => vec![
            say(format!("Who agreed? {people} at least: {}", visible(by)), Tone::Strong),
            say("Write NAME, NAME: how you know. Then enter.".to_owned(), Tone::Dim),
        ],
        Waiting::MfaCode { device, duty, wrong } => mfa::lines(state, device, *duty, wrong.as_deref()),
        // Drawn by the gate's own screen.
        Waiting::Confirmation { .. } => Vec::new(),
        Waiting::Failed { reason, next, otherwise } => {
            let mut lines = vec![
                say(format!("✗ {}", visible(reason)), Tone::Bad),
                say(visible(next).into_owned(), Tone::Text),
            ];
            match otherwise {
                Some(title) => {
                    let options =
                        ["try again".to_owned(), format!("go on without it, to: {}", visible(title))];
                    lines.extend(options_lines(state, options.into_iter()));
                }
                None => lines.push(say(
                    "enter tries again · esc leaves the run, which the journal keeps".to_owned(),
                    Tone::Dim,
                )),
            }
            lines
        }
        Waiting::Finished { summary, .. } => {
            let mut lines = vec![say(format!("✓ {}", visible(summary)), Tone::Good)];
            lines.extend(undo.map(|undo| say(undo, Tone::Strong)));
            lines
        }
        Waiting::Left => vec![say("left: nothing more happens. c goes on with it".to_owned(), Tone::Notice)],
    };
    let complaint = state.run.complaint.iter().filter(|_| has_line(&view.waiting));
    let lines: Vec<Paragraph> =
        lines.into_iter().chain(complaint.map(|wrong| say(format!("✗ {wrong}"), Tone::Bad))).collect();
    wrap(&lines, room)
}

/// What tells long values apart: their end.
fn tail(value: &str) -> String {
    let letters = value.chars().count();
    if letters <= VALUE {
        return value.to_owned();
    }
    std::iter::once('…').chain(value.chars().skip(letters - VALUE + 1)).collect()
}

/// The options around the marked one, and how many more there are.
fn options_lines(state: &State, options: impl ExactSizeIterator<Item = String>) -> Vec<Paragraph> {
    let (count, chosen) = (options.len(), state.run.choice);
    let first = chosen.saturating_sub(OPTIONS / 2).min(count.saturating_sub(OPTIONS));
    let mut lines: Vec<Paragraph> = options
        .enumerate()
        .skip(first)
        .take(OPTIONS)
        .map(|(at, option)| {
            let (mark, tone) = if at == chosen { ("▸", Tone::Accent) } else { (" ", Tone::Text) };
            Paragraph::hanging(Line::styled(format!("{mark} {option}"), state.theme.tone(tone)), 2)
        })
        .collect();
    if count > OPTIONS {
        let told = format!("  {} of {count}", chosen + 1);
        lines.push(Line::styled(told, state.theme.tone(Tone::Dim)).into());
    }
    lines
}

fn draw_prompt(state: &State, view: &RunView, lines: &[Line<'static>], buf: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let (title, border, tone) = match &view.waiting {
        Waiting::Program(_) => ("AT WORK", theme.border, Tone::Heading),
        Waiting::Time { .. } => ("WAITS FOR THE TIME", theme.border, Tone::Heading),
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
    if has_line(&view.waiting) && y < inner.bottom() {
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
