//! The responder's task: its state, its loop, and how it works while it listens.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::run::Live;
use super::trouble::{Stop, Trouble};
use super::view::{Ask, Standing, Told, Waiting};
use super::{change, show, standing};
use crate::cloud::KmsReads;
use crate::estate::{Acting, Estate};
use crate::gate::{self, Gate, Ground, Progress};
use crate::journal::Entry;
use crate::model::IncidentId;
use crate::model::arn::KeyArn;
use crate::model::aspect::Aspect;
use crate::model::key::KmsKey;
use crate::model::pair::Inventory;
use crate::model::text::Untrusted;
use crate::runbook::{
    Fact, Library, Next, OnFailure, Outcome, RunLeft, RunNote, RunRecord, Step, StepDone, StepFailed,
    StepOverdue,
};
use crate::trail::TrailView;

/// How often a `wait` step looks at the clock, which in a drill may run faster than ours.
const LOOK_AT_CLOCK: Duration = Duration::from_millis(500);

/// The task that owns an incident's runs.
pub(super) struct Actor {
    pub estate: Arc<Estate>,
    pub incident: IncidentId,
    pub gate: Arc<Gate>,
    pub inventory: watch::Receiver<Arc<Inventory>>,
    /// The trail, where one is followed.
    pub trail: Option<watch::Receiver<Arc<TrailView>>>,
    pub library: Library,
    pub live: Option<Live>,
    /// The true states of unfinished changes as last read, by intent.
    pub sights: BTreeMap<u64, String>,
    asks: mpsc::Receiver<Ask>,
    /// Asked for before the first look at the journal was over.
    early: VecDeque<Ask>,
    nobody_asks: bool,
    tells: mpsc::UnboundedSender<Told>,
    /// How many of the journal's entries were told.
    told: u64,
    kms: HashMap<String, KmsReads>,
}

/// Whether the operator may leave in the middle of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It only reads.
    Allowed,
    /// It changes something: it is carried through.
    NotNow,
}

impl Actor {
    pub fn new(
        gate: Gate,
        acting: &Acting,
        inventory: watch::Receiver<Arc<Inventory>>,
        trail: Option<watch::Receiver<Arc<TrailView>>>,
        library: Library,
        asks: mpsc::Receiver<Ask>,
        tells: mpsc::UnboundedSender<Told>,
    ) -> Self {
        Self {
            estate: Arc::clone(&acting.estate),
            incident: acting.incident.clone(),
            gate: Arc::new(gate),
            inventory,
            trail,
            library,
            live: None,
            sights: BTreeMap::new(),
            asks,
            early: VecDeque::new(),
            nobody_asks: false,
            tells,
            told: 0,
            kms: HashMap::new(),
        }
    }

    /// Runs until nobody can ask any more.
    pub async fn run(mut self) {
        self.tell_journal();
        self.look_at_unfinished().await;
        self.tell_standing();
        while let Some(ask) = self.early.pop_front() {
            self.take(ask).await;
        }
        while !self.nobody_asks {
            if self.watches_the_clock() {
                tokio::select! {
                    ask = self.asks.recv() => self.heard(ask).await,
                    () = tokio::time::sleep(LOOK_AT_CLOCK) => self.look_at_clock().await,
                }
            } else {
                let ask = self.asks.recv().await;
                self.heard(ask).await;
            }
        }
    }

    async fn heard(&mut self, ask: Option<Ask>) {
        match ask {
            Some(ask) => self.take(ask).await,
            None => self.nobody_asks = true,
        }
    }

    /// Goes on with the run until it waits for somebody or something.
    pub async fn advance(&mut self) {
        loop {
            self.note_deadline();
            let Some(live) = self.live.as_mut().filter(|live| !live.run.left) else { return };
            let runbook = Arc::clone(&live.runbook);
            let went = match live.run.next(&runbook) {
                Next::Target => self.find_target().await,
                Next::Step(_, step) => match self.step(step).await {
                    Err(Stop::Failed(trouble)) => self.failed(step, trouble),
                    went => went,
                },
                Next::Finish => self.end().await,
                Next::Nothing => self.rest(),
            };
            match went {
                Ok(()) => {}
                Err(stop) => return self.stop(stop),
            }
        }
    }

    pub fn stop(&mut self, stop: Stop) {
        let waiting = match stop {
            Stop::Waits(waiting) => waiting,
            Stop::Left => return self.leave("left by the operator"),
            Stop::Failed(trouble) => {
                self.record_failure(&trouble);
                self.after_failure(trouble)
            }
        };
        self.wait_for(waiting);
    }

    /// Journals that a step failed, and goes on from it where its runbook says so.
    fn failed(&mut self, step: &Step, trouble: Trouble) -> Result<(), Stop> {
        self.record_failure(&trouble);
        let goes_on = matches!(step.on_failure, OnFailure::GoOn(_)) && !trouble.unknown;
        match self.after_failure(trouble) {
            Waiting::Failed { reason, .. } if goes_on => Ok(self.done(Outcome::WentOn { reason })?),
            waiting => Err(Stop::Waits(waiting)),
        }
    }

    /// What follows a failure that is in the journal: the next try, or a person.
    fn after_failure(&self, trouble: Trouble) -> Waiting {
        let Trouble { reason, next, unknown } = trouble;
        let Some(live) = &self.live else { return Waiting::Failed { reason, next, otherwise: None } };
        if let Some((until, nth, of)) = live.run.next_try(&live.runbook).filter(|_| !unknown) {
            return Waiting::Time { until, what: format!("it is tried again ({nth} of {of}): {reason}") };
        }
        let asks = matches!(live.run.next(&live.runbook), Next::Step(_, step) if matches!(step.on_failure, OnFailure::Ask(_)));
        let way_on = live.run.way_on(&live.runbook).filter(|_| asks);
        let otherwise = way_on.map(|index| live.runbook.title_at(index).to_owned());
        Waiting::Failed { reason, next, otherwise }
    }

    /// Journals that the step failed, with what was found out in it. Where the journal itself is the trouble, the
    /// screen says it all the same.
    fn record_failure(&mut self, trouble: &Trouble) {
        let Some((run, step, title)) = self.current_step() else { return };
        let Trouble { reason, next, unknown } = trouble.clone();
        let evidence = self.live.as_mut().map(|live| std::mem::take(&mut live.fresh)).unwrap_or_default();
        let failed = StepFailed { run, step, title, reason, next, unknown, evidence };
        if let Err(worse) = self.record(RunRecord::StepFailed(failed)) {
            self.fact(false, worse.reason);
        }
    }

    /// The run, and the index and title of the step that it is at.
    fn current_step(&self) -> Option<(u64, usize, String)> {
        let live = self.live.as_ref()?;
        match live.run.next(&live.runbook) {
            Next::Step(index, step) => Some((live.run.id, index, step.title.clone())),
            _ => None,
        }
    }

    /// Journals that the current step is behind the run, with the facts gathered in it.
    pub fn done(&mut self, outcome: Outcome) -> Result<(), Trouble> {
        let Some((run, step, title)) = self.current_step() else { return Ok(()) };
        let (evidence, learned) =
            self.live.as_ref().map(|live| (live.fresh.clone(), live.learned.clone())).unwrap_or_default();
        self.record(RunRecord::StepDone(StepDone { run, step, title, outcome, evidence, learned }))?;
        if let Some(live) = &mut self.live {
            live.fresh.clear();
            live.learned.clear();
        }
        Ok(())
    }

    /// Writes a record to the journal, then takes it into the run: in this order, so that the run is never
    /// ahead of what a replay would find.
    pub fn record(&mut self, record: RunRecord) -> Result<(), Trouble> {
        let (kind, body) = record.clone().into_entry()?;
        let entry = self.gate.journal().append(kind, &body)?;
        self.tell_journal();
        if let Some(live) = &mut self.live {
            live.run.apply(&live.runbook, (&entry).into(), record)?;
        }
        Ok(())
    }

    /// Notes a fact of the step under way.
    pub fn fact(&mut self, good: bool, text: impl Into<String>) {
        let fact = Fact { at: self.now(), text: text.into(), good };
        if let Some(live) = &mut self.live {
            live.fresh.push(fact);
        }
    }

    pub fn leave(&mut self, reason: &str) {
        if let Some(live) = &mut self.live {
            live.pending = None;
        }
        let Some(run) = self.live.as_ref().map(|live| live.run.id) else { return };
        let left = RunRecord::RunLeft(RunLeft { run, reason: reason.to_owned() });
        match self.record(left) {
            Ok(()) => self.wait_for(Waiting::Left),
            Err(Trouble { reason, next, .. }) => {
                self.wait_for(Waiting::Failed { reason, next, otherwise: None });
            }
        }
    }

    /// Works on something while it listens: notes are taken, leaving where it is allowed, the rest refused.
    pub async fn attend<T>(
        &mut self,
        what: &str,
        leaving: Leaving,
        work: BoxFuture<'_, T>,
    ) -> Result<T, Stop> {
        let (_tell, progress) = mpsc::unbounded_channel();
        self.attend_telling(what, leaving, progress, work).await
    }

    /// The same for work that tells how it goes.
    pub async fn attend_telling<T>(
        &mut self,
        what: &str,
        leaving: Leaving,
        mut progress: mpsc::UnboundedReceiver<Progress>,
        mut work: BoxFuture<'_, T>,
    ) -> Result<T, Stop> {
        self.wait_for(Waiting::Program(what.to_owned()));
        loop {
            tokio::select! {
                biased;
                Some(step) = progress.recv() => self.progressed(&step),
                result = &mut work => {
                    while let Ok(step) = progress.try_recv() {
                        self.progressed(&step);
                    }
                    return Ok(result);
                }
                ask = self.asks.recv(), if !self.nobody_asks => match ask {
                    None => self.nobody_asks = true,
                    Some(ask) if self.live.is_none() => self.early.push_back(ask),
                    Some(Ask::Note { text }) => self.note(text),
                    Some(Ask::Leave) if leaving == Leaving::Allowed => return Err(Stop::Left),
                    Some(Ask::Leave) => self.refuse("the change is under way and is carried through: leave once it is proved"),
                    Some(_) => self.refuse(format!("the program is at work: {what}. Ask again once it waits")),
                },
            }
        }
    }

    fn progressed(&mut self, step: &Progress) {
        if let Some(good) = change::weight(step, self.changing().as_ref()) {
            self.fact(good, step.to_string());
        }
        self.tell_journal();
        self.wait_for(Waiting::Program(step.to_string()));
    }

    /// Reads a key anew.
    pub async fn read_key(&mut self, key: &KeyArn, what: &str) -> Result<KmsKey, Stop> {
        let kms = self.kms(key.region());
        let read = self.attend(what, Leaving::Allowed, kms.describe(key.as_str()).boxed()).await?;
        read.map_err(|failure| {
            Trouble::new(
                format!("the key could not be read: {failure}"),
                "Nothing was changed. See to that, then try again",
            )
            .into()
        })
    }

    /// Reads of KMS in a Region. Kept, because clones share connections.
    pub fn kms(&mut self, region: &str) -> KmsReads {
        let cloud = &self.estate.cloud;
        self.kms.entry(region.to_owned()).or_insert_with(|| cloud.kms(region)).clone()
    }

    /// Reads the true state behind each unfinished change.
    pub async fn look_at_unfinished(&mut self) {
        for change in gate::unfinished(&self.entries()) {
            let (gate, plan) = (Arc::clone(&self.gate), change.plan);
            let reading = gate.ground(&plan.key, &plan.operation);
            let what = "looking at what an earlier change left";
            let seen = match self.attend(what, Leaving::Allowed, reading.boxed()).await {
                Ok(Ok(Ground { aspect: Aspect::State(state), .. })) => {
                    format!("the key is {state} (read {})", show::clock(self.now()))
                }
                Ok(Ok(ground)) => format!("{} (read {})", ground.aspect, show::clock(self.now())),
                Ok(Err(why)) => format!("it could not be read: {why}"),
                Err(_) => "not read: left".to_owned(),
            };
            self.sights.insert(change.intent, seen);
        }
    }

    pub fn note(&mut self, text: String) {
        let run = self.live.as_ref().filter(|live| live.under_way()).map(|live| live.run.id);
        let note = RunRecord::Note(RunNote { run, text: Untrusted::from(text) });
        if let Err(trouble) = self.record(note) {
            self.refuse(format!("the note was not kept: {}. {}", trouble.reason, trouble.next));
        }
    }

    /// Whether something of the run depends on what time it is: a wait, a next try, a deadline.
    fn watches_the_clock(&self) -> bool {
        self.live.as_ref().filter(|live| live.under_way()).is_some_and(|live| {
            let to_come = !live.run.overdue && !live.overdue_unkept;
            matches!(live.waiting, Waiting::Time { .. })
                || (to_come && live.run.deadline(&live.runbook).is_some())
        })
    }

    async fn look_at_clock(&mut self) {
        let before = self.live.as_ref().is_some_and(|live| live.run.overdue);
        self.note_deadline();
        if self.live.as_ref().is_some_and(|live| live.run.overdue != before) {
            self.tell_run();
        }
        let now = self.now();
        if self
            .live
            .as_ref()
            .is_some_and(|live| matches!(live.waiting, Waiting::Time { until, .. } if until <= now))
        {
            self.advance().await;
        }
    }

    /// Journals, once, that the present step's deadline has passed, and says it.
    pub fn note_deadline(&mut self) {
        let now = self.now();
        let Some(live) = self.live.as_ref().filter(|live| live.under_way() && !live.run.overdue) else {
            return;
        };
        let Some(deadline) = live.run.deadline(&live.runbook).filter(|deadline| *deadline <= now) else {
            return;
        };
        let Some((run, step, title)) = self.current_step() else { return };
        match self.record(RunRecord::StepOverdue(StepOverdue { run, step, title, deadline })) {
            Ok(()) => {}
            Err(trouble) => {
                if let Some(live) = &mut self.live
                    && !std::mem::replace(&mut live.overdue_unkept, true)
                {
                    self.fact(
                        false,
                        format!("a deadline passed, and the journal did not take it: {}", trouble.reason),
                    );
                }
            }
        }
    }

    pub fn now(&self) -> Timestamp {
        self.estate.clock.now()
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.gate.journal().entries()
    }

    pub fn inventory(&self) -> Arc<Inventory> {
        Arc::clone(&self.inventory.borrow())
    }

    pub fn standing(&self) -> Standing {
        standing::standing(&self.entries(), self.estate.environment.column_key_cache, &self.sights)
    }

    // Telling. A reader that is gone is no error: the journal has it all.

    pub fn refuse(&self, reason: impl Into<String>) {
        let _ = self.tells.send(Told::Refused { reason: reason.into() });
    }

    pub fn wait_for(&mut self, waiting: Waiting) {
        if let Some(live) = &mut self.live {
            live.waiting = waiting;
            self.tell_run();
        }
    }

    fn tell_run(&self) {
        let Some(live) = &self.live else { return };
        let context = show::context(
            &live.run,
            &self.estate,
            &self.incident,
            &self.standing(),
            &self.inventory.borrow(),
        );
        let _ = self.tells.send(Told::Run(Box::new(show::view(live, &context, self.undo_of_this_run()))));
    }

    pub fn tell_standing(&self) {
        let _ = self.tells.send(Told::Standing(self.standing()));
    }

    fn tell_journal(&mut self) {
        let grown = self.gate.journal().entries_from(self.told);
        let first = self.told == 0;
        self.told += grown.len() as u64;
        if first || !grown.is_empty() {
            let _ = self.tells.send(Told::Journal(grown));
        }
    }
}
