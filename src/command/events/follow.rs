//! `events --follow`: prints events, or findings, as they come.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use super::super::{CommandError, output};
use super::answer::{Answer, judged};
use super::{Format, Wanted, context, names, read_filter};
use crate::detect::Finding;
use crate::estate::Estate;
use crate::trail::{EventKey, FollowOptions, Follower, KeyNames, TrailView};

/// Prints what has come since `since`, and what comes, each once and the oldest first, until `stop` resolves.
///
/// # Errors
/// A filter that cannot be understood; an answer that cannot be written; with [`Exit::Findings`](super::super::Exit),
/// where `--fail-on` says so, once it is stopped.
pub async fn follow(
    estate: &Arc<Estate>,
    wanted: &Wanted,
    stop: impl Future<Output = ()>,
    out: &mut impl Write,
    mut say: impl FnMut(&str),
) -> Result<(), CommandError> {
    let filter = read_filter(wanted)?;
    let options =
        FollowOptions { lookback: wanted.since, use_lookback: wanted.since, ..FollowOptions::default() };
    let follower = Follower::spawn(estate, options);
    let names = names(estate).await;
    follower.circumstances().send_replace(context(estate, wanted, &names, &mut say));
    let mut views = follower.views();
    let mut told = Told::default();
    let mut failing = None;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            changed = views.changed() => if changed.is_err() { break },
        }
        let view = Arc::clone(&views.borrow_and_update());
        told.print(&view, wanted, &filter, &names, estate, out)?;
        out.flush()?;
        let trouble =
            view.failing().map(|(source, why)| format!("{source} could not be read: {}", why.reason));
        if trouble != failing {
            if let Some(trouble) = &trouble {
                say(trouble);
            }
            failing = trouble;
        }
    }
    let view = Arc::clone(&views.borrow());
    judged(&view.findings.iter().collect::<Vec<_>>(), wanted.fail_on)
}

/// What was printed already.
#[derive(Default)]
struct Told {
    events: HashSet<EventKey>,
    findings: HashSet<String>,
    has_head: bool,
}

impl Told {
    fn print(
        &mut self,
        view: &TrailView,
        wanted: &Wanted,
        filter: &crate::trail::Filter,
        names: &KeyNames,
        estate: &Estate,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let answer =
            Answer { events: &view.events, findings: &view.findings, names, now: estate.clock.now() };
        let mut lines = Vec::new();
        if wanted.findings {
            let mut new = answer.findings(wanted, filter);
            new.retain(|finding| self.is_new(finding));
            new.reverse();
            if !new.is_empty() {
                answer.print_findings(&new, wanted.format, &mut lines)?;
            }
        } else {
            let mut new = answer.ranks(&Wanted { limit: usize::MAX, ..wanted.clone() }, filter, &mut |_| {});
            new.retain(|rank| view.events.key(*rank as usize).is_some_and(|key| self.events.insert(key)));
            new.reverse();
            if !new.is_empty() {
                answer.print_events(&new, wanted.format, &mut lines)?;
            }
        }
        Ok(out.write_all(self.without_head(&lines, wanted.format))?)
    }

    /// A burst that grows, or first use that turns out to be earlier, is no news.
    fn is_new(&mut self, finding: &Finding) -> bool {
        let parts = finding.events.iter().map(|(_, id)| format!("{}/{id}", finding.rule.id));
        let parts: Vec<String> = parts.chain([finding.id.clone()]).collect();
        let is_new = !parts.iter().any(|part| self.findings.contains(part));
        self.findings.extend(parts);
        is_new
    }

    /// Tables and CSV begin with their columns' names: once is enough.
    fn without_head<'a>(&mut self, lines: &'a [u8], format: Format) -> &'a [u8] {
        let with_head = matches!(format, Format::As(output::Format::Table | output::Format::Csv));
        if lines.is_empty() || !with_head || !std::mem::replace(&mut self.has_head, true) {
            return lines;
        }
        let end = lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1);
        &lines[end..]
    }
}
