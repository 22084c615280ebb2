//! A responder on the simulated account, in process: the real adapters, gate and journal over the real wire.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::cloud::{HttpWire, InProcessHttp, MfaCode, NoAnswer, StaticCredentials};
use crate::database::{Dialer, InProcessSql};
use crate::estate::{Acting, Estate, Wire};
use crate::gate::{Boundary, Gate};
use crate::inventory::{Wants, load_once};
use crate::journal::Journal;
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::catalog::ServerName;
use crate::model::duty::Duty;
use crate::model::pair::{DatabaseRef, Inventory};
use crate::respond::Responder;
use crate::respond::view::{Ask, RunView, Standing, Target, Told, Waiting};
use crate::runbook::Library;
use crate::settings::secrecy_text::SecretText;
use crate::settings::{AuditSettings, Environment, Mfa, PasswordFrom, SqlServerSettings};
use crate::simulator::aws::front::NoAnswer as Lost;
use crate::simulator::clock::VirtualClock;
use crate::simulator::traffic::Traffic;
use crate::simulator::{Simulator, seed};

/// The simulator as both wires.
#[derive(Clone, Debug)]
struct InProcess(Simulator);

#[async_trait]
impl InProcessHttp for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        self.0.http(request).await.map_err(|lost| match lost {
            Lost::Timeout => NoAnswer::TimedOut,
            Lost::ConnectionLost => NoAnswer::ConnectionLost,
        })
    }
}

#[async_trait]
impl InProcessSql for InProcess {
    async fn dial(&self, host: &str, _port: u16) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (simulator, host) = (self.0.clone(), host.to_owned());
        tokio::spawn(async move { simulator.sql(&host, theirs).await });
        Ok(ours)
    }
}

fn sql(name: &str, host: &str) -> SqlServerSettings {
    SqlServerSettings {
        name: ServerName(name.into()),
        host: host.into(),
        port: Some(1433),
        instance: None,
        databases: None,
        user: seed::SQL_READER.into(),
        password: PasswordFrom::Given(SecretText::new(seed::SQL_PASSWORD.into())),
        ca_bundle: None,
    }
}

fn environment() -> Environment {
    Environment {
        name: "production".into(),
        production: true,
        simulated: true,
        account: Some(seed::ACCOUNT.into()),
        regions: vec![seed::HOME.into(), seed::REPLICA.into()],
        profile: None,
        endpoint: None,
        sql: vec![sql("prod", "buzz-prod-1.sim.internal"), sql("staging", "buzz-staging-1.sim.internal")],
        trail: crate::settings::TrailSettings::default(),
        alert_topic: Some(format!("arn:aws:sns:{}:{}:{}", seed::HOME, seed::ACCOUNT, seed::ALERT_TOPIC)),
        audit: Some(AuditSettings { server: ServerName("prod".into()), database: "buzz_prod".into() }),
        age: AgePolicies::default(),
        roles: crate::settings::Roles::none("production"),
        estate: Vec::new(),
        column_key_cache: SignedDuration::from_hours(2),
        approvals: 0,
        approval_override: true,
        recovery_window: SignedDuration::from_hours(7 * 24),
    }
}

/// The account, its state folder and one responder.
pub(crate) struct House {
    pub sim: Simulator,
    pub inventory: Arc<Inventory>,
    dir: TempDir,
    pub estate: Arc<Estate>,
    pub responder: Responder,
    pub standing: Standing,
    pub refusals: Vec<String>,
    pub kinds: Vec<String>,
    /// The first of the values offered last.
    offered: Option<String>,
    traffic: Traffic,
    shown: watch::Sender<Arc<Inventory>>,
}

impl RunView {
    /// How the step of this title stands.
    pub(crate) fn status(&self, title: &str) -> crate::respond::view::StepStatus {
        self.steps.iter().find(|step| step.title == title).unwrap_or_else(|| panic!("no step {title}")).status
    }
}

impl House {
    pub(crate) async fn built() -> Self {
        Self::of("platform", environment()).await
    }

    /// As `oncall-a`, who changes nothing but in a role.
    pub(crate) async fn in_roles() -> Self {
        let mut environment = environment();
        let role = |duty: Duty| Some((duty, seed::role_for(duty.word(), "production")?));
        environment.roles.by_duty = Duty::ALL.into_iter().filter_map(role).collect();
        environment.roles.mfa = Mfa::Device("arn:aws:iam::111122223333:mfa/oncall-a".into());
        Self::of("oncall-a", environment).await
    }

    /// What the operator's MFA device shows.
    pub(crate) fn digits(&self) -> String {
        let now = self.sim.clock().now();
        self.sim.world().sts.code_of(seed::ACCOUNT, "oncall-a", now).unwrap().0
    }

    pub(crate) async fn give(&self, digits: &str) {
        self.ask(Ask::MfaCode { code: MfaCode::read(digits).unwrap() }).await;
    }

    /// Everything that was journalled, as it is on disk.
    pub(crate) fn on_disk(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("journal/production/INC-2026-0142.jsonl")).unwrap()
    }

    async fn of(user: &str, environment: Environment) -> Self {
        let start: Timestamp = "2026-11-23T14:00:00Z".parse().unwrap();
        let sim = Simulator::new(seed::buzz_tutor(7, start), VirtualClock::frozen(start));
        sim.set_quotas(false);
        let keys = seed::credentials(&sim.world(), user).unwrap();
        let credentials = StaticCredentials {
            access_key_id: keys.access_key_id,
            secret_access_key: SecretText::new(keys.secret_access_key),
            session_token: None,
        };
        let both = Arc::new(InProcess(sim.clone()));
        let wire = Wire {
            http: HttpWire::InProcess { http: both.clone(), credentials },
            sql: Dialer::InProcess(both),
            sql_ca: Some(sim.sql_ca_pem().unwrap().to_owned()),
        };
        let virtual_clock = sim.clock().clone();
        let clock = Clock::from_fn(move || virtual_clock.now());
        let estate = Estate::open(environment, wire, clock).await.unwrap();
        let inventory = Arc::new(load_once(&estate, Wants::ALL, |_| {}).await);
        let dir = TempDir::new().unwrap();
        let (shown, _) = watch::channel(Arc::clone(&inventory));
        let responder = spawn(&estate, &shown, &dir, None);
        let (standing, refusals, kinds) = Default::default();
        sim.forget_calls();
        let traffic = Traffic::new(&sim, 7);
        Self {
            sim,
            inventory,
            dir,
            estate,
            responder,
            standing,
            refusals,
            kinds,
            offered: None,
            traffic,
            shown,
        }
    }

    /// The same house, whose process will die at this boundary of the gate.
    pub(crate) async fn dying_at(boundary: Boundary) -> Self {
        let mut house = Self::built().await;
        house.restart(Some(boundary)).await;
        house
    }

    /// A house with a runbook of its own.
    pub(crate) async fn with_runbook(document: &str) -> Self {
        let mut house = Self::built().await;
        std::fs::write(house.dir.path().join("own.md"), document).unwrap();
        house.restart(None).await;
        house
    }

    /// Ends the process, whatever it was at, and starts another.
    pub(crate) async fn restart(&mut self, dying_at: Option<Boundary>) {
        self.responder.task.abort();
        let _ = (&mut self.responder.task).await;
        self.kinds.clear();
        self.shown.send_replace(Arc::clone(&self.inventory));
        self.responder = spawn(&self.estate, &self.shown, &self.dir, dying_at);
    }

    /// The same house at a moment when KMS has not been asked about anything yet.
    pub(crate) async fn forget_kms(&mut self) {
        let inventory = Arc::make_mut(&mut self.inventory);
        inventory.keys.clear();
        for row in &mut inventory.rows {
            if let crate::model::pair::Row::Pair(pair) = row {
                Arc::make_mut(&mut pair.cmk).link =
                    crate::model::pair::KeyLink::Loading { path: pair.cmk.key_path.raw().to_owned() };
            }
        }
        self.restart(None).await;
    }

    pub(crate) async fn ask(&self, ask: Ask) {
        self.responder.ask.send(ask).await.unwrap();
    }

    /// Begins a runbook on a column key of the production server.
    pub(crate) async fn start(&self, runbook: &str, cek: &str, database: &str) {
        let database = DatabaseRef { server: ServerName("prod".into()), database: database.into() };
        let target = Target::ColumnKey { cek: cek.into(), database: Some(database) };
        self.ask(Ask::Start { runbook: runbook.into(), target, reason: "stolen laptop".into() }).await;
    }

    async fn hear(&mut self) -> Option<Told> {
        let told = tokio::time::timeout(Duration::from_mins(10), self.responder.told.recv());
        let told = told.await;
        let told = told.unwrap_or_else(|_| panic!("silent for ten minutes; refused: {:?}", self.refusals))?;
        match &told {
            Told::Standing(standing) => self.standing = standing.clone(),
            Told::Refused { reason } => self.refusals.push(reason.clone()),
            Told::Journal(entries) => self.kinds.extend(entries.iter().map(|entry| entry.kind.clone())),
            Told::Run(run) => {
                if let Waiting::Value { offers, .. } = &run.waiting {
                    self.offered = offers.first().map(|offer| offer.value.clone());
                }
            }
        }
        Some(told)
    }

    /// Listens until the run waits for something other than the program.
    pub(crate) async fn waits(&mut self) -> RunView {
        loop {
            if let Told::Run(run) = self.hear().await.expect("the responder is gone")
                && !matches!(run.waiting, Waiting::Program(_))
            {
                return *run;
            }
        }
    }

    /// Listens until the run waits for the confirmation, and types it.
    pub(crate) async fn confirm(&mut self) -> RunView {
        let run = self.waits().await;
        let Waiting::Confirmation { preview, .. } = &run.waiting else { panic!("{:?}", run.waiting) };
        self.ask(Ask::Confirm { typed: preview.must_type.clone() }).await;
        run
    }

    /// Lets virtual time pass, in which the account's own programs use their keys.
    pub(crate) fn pass(&mut self, time: SignedDuration) {
        let until = self.sim.clock().now() + time;
        while self.sim.clock().now() < until {
            let left = until.duration_since(self.sim.clock().now());
            self.sim.clock().advance(left.min(SignedDuration::from_mins(1)));
            self.traffic.tick(&self.sim);
        }
    }

    /// Listens, and lets time pass, until the run has found that clients work again; gives what it waits for then.
    pub(crate) async fn until_clients_are_back(&mut self) -> RunView {
        loop {
            let run = self.waits().await;
            let Waiting::Time { until, .. } = run.waiting else { return run };
            let now = self.sim.clock().now();
            self.pass(until.duration_since(now));
        }
    }

    /// Gives a value that is refused with these words, and asked for again.
    pub(crate) async fn answer_wrong(&mut self, value: &str, word: &str) {
        self.ask(Ask::Answer { value: value.into() }).await;
        let Waiting::Value { wrong, .. } = self.waits().await.waiting else { panic!("not asked again") };
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(word)), "{wrong:?}");
    }

    /// Gives the first value that was last offered.
    pub(crate) async fn answer_first(&mut self) {
        let value = self.offered.clone().expect("nothing was offered");
        self.ask(Ask::Answer { value }).await;
        self.waits().await;
    }

    /// Reads everything anew, as the console does all the time.
    pub(crate) async fn refresh(&mut self) {
        self.inventory = Arc::new(load_once(&self.estate, Wants::ALL, |_| {}).await);
        self.shown.send_replace(Arc::clone(&self.inventory));
    }

    /// Listens until something is refused.
    pub(crate) async fn refusal(&mut self) -> String {
        loop {
            if let Told::Refused { reason } = self.hear().await.expect("the responder is gone") {
                return reason;
            }
        }
    }

    /// Listens to what a new process says of the incident before anything is asked.
    pub(crate) async fn first_standing(&mut self) -> Standing {
        loop {
            if let Told::Standing(standing) = self.hear().await.expect("the responder is gone") {
                return standing;
            }
        }
    }

    /// Listens until the process is dead.
    pub(crate) async fn dies(&mut self) {
        while self.hear().await.is_some() {}
    }

    /// Calls that change a key, in order, by operation.
    pub(crate) fn changes(&self) -> Vec<String> {
        let changing = ["DisableKey", "EnableKey", "CancelKeyDeletion", "ScheduleKeyDeletion"];
        let calls = self.sim.calls().into_iter().map(|call| call.operation);
        calls.filter(|call| changing.contains(&call.as_str())).collect()
    }

    /// The state that the simulator holds for a key.
    pub(crate) fn state_of(&self, key: &KeyArn) -> String {
        format!("{:?}", self.sim.world().kms.key(key.region(), key.id()).unwrap().state)
    }

    /// A multi-Region key's ARN in one of its Regions.
    pub(super) fn key_in(&self, alias: &str, region: &str) -> KeyArn {
        let mut keys = self.inventory.keys.values();
        keys.find(|key| key.name() == alias && key.arn.region() == region).unwrap().arn.clone()
    }

    pub(crate) fn key_named(&self, alias: &str) -> KeyArn {
        let named = |key: &&Arc<crate::model::key::KmsKey>| key.name() == alias;
        self.inventory.keys.values().find(named).unwrap().arn.clone()
    }
}

fn spawn(
    estate: &Arc<Estate>,
    shown: &watch::Sender<Arc<Inventory>>,
    dir: &TempDir,
    dying_at: Option<Boundary>,
) -> Responder {
    let acting = Acting::enter(Arc::clone(estate), "INC-2026-0142".parse().unwrap());
    let journal = Journal::open(dir.path(), "production", &acting.incident, estate.clock.clone()).unwrap();
    let gate = Gate::open(&acting, journal).observed_by(Arc::new(move |boundary| {
        assert!(dying_at != Some(boundary), "killed at {}", boundary.word());
    }));
    let (library, mistakes) = Library::load(&[dir.path().to_owned()]);
    assert_eq!(mistakes, []);
    Responder::through(gate, &acting, shown.subscribe(), None, library)
}
