//! `config check`: says whether the settings can be used.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

use super::CommandError;
use crate::settings::Settings;

/// Tells what the settings hold. That they could be read at all has been checked by whoever read them.
///
/// # Errors
/// When writing fails.
pub fn tell(
    file: &Path,
    settings: &Settings,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
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
