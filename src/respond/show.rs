//! A run as the console and the commands see it.

use jiff::Timestamp;

use super::view::{Evidence, RunView, Standing, StepStatus, StepView, Waiting};
use super::{planning, run::Live};
use crate::estate::Estate;
use crate::model::IncidentId;
use crate::model::age::short;
use crate::model::dependents::storage_lost_from;
use crate::model::pair::Inventory;
use crate::model::plan::Operation;
use crate::runbook::{Aim, Context, Fact, Outcome, Placeholder, Run, StepState};

/// The whole view of a run.
pub(super) fn view(live: &Live, context: &Context, undo: Option<Operation>) -> RunView {
    let run = &live.run;
    RunView {
        run: run.id,
        runbook: live.runbook.id.clone(),
        title: live.runbook.title.clone(),
        key: run.found.as_ref().map(|found| found.key.clone()),
        key_name: run.found.as_ref().map(|found| found.key_name.clone()),
        started: run.started_at,
        steps: (0..run.steps.len()).map(|index| step(live, index, context)).collect(),
        current: run.current,
        waiting: live.waiting.clone(),
        evidence: run.evidence.iter().chain(&live.fresh).map(evidence).collect(),
        undo,
        values: run.values.iter().map(|(value, known)| (value.word(), known.to_string())).collect(),
    }
}

fn evidence(fact: &Fact) -> Evidence {
    Evidence { at: fact.at, text: fact.text.clone(), good: fact.good }
}

fn step(live: &Live, index: usize, context: &Context) -> StepView {
    let (step, run) = (&live.runbook.steps[index], &live.run);
    let current = index == run.current;
    let (status, finished) = status(run, index, matches!(live.waiting, Waiting::Failed { .. }));
    StepView {
        title: step.title.clone(),
        text: step.text.filled(context),
        status,
        finished,
        deadline: run.deadline(&live.runbook).filter(|_| current),
        overdue: current && run.overdue,
        does: live.runbook.does(index),
        if_it_fails: live.runbook.if_it_fails(index),
    }
}

fn status(run: &Run, index: usize, failed: bool) -> (StepStatus, Option<Timestamp>) {
    match &run.steps[index] {
        StepState::Done { at, outcome: Outcome::Skipped { .. } } | StepState::PassedOver { at } => {
            (StepStatus::Skipped, Some(*at))
        }
        StepState::Done { at, outcome: Outcome::WentOn { .. } } => (StepStatus::Failed, Some(*at)),
        StepState::Done { at, .. } => (StepStatus::Done, Some(*at)),
        StepState::Failed { failure, .. } if failed && failure.unknown => (StepStatus::Unknown, None),
        StepState::Failed { .. } if failed => (StepStatus::Failed, None),
        _ if index == run.current => (StepStatus::Now, None),
        _ => (StepStatus::ToCome, None),
    }
}

/// What the placeholders of a run's texts stand for.
pub(super) fn context(
    run: &Run,
    estate: &Estate,
    incident: &IncidentId,
    standing: &Standing,
    inventory: &Inventory,
) -> Context {
    let environment = &estate.environment;
    let mut context = Context::default();
    let mut set = |placeholder, value: &str| context.set(placeholder, value);
    set(Placeholder::Incident, incident.as_str());
    set(Placeholder::Reason, run.started.reason.raw());
    set(Placeholder::Environment, &environment.name);
    set(Placeholder::Requester, &planning::requester(estate));
    set(Placeholder::ColumnKeyCache, &short(environment.column_key_cache));
    set(Placeholder::RecoveryWindow, &short(environment.recovery_window));
    if let Aim::ColumnKey { cek, .. } = &run.started.aim {
        set(Placeholder::Cek, cek.raw());
    }
    let Some(found) = &run.found else { return context };
    set(Placeholder::Key, &found.key_name);
    set(Placeholder::KeyArn, found.key.as_str());
    set(Placeholder::Account, found.key.account());
    set(Placeholder::Region, found.key.region());
    if let Some(database) = &found.database {
        set(Placeholder::Database, &format!("{} on {}", database.database.raw(), database.server.0));
    }
    for (value, known) in &run.values {
        set(Placeholder::Value(*value), known.raw());
    }
    if let Some(date) = inventory.keys.get(&found.key).and_then(|key| key.deletion_date) {
        set(Placeholder::DeletionDate, &when(date));
    }
    if let Some(drop) = standing.changes.iter().find(|change| change.key == found.key) {
        let until = drop.exposed_until.map_or_else(|| "no longer: restarts were attested".to_owned(), when);
        set(Placeholder::ExposedUntil, &until);
        set(Placeholder::RdsDeadline, &when(storage_lost_from(drop.at)));
    }
    context
}

/// A moment's time of day, in UTC, to the second.
pub(super) fn clock(moment: Timestamp) -> String {
    moment.strftime("%H:%M:%SZ").to_string()
}

/// A moment as people say it over the telephone: in UTC, to the minute.
pub(super) fn when(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%MZ").to_string()
}
