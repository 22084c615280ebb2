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
        recovery_window: SignedDuration::from_hours(7 * 24),
    }
}

/// The account, its state folder and one responder.
pub(super) struct House {
    pub sim: Simulator,
    pub inventory: Arc<Inventory>,
    dir: TempDir,
    estate: Arc<Estate>,
    pub responder: Responder,
    pub standing: Standing,
    pub refusals: Vec<String>,
    pub kinds: Vec<String>,
}

impl House {
    pub(super) async fn built() -> Self {
        Self::of("platform", environment()).await
    }

    /// As `oncall-a`, who changes nothing but in a role.
    pub(super) async fn in_roles() -> Self {
        let mut environment = environment();
        let role = |duty: Duty| Some((duty, seed::role_for(duty.word(), "production")?));
        environment.roles.by_duty = Duty::ALL.into_iter().filter_map(role).collect();
        environment.roles.mfa = Mfa::Device("arn:aws:iam::111122223333:mfa/oncall-a".into());
        Self::of("oncall-a", environment).await
    }

    /// What the operator's MFA device shows.
    pub(super) fn digits(&self) -> String {
        let now = self.sim.clock().now();
        self.sim.world().sts.code_of(seed::ACCOUNT, "oncall-a", now).unwrap().0
    }

    pub(super) async fn give(&self, digits: &str) {
        self.ask(Ask::MfaCode { code: MfaCode::read(digits).unwrap() }).await;
    }

    /// Everything that was journalled, as it is on disk.
    pub(super) fn on_disk(&self) -> String {
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
        let responder = spawn(&estate, &inventory, &dir, None);
        let (standing, refusals, kinds) = Default::default();
        sim.forget_calls();
        Self { sim, inventory, dir, estate, responder, standing, refusals, kinds }
    }

    /// The same house, whose process will die at this boundary of the gate.
    pub(super) async fn dying_at(boundary: Boundary) -> Self {
        let mut house = Self::built().await;
        house.restart(Some(boundary)).await;
        house
    }

    /// A house with a runbook of its own.
    pub(super) async fn with_runbook(document: &str) -> Self {
        let mut house = Self::built().await;
        std::fs::write(house.dir.path().join("own.md"), document).unwrap();
        house.restart(None).await;
        house
    }

    /// Ends the process, whatever it was at, and starts another.
    pub(super) async fn restart(&mut self, dying_at: Option<Boundary>) {
        self.responder.task.abort();
        let _ = (&mut self.responder.task).await;
        self.kinds.clear();
        self.responder = spawn(&self.estate, &self.inventory, &self.dir, dying_at);
    }

    /// The same house at a moment when KMS has not been asked about anything yet.
    pub(super) async fn forget_kms(&mut self) {
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

    pub(super) async fn ask(&self, ask: Ask) {
        self.responder.ask.send(ask).await.unwrap();
    }

    /// Begins a runbook on a column key of the production server.
    pub(super) async fn start(&self, runbook: &str, cek: &str, database: &str) {
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
            Told::Run(_) => {}
        }
        Some(told)
    }

    /// Listens until the program says that it is at this.
    pub(super) async fn at(&mut self, work: &str) {
        loop {
            if let Told::Run(run) = self.hear().await.expect("the responder is gone")
                && matches!(&run.waiting, Waiting::Program(what) if what.contains(work))
            {
                return;
            }
        }
    }

    /// Listens until the run waits for something other than the program.
    pub(super) async fn waits(&mut self) -> RunView {
        loop {
            if let Told::Run(run) = self.hear().await.expect("the responder is gone")
                && !matches!(run.waiting, Waiting::Program(_))
            {
                return *run;
            }
        }
    }

    /// Listens until the run waits for the confirmation, and types it.
    pub(super) async fn confirm(&mut self) -> RunView {
        let run = self.waits().await;
        let Waiting::Confirmation { preview, .. } = &run.waiting else { panic!("{:?}", run.waiting) };
        self.ask(Ask::Confirm { typed: preview.must_type.clone() }).await;
        run
    }

    /// Listens until something is refused.
    pub(super) async fn refusal(&mut self) -> String {
        loop {
            if let Told::Refused { reason } = self.hear().await.expect("the responder is gone") {
                return reason;
            }
        }
    }

    /// Listens to what a new process says of the incident before anything is asked.
    pub(super) async fn first_standing(&mut self) -> Standing {
        loop {
            if let Told::Standing(standing) = self.hear().await.expect("the responder is gone") {
                return standing;
            }
        }
    }

    /// Listens until the process is dead.
    pub(super) async fn dies(&mut self) {
        while self.hear().await.is_some() {}
    }

    /// Calls that change a key, in order, by operation.
    pub(super) fn changes(&self) -> Vec<String> {
        let changing = ["DisableKey", "EnableKey", "CancelKeyDeletion", "ScheduleKeyDeletion"];
        let calls = self.sim.calls().into_iter().map(|call| call.operation);
        calls.filter(|call| changing.contains(&call.as_str())).collect()
    }

    /// The state that the simulator holds for a key.
    pub(super) fn state_of(&self, key: &KeyArn) -> String {
        format!("{:?}", self.sim.world().kms.key(key.region(), key.id()).unwrap().state)
    }

    pub(super) fn key_named(&self, alias: &str) -> KeyArn {
        let named = |key: &&Arc<crate::model::key::KmsKey>| key.name() == alias;
        self.inventory.keys.values().find(named).unwrap().arn.clone()
    }
}

fn spawn(
    estate: &Arc<Estate>,
    inventory: &Arc<Inventory>,
    dir: &TempDir,
    dying_at: Option<Boundary>,
) -> Responder {
    let acting = Acting::enter(Arc::clone(estate), "INC-2026-0142".parse().unwrap());
    let journal = Journal::open(dir.path(), "production", &acting.incident, estate.clock.clone()).unwrap();
    let (_, inventory) = watch::channel(Arc::clone(inventory));
    let gate = Gate::open(&acting, journal).observed_by(Arc::new(move |boundary| {
        assert!(dying_at != Some(boundary), "killed at {}", boundary.word());
    }));
    let (library, mistakes) = Library::load(&[dir.path().to_owned()]);
    assert_eq!(mistakes, []);
    Responder::through(gate, &acting, inventory, None, library)
}
