//! Logs go to files in the state folder, never to the screen.

use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days of logs kept.
const KEPT: usize = 14;
/// Sets what is logged.
const VARIABLE: &str = "PORTCULLIS_LOG";
const LIBRARIES: &str = "aws_config=warn,aws_runtime=warn,aws_sdk_cloudtrail=warn,aws_sdk_kms=warn,aws_sdk_rds=warn,\
                         aws_sdk_sns=warn,aws_sdk_sts=warn,aws_smithy_runtime=warn,hyper=warn,rustls=warn,tiberius=warn";

/// Starts logging to `STATE_DIR/log/portcullis.DATE.log`, a file a day. `PORTCULLIS_LOG` sets what is
/// logged (`info` by default).
///
/// # Errors
/// When the folder cannot be written.
pub fn start(state_dir: &Path) -> Result<WorkerGuard, String> {
    let folder = state_dir.join("log");
    let cannot = |why: &dyn std::fmt::Display| {
        format!(
            "logs cannot be written to {}: {why}; name a folder that can with --state-dir",
            folder.display()
        )
    };
    std::fs::create_dir_all(&folder).map_err(|error| cannot(&error))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("portcullis")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(&folder)
        .map_err(|error| cannot(&error))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| "info".to_owned());
    // Libraries come last and at warn: their spans could carry request bodies.
    let filter = EnvFilter::try_new(format!("{wanted},{LIBRARIES}"))
        .map_err(|_| format!("{VARIABLE}={wanted} is no log filter, such as info or portcullis=debug"))?;
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(writer).init();
    Ok(guard)
}
