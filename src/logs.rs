//! Logs go to files in the state folder, never to the screen.

use std::path::Path;

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Days of logs kept.
const KEPT: usize = 14;
/// Sets what is logged.
const VARIABLE: &str = "PORTCULLIS_LOG";
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
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|_| format!("{VARIABLE}={wanted} is no log filter, such as info or portcullis=debug"))?;
    let lines = tracing_subscriber::fmt::layer().json().with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter_fn(may_be_logged))).with(filter).init();
    Ok(guard)
}

/// Whatever is asked for, libraries log warnings and errors alone: what they say beyond could carry request bodies.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "portcullis" || target.starts_with("portcullis::") || *metadata.level() <= Level::WARN
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::{filter_fn, may_be_logged};
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_log_warnings_alone_however_much_is_asked_for() {
        let written = Written::default();
        let to = written.clone();
        let lines = tracing_subscriber::fmt::layer().json().with_writer(move || to.clone());
        let log = tracing_subscriber::registry().with(lines.with_filter(filter_fn(may_be_logged)));
        tracing::subscriber::with_default(log, || {
            let _span =
                tracing::info_span!(target: "aws_sdk_sqs", "request", body = "hidden-in-a-span").entered();
            tracing::info!(target: "aws_sdk_sqs::operation", "hidden-in-an-event");
            tracing::info!(target: "portcullisish", "hidden-by-name");
            tracing::warn!(target: "aws_sdk_sqs", "a-warning");
            tracing::trace!(target: "portcullis::gate", "our-own");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a-warning") && text.contains("our-own"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}
