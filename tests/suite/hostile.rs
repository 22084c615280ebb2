//! Names that an attacker chose appear made visible: in printed tables and on the console's screens.

use jiff::SignedDuration;
use portcullis::console::Mode;
use portcullis::simulator::seed::HOSTILE;
use portcullis::trail::{FollowOptions, Follower};

use crate::program;
use crate::pty::Terminal;
use crate::stage::{ALL_PAIRS, House, Operator, operate};

/// [`HOSTILE`] as it has to be shown, spelled out here so that the program's own rule is not asked.
const SHOWN: &str = "evil␛[2J␛[1;31m⟨U+202E⟩delbane⟨U+202C⟩⟨U+200B⟩␍␊Enabled";

/// The characters of [`HOSTILE`] that deceive.
fn deceivers() -> impl Iterator<Item = char> {
    HOSTILE.chars().filter(|c| !c.is_ascii() || c.is_ascii_control())
}

#[test]
fn the_table_of_keys_shows_what_would_deceive() {
    let home = tempfile::tempdir().unwrap();
    let keys =
        |format| program::run(home.path(), &Vec::new(), &["keys", "-e", "simulated", "--format", format]);
    let table = keys("table").done();
    assert!(table.contains(SHOWN), "{table}");
    for deceiver in deceivers().filter(|c| *c != '\n') {
        assert!(!table.contains(deceiver), "{deceiver:?} in the table");
    }
    let records = keys("json").records();
    assert_eq!(table.lines().count(), 1 + records.len(), "a line for each row and no more");
    assert!(records.iter().any(|record| record["cek"] == HOSTILE), "JSON has the name as it is");
}

#[test]
fn the_table_of_events_shows_what_would_deceive() {
    // CloudTrail answers twice a second: both at the same time.
    let [table, csv] = ["table", "csv"].map(|format| {
        std::thread::spawn(move || {
            let home = tempfile::tempdir().unwrap();
            let words = ["events", "-e", "simulated", "--since", "70h", "--limit", "100000"];
            let more = ["--filter", "who:contractor-dev", "--format", format];
            program::run(home.path(), &Vec::new(), &[&words[..], &more].concat()).done()
        })
    });
    let (table, csv) = (table.join().unwrap(), csv.join().unwrap());
    let agents = csv.lines().filter(|line| line.contains(SHOWN)).count();
    assert_eq!(agents, 7, "{csv}");
    for printed in [&table, &csv] {
        for deceiver in deceivers().filter(|c| *c != '\n') {
            assert!(!printed.contains(deceiver), "{deceiver:?} in {printed}");
        }
    }
    assert_eq!(table.lines().count(), csv.lines().count(), "a line for each event and no more:\n{table}");
}

#[test]
fn the_keys_screen_shows_what_would_deceive() {
    let home = tempfile::tempdir().unwrap();
    let mut console = Terminal::start(home.path(), (160, 45), &["watch", "-e", "simulated"]);
    console.see(ALL_PAIRS);
    console.press("/cek:evil");
    console.see("1 of 74");
    console.press("\r\r");
    console.see("SQL SERVER");
    let screen = console.see("␛[1;31m⟨U+202E⟩delbane");
    // Where the line is folded depends on what has been read by now.
    assert!(screen.contains("⟨U+200B⟩␍␊E"), "{screen}");
    console.press("h/");
    console.see("cek:evil");
    console.press("\x15key:spare");
    console.see("1 of 74");
    console.press("\r\r");
    console.see("aliases");
    console.see("delbane");
    console.press("q");
    let raw = console.end().well().raw;
    for deceiver in deceivers().filter(|c| !matches!(c, '\x1b' | '\r' | '\n')) {
        assert!(!raw.contains(deceiver), "{deceiver:?} was sent to the terminal");
    }
    assert!(!raw.contains("evil\x1b[2J"), "the escape sequence was sent to the terminal");
}

/// The console looks back a day; the hostile agent came by two nights ago, so this one looks back further.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_screen_shows_what_would_deceive() {
    let house = House::open().await;
    house.stage.simulator.set_quotas(false);
    let far = SignedDuration::from_hours(70);
    let options =
        FollowOptions { lookback: far, use_lookback: far, use_pages: 1000, ..FollowOptions::default() };
    let follower = Follower::spawn(&house.estate, options);
    let mut trail = follower.views();
    let hostile = |event: portcullis::model::event::KeyEvent| event.user_agent.raw() == HOSTILE;
    trail.wait_for(|view| view.events.iter().any(hostile)).await.unwrap();
    let mut sources = house.live.watch(Box::new(|_| Ok(())));
    sources.feeds[0].trail = trail;
    let saved = tempfile::tempdir().unwrap();
    let options = house.options(Mode::Watch, saved.path());
    operate(sources, options, (160, 60), async |operator: &mut Operator| {
        operator.press("2");
        operator.see("[2 Events]").await;
        operator.press("/");
        operator.write("who:contractor-dev");
        operator.press("enter");
        operator.press("enter");
        let frame = operator.see("delbane").await;
        for part in ["evil␛[2J␛[1;31m⟨U+202E⟩delbane⟨U+202C⟩", "␍␊Enabled"] {
            assert!(frame.contains(part), "{part}:\n{frame}");
        }
        for deceiver in deceivers().filter(|c| *c != '\n') {
            assert!(!frame.contains(deceiver), "{deceiver:?} in\n{frame}");
        }
        operator.press("q");
    })
    .await;
}
