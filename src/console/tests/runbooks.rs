//! Shipped runbooks through the whole console at 80×24: real keys, the real responder, the simulated account. Each
//! screen on which a person is waited for is held by a snapshot.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use jiff::SignedDuration;
use ratatui::Terminal;
use ratatui::crossterm::event::Event as Input;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::terminal::SharedTerminal;
use super::{fixture, key_event};
use crate::console::{Feed, KeyTrails, Mode, Responder, RunbookCard, Sources, run};
use crate::inventory::Progress;
use crate::respond::tests::house::House;
use crate::respond::view::{Ask, RunView, Target, Told, Waiting};
use crate::runbook::Library;
use crate::trail::TrailView;

/// The console at work on a house, and somebody who types.
struct Desk {
    house: House,
    input: mpsc::UnboundedSender<io::Result<Input>>,
    terminal: SharedTerminal,
    /// What the responder told, after the console had it.
    views: mpsc::UnboundedReceiver<Box<RunView>>,
    /// How often to press down before enter, where there is a list.
    picks: VecDeque<usize>,
    /// Every screen so far, and what was typed there.
    story: String,
}

impl Desk {
    fn at(mut house: House, picks: &[usize]) -> Self {
        let terminal = SharedTerminal::new((80, 24));
        let (input, typed) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::channel(64);
        let (see, views) = mpsc::unbounded_channel();
        let mut heard = std::mem::replace(&mut house.responder.told, mpsc::channel(1).1);
        tokio::spawn(async move {
            while let Some(message) = heard.recv().await {
                let view = if let Told::Run(view) = &message { Some(view.clone()) } else { None };
                if tell.send(message).await.is_err() {
                    break;
                }
                if let Some(view) = view {
                    let _ = see.send(view);
                }
            }
        });
        let feed = Feed {
            inventory: watch::channel(Arc::clone(&house.inventory)).1,
            trail: watch::channel(Arc::new(TrailView::default())).1,
            backfills: crate::trail::Backfills::default(),
            progress: watch::channel(Progress::default()).1,
            key_trails: KeyTrails { ask: Box::new(drop), told: mpsc::unbounded_channel().1 },
            refresh: Box::new(|| ()),
            interested: Box::new(|_| ()),
        };
        let sources = Sources {
            feeds: vec![feed],
            responder: Some(Responder { ask: house.responder.ask.clone(), told }),
            clock: house.estate.clock.clone(),
            clipboard: Box::new(|_| Ok(())),
            bell: Box::new(|| Ok(())),
        };
        let mut options = fixture::options(Mode::Respond { incident: fixture::incident() });
        let card = |runbook: &Arc<crate::runbook::Runbook>| RunbookCard {
            id: runbook.id.clone(),
            title: runbook.title.clone(),
            text: runbook.reading(),
        };
        options.runbooks = Library::built_in().iter().map(card).collect();
        let mut backend = Terminal::new(terminal.clone()).unwrap();
        tokio::spawn(async move {
            let shutdown = std::future::pending::<()>();
            run(&mut backend, UnboundedReceiverStream::new(typed), shutdown, sources, options).await
        });
        Self { house, input, terminal, views, picks: picks.iter().copied().collect(), story: String::new() }
    }

    fn press(&self, name: &str) {
        let _ = self.input.send(Ok(Input::Key(key_event(name))));
    }

    fn write(&self, text: &str) {
        for letter in text.chars() {
            self.press(&if letter == ' ' { "space".to_owned() } else { letter.to_string() });
        }
    }

    /// Lets everything that can happen at this moment happen: time stands still meanwhile.
    async fn settle(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }

    /// The next state in which the run waits for something other than the program.
    async fn waits(&mut self) -> Box<RunView> {
        loop {
            let patience = std::time::Duration::from_mins(10);
            let view = tokio::time::timeout(patience, self.views.recv()).await;
            let view =
                view.unwrap_or_else(|_| panic!("silent:\n{}", self.screen())).expect("the responder is gone");
            if !matches!(view.waiting, Waiting::Program(_)) {
                self.settle().await;
                return view;
            }
        }
    }

    fn screen(&self) -> String {
        super::super::svg::text(&self.terminal.buffer())
    }

    fn keep(&mut self, typed: &str) {
        let screen = self.screen();
        writeln!(self.story, "{screen}\n⌨ {typed}\n").unwrap();
    }

    /// Follows the run to its end.
    async fn through(mut self, runbook: &str, alias: &str) -> String {
        let target = Target::Key(self.house.key_named(alias));
        let reason = "alert 7".into();
        self.house.ask(Ask::Start { runbook: runbook.into(), target, reason }).await;
        loop {
            let view = self.waits().await;
            let typed = match &view.waiting {
                Waiting::Finished { .. } => {
                    self.keep("");
                    assert!(self.picks.is_empty(), "{:?}\n{}", self.picks, self.story);
                    return self.story;
                }
                Waiting::Time { until, .. } => {
                    self.keep("(time passes)");
                    let now = self.house.sim.clock().now();
                    self.house.pass(until.duration_since(now));
                    continue;
                }
                Waiting::Attestation => "seen to".to_owned(),
                Waiting::Approval { people, .. } => {
                    let names = ["Bea", "Carl"].into_iter().take(usize::from(*people)).collect::<Vec<_>>();
                    format!("{}: by telephone", names.join(", "))
                }
                Waiting::Confirmation { preview, .. } => preview.must_type.clone(),
                Waiting::Choice { .. } | Waiting::Value { .. } | Waiting::Failed { .. } => {
                    let downs = self.picks.pop_front();
                    let downs = downs.unwrap_or_else(|| panic!("a pick is wanted:\n{}", self.screen()));
                    for _ in 0..downs {
                        self.press("down");
                    }
                    self.settle().await;
                    String::new()
                }
                other => panic!("{other:?}"),
            };
            self.write(&typed);
            self.settle().await;
            self.keep(&format!("{typed}⏎"));
            self.press("enter");
        }
    }
}

async fn held(name: &str, house: House, runbook: &str, alias: &str, picks: &[usize]) {
    let story = Desk::at(house, picks).through(runbook, alias).await;
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, story) });
}

#[tokio::test(start_paused = true)]
async fn emergency_revocation() {
    let house = House::built().await;
    held("story_revocation", house, "emergency-revocation", "buzz-tutor/user-data", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn key_recovery() {
    let house = House::built().await;
    held("story_recovery", house, "key-recovery", "buzz-tutor/legacy", &[1]).await;
}

#[tokio::test(start_paused = true)]
async fn standard_rotation() {
    let house = House::built().await;
    held("story_rotation", house, "standard-rotation", "buzz-tutor/sessions", &[2, 3, 1]).await;
}

#[tokio::test(start_paused = true)]
async fn post_rotation_verification() {
    let mut house = House::built().await;
    house.pass(SignedDuration::from_mins(30));
    held("story_verification", house, "post-rotation-verification", "buzz-tutor/user-data", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn key_compromise() {
    let house = House::built().await;
    held("story_compromise", house, "key-compromise", "buzz-tutor/messages", &[4, 0]).await;
}

#[tokio::test(start_paused = true)]
async fn key_loss() {
    let house = House::built().await;
    held("story_loss", house, "key-loss", "buzz-tutor/legacy", &[0, 0]).await;
}
