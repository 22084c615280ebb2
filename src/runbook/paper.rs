//! A runbook on paper: boxes to tick, deadlines, people to tell, and what to type where the program is down.

use super::by_hand;
use super::kind::{Check, StepKind, Then, Verify};
use super::plain::plain;
use super::{OnFailure, Runbook, Step};
use crate::model::age::short;

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Plain text, lines no wider than 78 columns.
    #[default]
    Text,
    Markdown,
}

/// A text that grows.
#[derive(Default)]
struct Sheet(String);

impl Sheet {
    fn add(&mut self, part: &str) {
        self.0.push_str(part);
    }
}

impl Runbook {
    /// The whole document for reading, Markdown, its placeholders as the document has them.
    #[must_use]
    pub fn reading(&self) -> String {
        let mut text = Sheet(self.before());
        for (index, step) in self.steps.iter().enumerate() {
            text.add(&format!("\n## {}\n\n{}\n\n", step.title, step.text.source()));
            text.add(&format!("*{}*\n", self.does(index)));
        }
        section(&mut text, "Afterwards", &self.afterwards, "- ");
        section(&mut text, "Controls served", &self.controls, "- ");
        text.0
    }

    /// What stands before the steps.
    fn before(&self) -> String {
        let mut text = Sheet::default();
        for (title, entries) in [
            ("When to use this", &self.when_to_use),
            ("When not", &self.when_not_to_use),
            ("Before you begin", &self.prerequisites),
            ("Whom to tell", &self.tell),
        ] {
            section(&mut text, title, entries, "- ");
        }
        if !self.intro.is_empty() {
            text.add(&format!("\n{}\n", self.intro.source()));
        }
        text.0.trim_start().to_owned()
    }

    /// What the program does at a step, when it is skipped, and where it leads, in a sentence or two.
    #[must_use]
    pub fn does(&self, index: usize) -> String {
        let Some(step) = self.steps.get(index) else { return String::new() };
        let mut parts = vec![does(&step.kind)];
        parts.extend(conditions(step));
        parts.extend(step.deadline.map(|deadline| format!("within {}", short(deadline))));
        parts.extend(
            step.retry
                .map(|retry| format!("tried again {} times, every {}", retry.times, short(retry.after))),
        );
        if let StepKind::Choose { options, .. } = &step.kind {
            parts.extend(
                options
                    .iter()
                    .map(|option| format!("`{}` leads to {}", option.text, self.leads(index, option.then))),
            );
        } else if step.then != Then::Next {
            parts.push(format!("then {}", self.leads(index, step.then)));
        }
        parts.extend(self.if_it_fails(index));
        parts.join(" · ")
    }

    /// What follows a failure, in words; None where it stops the run, as failures do.
    #[must_use]
    pub fn if_it_fails(&self, index: usize) -> Option<String> {
        match self.steps.get(index)?.on_failure {
            OnFailure::Stop => None,
            OnFailure::GoOn(then) => Some(format!("if it fails: {}", self.leads(index, then))),
            OnFailure::Ask(then) => {
                Some(format!("if it fails: try again, or go on to {}", self.leads(index, then)))
            }
        }
    }

    fn leads(&self, index: usize, then: Then) -> String {
        match then {
            Then::Next if index + 1 == self.steps.len() => "the end".to_owned(),
            Then::Next => "the next step".to_owned(),
            Then::Step(at) => format!("step {}, {}", at + 1, self.title_at(at)),
            Then::Finish => "the end".to_owned(),
        }
    }

    /// The runbook as it is printed and filled in by hand.
    #[must_use]
    pub fn printed(&self, form: Form) -> String {
        let markdown = self.sheet();
        match form {
            Form::Markdown => markdown,
            Form::Text => plain(&markdown),
        }
    }

    /// The printed runbook, in Markdown.
    fn sheet(&self) -> String {
        let mut text = Sheet(format!("# {}\n\n{}\n\n", self.title, self.summary));
        text.add(&format!("Runbook `{}`, SHA-256 {}.\n", self.id, &self.digest[..16]));
        if let Some(role) = &self.role {
            text.add(&format!("Role: {role}.\n"));
        }
        text.add("\n| | |\n|---|---|\n");
        for field in [
            "Incident",
            "Environment, account, Region",
            "Column key, database",
            "KMS key ARN",
            "Reason",
            "Begun (UTC), by",
            "Ended (UTC), by",
        ] {
            text.add(&format!("| {field} | ______________________________________ |\n"));
        }
        for (title, entries, mark) in [
            ("When to use this", &self.when_to_use, "- "),
            ("When not", &self.when_not_to_use, "- "),
            ("Before you begin", &self.prerequisites, "- [ ] "),
            ("Whom to tell", &self.tell, "- [ ] "),
        ] {
            section(&mut text, title, entries, mark);
        }
        if !self.intro.is_empty() {
            text.add(&format!("\n{}\n", self.intro.blank()));
        }
        for index in 0..self.steps.len() {
            self.print_step(index, &mut text);
        }
        section(&mut text, "Afterwards", &self.afterwards, "- [ ] ");
        section(&mut text, "Controls served", &self.controls, "- ");
        text.0
    }

    fn print_step(&self, index: usize, text: &mut Sheet) {
        let step = &self.steps[index];
        text.add(&format!("\n## [ ] {}. {}\n\n", index + 1, step.title));
        let deadline = step.deadline.map(|deadline| format!("Within {}. ", short(deadline)));
        text.add(&format!("{}Begun __:__  done __:__  by ______________\n\n", deadline.unwrap_or_default()));
        let when = conditions(step);
        if !when.is_empty() {
            text.add(&format!("Take this step {}.\n\n", when.join(", and ")));
        }
        if !step.text.is_empty() {
            text.add(&format!("{}\n\n", step.text.blank()));
        }
        match &step.kind {
            StepKind::Choose { question, options } => {
                text.add(&format!("{question}\n\n"));
                for option in options {
                    let leads = self.leads(index, option.then);
                    text.add(&format!("- [ ] {}: go to {leads}\n", option.text));
                }
                text.add("\n");
            }
            StepKind::Approval { by, people } => {
                text.add(&format!("Must agree: {by}\n\n"));
                for _ in 0..*people {
                    text.add("- [ ] Name ____________________  at __:__  how ____________\n");
                }
                text.add("\n");
            }
            StepKind::Ask { question, .. } => {
                text.add(&format!("{question} ______________________________________\n\n"));
            }
            StepKind::Manual { .. } => {
                text.add("How you know: ______________________________________\n\n");
            }
            kind => text.add(&format!("The program: {}.\n\n", does(kind))),
        }
        let commands = by_hand::commands(&step.kind);
        if !commands.is_empty() {
            text.add("By hand:\n\n");
            for command in &commands {
                text.add(&format!("    {command}\n"));
            }
            text.add("\n");
        }
        if let Some(failing) = self.if_it_fails(index) {
            text.add(&format!("{}.\n\n", capital(&failing)));
        }
        if !matches!(step.kind, StepKind::Choose { .. }) && step.then != Then::Next {
            text.add(&format!("Then go to {}.\n\n", self.leads(index, step.then)));
        }
    }
}

/// What a kind of step does, in words.
fn does(kind: &StepKind) -> String {
    match kind {
        StepKind::Manual { .. } => "a person does it and attests it, with a note".to_owned(),
        StepKind::Check(check) => format!("looks: {}", looks(check)),
        StepKind::Approval { by, people } => format!("asks who agreed ({people} at least): {by}"),
        StepKind::AssumeRole { duty } => format!("sees that the role of {duty} can be asked for"),
        StepKind::Change(change) => {
            format!("plans {}, asks, and carries it out through the gate", change.word())
        }
        StepKind::Verify(verify) => format!("proves: {}", proves(verify)),
        StepKind::Notify => "sees that the alert topic has been told".to_owned(),
        StepKind::Audit => "sees that the SQL audit row is written".to_owned(),
        StepKind::Wait { time } => format!("waits {}", short(*time)),
        StepKind::Choose { .. } => "a person chooses".to_owned(),
        StepKind::Ask { value, .. } => {
            format!("a person picks the {} among those read", value.word().replace('-', " "))
        }
    }
}

fn looks(check: &Check) -> String {
    match check {
        Check::State { expect } => format!("the key is {}", states(expect)),
        Check::Gone => "KMS says that there is no such key".to_owned(),
        Check::Administrable => "the key policy still obeys this account".to_owned(),
        Check::Grants { since } => format!("every grant, those of the last {} marked", short(*since)),
        Check::Users { since } => format!("who used the key in the last {}", short(*since)),
        Check::Rotation => {
            "how the key rotates, when next, and how many on-demand rotations are left".to_owned()
        }
        Check::Material => "the id of the key material in use".to_owned(),
        Check::Storage => "RDS instances under the key, and their clock of 7 days".to_owned(),
        Check::Relatives => "the key's relatives in other Regions, each with its own state".to_owned(),
        Check::ColumnKeys => "the column keys and columns under the key".to_owned(),
    }
}

fn proves(verify: &Verify) -> String {
    match verify {
        Verify::State { expect, reads } => format!("{reads} reads agree that the key is {}", states(expect)),
        Verify::NewMaterial => "the key material in use is another than before".to_owned(),
        Verify::Rotated { since } => {
            format!("the key material in use came within the last {}", short(*since))
        }
        Verify::ClientsWorking => "clients have used the key with success since".to_owned(),
        Verify::PrincipalCutOff => "the principal has not used the key with success since".to_owned(),
        Verify::RdsAvailable => "RDS says that the instance is available".to_owned(),
        Verify::Rewrapped => "every column key has a value under the new key".to_owned(),
    }
}

fn states(states: &[crate::model::key::KeyState]) -> String {
    states.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// When a step is taken, where it is not always.
fn conditions(step: &Step) -> Vec<String> {
    let state = step.only_if_state.iter().map(|expect| format!("only while the key is {}", states(expect)));
    let rest = step.only_if.iter().map(|only| {
        let word = if only.holds { "only if" } else { "unless" };
        format!("{word} {}", only.circumstance.told())
    });
    state.chain(rest).collect()
}

fn section(text: &mut Sheet, title: &str, entries: &[String], mark: &str) {
    if entries.is_empty() {
        return;
    }
    text.add(&format!("\n### {title}\n\n"));
    for entry in entries {
        text.add(&format!("{mark}{entry}\n"));
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
