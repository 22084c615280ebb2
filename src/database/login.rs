//! Passwords: from an environment variable, asked before start, or handed in; never from a file or a flag.

use std::io;

use crate::model::seen::Cause;
use crate::settings::secrecy_text::SecretText;
use crate::settings::{Environment, PasswordFrom, SqlServerSettings};

use super::failure::Failure;

/// Asks for every password that settings want asked, before anything is opened and while the terminal is
/// still an ordinary one. Afterwards none of the environment's servers has a `Prompt` left.
///
/// # Errors
/// The first one that `ask` gives.
pub fn resolve_prompts(
    environment: &mut Environment,
    mut ask: impl FnMut(&SqlServerSettings) -> io::Result<SecretText>,
) -> io::Result<()> {
    for server in &mut environment.sql {
        if server.password == PasswordFrom::Prompt {
            server.password = PasswordFrom::Given(ask(server)?);
        }
    }
    Ok(())
}

/// The password that `settings` lead to; `variable` reads an environment variable.
pub(super) fn password(
    settings: &SqlServerSettings,
    variable: impl FnOnce(&str) -> Option<String>,
) -> Result<SecretText, Failure> {
    let missing = |why: String, next: String| {
        Failure::unsent(&settings.name, "finding the password", Cause::Denied, why, next)
    };
    match &settings.password {
        PasswordFrom::Given(secret) => Ok(secret.clone()),
        PasswordFrom::Variable(name) => variable(name).map(SecretText::new).ok_or_else(|| {
            let name = crate::model::text::visible(name);
            missing(
                format!("the environment variable {name} is not set"),
                format!("set {name} to the password of {} and start again", settings.user),
            )
        }),
        PasswordFrom::Prompt => Err(missing(
            "the password was to be asked for at start, and no terminal was there to ask on".to_owned(),
            "start from a terminal, or name an environment variable for it in the settings".to_owned(),
        )),
    }
}
