//! No screen panics at any size, in any state.

use std::sync::Arc;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::Event as Input;

use super::{fixture, key_event};
use crate::console::Mode;
use crate::console::draw::draw;
use crate::console::snapshot::Snapshot;
use crate::console::state::{Event, State, update};
use crate::respond::view::{Told, Waiting};

const WALKS: [&[&str]; 20] = [
    &[],
    &["enter"],
    &["/", "x"],
    &["2", "enter"],
    &["3", "enter"],
    &["4", "enter"],
    &["5", "end"],
    &["?", "pgdn"],
    &[":", "down"],
    &["r"],
    &["s", "G", "o"],
    &["n"],
    &["2", "u", "enter", "esc"],
    &["2", "space", "f", "d", "r"],
    &["a", "enter", "end"],
    &["d", "pgdn", "down"],
    &["ctrl-d", "end"],
    &["v", "space", "enter"],
    &["b", "z", "m", "y"],
    &["b", "b", "left", "M", "/", "q"],
];

fn waitings() -> [Waiting; 7] {
    [
        Waiting::Program("reading".into()),
        Waiting::Proceed { what: "go".into() },
        Waiting::Attestation,
        Waiting::Choice { question: "which?".into(), options: vec!["a".into(), "b".into()] },
        Waiting::Confirmation { preview: Box::new(fixture::preview()), wrong: Some("no".into()) },
        Waiting::Failed { reason: "r".repeat(300), next: "n".into(), otherwise: None },
        Waiting::Left,
    ]
}

fn state() -> State {
    let options = fixture::options(Mode::Respond { incident: fixture::incident() });
    let mut state = State::new(options, true, vec![Arc::new(fixture::trail())], fixture::now(), (80, 24));
    let snapshot = Snapshot::of(Arc::new(fixture::inventory()), &state.place().age, fixture::now());
    update(&mut state, Event::Inventory(0, Arc::new(snapshot)));
    update(&mut state, Event::Told(Box::new(Told::Journal(fixture::journal()))));
    state
}

fn shown(state: &mut State, width: u16, height: u16) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(state, frame)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_screen_at_any_size(
        sizes in proptest::collection::vec((1..210_u16, 1..70_u16), 1..3),
        walk in 0..WALKS.len(),
        waiting in proptest::option::of(0..7_usize),
    ) {
        let mut state = state();
        if let Some(waiting) = waiting {
            let view = fixture::run(waitings()[waiting].clone());
            update(&mut state, Event::Told(Box::new(Told::Run(Box::new(view)))));
        }
        for (width, height) in sizes {
            shown(&mut state, width, height);
            for key in WALKS[walk] {
                update(&mut state, Event::Input(Input::Key(key_event(key))));
                shown(&mut state, width, height);
            }
        }
    }
}

#[test]
fn the_smallest_sizes_of_all() {
    for width in 1..8 {
        for height in 1..8 {
            shown(&mut state(), width, height);
        }
    }
}
