//! The person at an ordinary terminal: asked on standard error, so that standard output stays the answer's own.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use portcullis::cloud::MfaCode;
use portcullis::command::change::Person;
use portcullis::gate::Preview;
use portcullis::inventory::dependents;
use portcullis::inventory::refresh::Progress;
use portcullis::model::duty::Duty;
use portcullis::model::seen::Seen;
use portcullis::model::text::visible;
use portcullis::settings::secrecy_text::SecretText;

/// Tells how far a load has come, on one line of a terminal; to anything else it says nothing.
pub fn progress() -> impl FnMut(Progress) {
    let shown = io::stderr().is_terminal();
    move |Progress { what, done, of }| {
        if shown {
            eprint!(
                "\r\x1b[K{}",
                if done < of { format!("{} {done}/{of}", visible(&what)) } else { String::new() }
            );
        }
    }
}

/// Whoever sits at the terminal, if there is one.
#[derive(Default)]
pub struct AtTerminal {
    /// Where MFA codes are read from, in place of the terminal.
    codes: Option<Box<dyn io::BufRead>>,
}

impl AtTerminal {
    /// Reads MFA codes from an open file descriptor of this process, a line each.
    pub fn reading_codes_from(descriptor: Option<u32>) -> io::Result<Self> {
        let codes: Option<Box<dyn io::BufRead>> = match descriptor {
            None => None,
            Some(0) => Some(Box::new(io::stdin().lock())),
            Some(n) => Some(Box::new(io::BufReader::new(std::fs::File::open(format!("/dev/fd/{n}"))?))),
        };
        Ok(Self { codes })
    }

    /// A line that nobody sees while it is typed; None where there is none.
    fn code_line(&mut self, question: &str) -> Option<SecretText> {
        if let Some(codes) = &mut self.codes {
            let mut line = String::new();
            return (codes.read_line(&mut line).ok()? > 0).then(|| SecretText::new(line));
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        rpassword::prompt_password(question).ok().filter(|line| !line.is_empty()).map(SecretText::new)
    }

    pub fn ask(question: &str) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        eprint!("{question}");
        io::stderr().flush().ok()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok()?;
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        (!line.is_empty()).then_some(line)
    }
}

impl Person for AtTerminal {
    fn confirm(&mut self, preview: &Preview, wrong: Option<&str>) -> Option<String> {
        if let Some(wrong) = wrong {
            eprintln!("{}", visible(wrong));
        }
        eprintln!("{}", told(preview));
        Self::ask(&format!("Type  {}  to go on, or enter to leave: ", visible(&preview.must_type)))
    }

    fn attest(&mut self, title: &str, text: &str) -> Option<String> {
        eprintln!("\n{}\n\n{}", visible(title), text.lines().map(visible).collect::<Vec<_>>().join("\n"));
        Self::ask("Say how you know, or enter to leave: ")
    }

    fn mfa_code(&mut self, device: &str, duty: Duty, wrong: Option<&str>) -> Option<MfaCode> {
        if let Some(wrong) = wrong {
            eprintln!("{}", visible(wrong));
        }
        let question =
            format!("The six digits that {} shows, to act as {duty}, or enter to leave: ", visible(device));
        loop {
            match MfaCode::read(self.code_line(&question)?.expose()) {
                Ok(code) => return Some(code),
                Err(what) => eprintln!("{what}"),
            }
        }
    }

    fn progress(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            eprintln!("{}", visible(text));
        }
    }
}

/// The plan in full, in lines.
fn told(preview: &Preview) -> String {
    let plan = &preview.plan;
    let depend = &preview.dependents;
    let mut lines = vec![
        format!("{}  {} {}", plan.operation, visible(&plan.key_name), plan.key),
        format!("  environment  {} ({} {})", plan.environment, plan.account, plan.region),
        format!("  now          {} (read {})", plan.observed.state, plan.observed.at),
        format!("  as           {}", visible(&preview.acting_as)),
        format!(
            "  depends      {} column keys, {} columns, {} databases",
            depend.column_keys.len(),
            depend.columns.len(),
            depend.databases.len()
        ),
        format!("  calls        {}", visible(&preview.calls.join(" → "))),
        format!("  undo         {}", visible(&preview.undo)),
        format!("  plan         {}", preview.digest),
    ];
    let now = plan.observed.at;
    let mut briefs = vec![
        dependents::grants_brief(depend),
        dependents::policy_brief(depend),
        dependents::usage_brief(&depend.usage, now),
    ];
    if !matches!(depend.relatives, Seen::Known(_)) {
        briefs.extend(dependents::relatives_brief(depend));
    }
    lines.extend(briefs.into_iter().map(|line| format!("               {}", line.text)));
    lines.extend(preview.regions.iter().map(|line| format!("  region       {}", visible(line))));
    lines.extend(preview.change.iter().map(|line| format!("  change       {}", visible(line))));
    lines.extend(preview.must_type_override().map(|typed| {
        format!(
            "  ▲ {} approval(s) needed; without, recorded and told: {}",
            preview.approvals_needed,
            visible(&typed)
        )
    }));
    lines.extend(preview.warnings.iter().map(|warning| format!("  ▲ {}", visible(warning))));
    lines.join("\n")
}
