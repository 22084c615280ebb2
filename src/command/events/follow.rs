//! `events --follow`: prints events, or findings, as they come.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use tokio::sync::watch;

use super::super::keys::Asked;
use super::super::{CommandError, output};
use super::answer::{Answer, Part, judged};
use super::{Format, Wanted, context, names, read_filter};
use crate::detect::Finding;
use crate::estate::Estate;
use crate::model::text::visible;
use crate::trail::{EventKey, Filter, FollowOptions, Follower, KeyNames, TrailView};

/// Prints what has come since `since`, and what comes, each once and the oldest first, until `stop` resolves.
///
/// # Errors
/// A filter that cannot be understood; an answer that cannot be written; with [`Exit::Findings`](super::super::Exit),
/// where `--fail-on` says so, once it is stopped.
pub async fn follow(
    asked: &[Asked<'_>],
    wanted: &Wanted,
    stop: impl Future<Output = ()>,
    out: &mut impl Write,
    mut say: impl FnMut(&str),
) -> Result<(), CommandError> {
    let filter = read_filter(wanted)?;
    let mut followed = Vec::new();
    for one in asked {
        match one.estate {
            Ok(estate) => followed.push(Followed::begin(&one.environment, estate, wanted, &mut say).await),
            Err(why) => say(&format!("{}: {why}", visible(&one.environment))),
        }
    }
    let mut told = Told { several: asked.len() > 1, ..Told::default() };
    tokio::pin!(stop);
    loop {
        let at = tokio::select! {
            () = &mut stop => break,
            changed = any_changed(&mut followed) => changed,
        };
        let Some(one) = at.and_then(|at| followed.get_mut(at)) else { break };
        let view = Arc::clone(&one.views.borrow_and_update());
        told.print(&view, one, wanted, &filter, out)?;
        out.flush()?;
        one.tell_trouble(&view, &mut say);
    }
    let views: Vec<Arc<TrailView>> = followed.iter().map(|one| Arc::clone(&one.views.borrow())).collect();
    judged(views.iter().flat_map(|view| view.findings.iter()), wanted.fail_on)
}

/// One environment, followed.
struct Followed<'a> {
    environment: &'a str,
    estate: &'a Estate,
    names: KeyNames,
    views: watch::Receiver<Arc<TrailView>>,
    /// What was last said to be wrong.
    trouble: Option<String>,
    /// Reads for as long as it is kept.
    _follower: Follower,
}

impl<'a> Followed<'a> {
    async fn begin(
        environment: &'a str,
        estate: &'a Arc<Estate>,
        wanted: &Wanted,
        say: &mut impl FnMut(&str),
    ) -> Self {
        let options =
            FollowOptions { lookback: wanted.since, use_lookback: wanted.since, ..FollowOptions::default() };
        let follower = Follower::spawn(estate, options);
        let names = names(estate).await;
        let (context, trouble) = context(estate, wanted, &names);
        if let Some(trouble) = trouble {
            say(&trouble);
        }
        follower.circumstances().send_replace(context);
        let views = follower.views();
        Self { environment, estate, names, views, trouble: None, _follower: follower }
    }

    /// Says what is wrong, once.
    fn tell_trouble(&mut self, view: &TrailView, say: &mut impl FnMut(&str)) {
        let trouble =
            view.failing().map(|(source, why)| format!("{source} could not be read: {}", why.reason));
        if let Some(new) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            say(new);
        }
        self.trouble = trouble;
    }
}

/// The next of which there is news; None where nothing follows any more.
async fn any_changed(followed: &mut [Followed<'_>]) -> Option<usize> {
    let waits: Vec<_> = followed.iter_mut().map(|one| Box::pin(one.views.changed())).collect();
    if waits.is_empty() {
        return None;
    }
    let (changed, at, _) = futures_util::future::select_all(waits).await;
    changed.ok().map(|()| at)
}

/// What was printed already.
#[derive(Default)]
struct Told {
    events: HashSet<EventKey>,
    findings: HashSet<String>,
    has_head: bool,
    /// Whether there are several environments.
    several: bool,
}

impl Told {
    fn print(
        &mut self,
        view: &TrailView,
        of: &Followed<'_>,
        wanted: &Wanted,
        filter: &Filter,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let part = Part {
            environment: Some(of.environment),
            events: &view.events,
            findings: &view.findings,
            names: &of.names,
        };
        let answer = Answer { parts: vec![part], several: self.several, now: of.estate.clock.now() };
        let mut lines = Vec::new();
        if wanted.findings {
            let mut new = answer.findings(wanted, filter);
            new.retain(|found| self.is_new(found.finding));
            new.reverse();
            if !new.is_empty() {
                answer.print_findings(&new, wanted.format, &mut lines)?;
            }
        } else {
            let mut new = answer.ids(&Wanted { limit: usize::MAX, ..wanted.clone() }, filter, &mut |_| {});
            new.retain(|id| answer.key(*id).is_some_and(|key| self.events.insert(key)));
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
