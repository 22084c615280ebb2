//! Logs go to files in the state folder, never to the screen.

use std::path::Path;

use color_eyre::eyre::{Result, WrapErr as _};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days of logs kept.
const KEPT: usize = 14;

/// Starts logging to `STATE_DIR/log/portcullis.DATE.log`, a file a day. `PORTCULLIS_LOG` sets what is
/// logged (`info` by default). The SDK's own spans stay out: they could carry request bodies.
///
/// # Errors
/// When the folder cannot be written.
pub fn start(state_dir: &Path) -> Result<WorkerGuard> {
    let folder = state_dir.join("log");
    std::fs::create_dir_all(&folder).wrap_err_with(|| format!("{} cannot be made", folder.display()))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("portcullis")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(&folder)
        .wrap_err_with(|| format!("logs cannot be written to {}", folder.display()))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let wanted = std::env::var("PORTCULLIS_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted)
        .wrap_err_with(|| {
            format!("PORTCULLIS_LOG={wanted} is no log filter, such as info or portcullis=debug")
        })?
        .add_directive("aws_smithy_runtime=warn".parse()?)
        .add_directive("aws_sdk=warn".parse()?)
        .add_directive("aws_config=warn".parse()?)
        .add_directive("tiberius=warn".parse()?);
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(writer).init();
    Ok(guard)
}
