//! `config check`: says whether the settings can be used.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use super::CommandError;
use crate::runbook::Library;
use crate::settings::Settings;

/// Tells what the settings hold. That they could be read at all has been checked by whoever read them.
///
/// # Errors
/// When a runbook of the settings' folders has a mistake: each is told; or when writing fails.
pub fn tell(
    file: &Path,
    settings: &Settings,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (runbooks, mistakes) = Library::load(&settings.runbook_dirs);
    if !mistakes.is_empty() {
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        return Err(CommandError::usage(told.join("\n")));
    }
    writeln!(out, "{}: no mistakes", file.display())?;
    for environment in settings.environments.values() {
        writeln!(
            out,
            "  {}{}: account {}, {}, {} SQL server(s)",
            environment.name,
            if environment.production { " (production)" } else { "" },
            environment.account.as_deref().unwrap_or("any"),
            environment.regions.join(" "),
            environment.sql.len(),
        )?;
        for (duty, role) in &environment.roles.by_duty {
            writeln!(out, "    {duty}: {role}")?;
        }
    }
    let own = runbooks.iter().filter(|runbook| runbook.file.is_some()).count();
    writeln!(out, "  runbooks: {}, {own} of them your own", runbooks.iter().count())?;
    for mute in settings.detections.mutes.iter().filter(|mute| mute.expires <= now) {
        let rule = crate::model::text::visible(&mute.rule).into_owned();
        let place = format!("{}:{}", file.display(), mute.line);
        writeln!(
            out,
            "{place}: the mute of {rule} expired at {}: it mutes no more, take it out or renew it",
            mute.expires
        )?;
    }
    Ok(())
}
