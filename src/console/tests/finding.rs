//! Finding one's way on the Keys screen: filter, order, groups, columns, marks, several environments.

use std::sync::Arc;

use ratatui::crossterm::event::{Event as Input, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tokio::sync::watch;

use super::{Bench, fixture};
use crate::console::{Feed, Mode};
use crate::inventory::Column;
use crate::model::pair::{Inventory, Row};
use crate::model::seen::{Cause, NotVisible};
use crate::trail::TrailView;

const SIZE: (u16, u16) = (100, 30);

/// Production, staging, and one that could not be opened.
pub struct Three {
    pub bench: Bench,
    staging: watch::Sender<Arc<Inventory>>,
    pub trail: watch::Sender<Arc<TrailView>>,
}

pub async fn three(size: (u16, u16)) -> Three {
    let (staging, inventory) = watch::channel(Arc::new(few()));
    let (trail, trail_seen) = watch::channel(Arc::new(fixture::trail()));
    let why =
        NotVisible::new(Cause::Unreachable, "environment `audit` cannot be opened: no credentials; sign in");
    let shut = Feed::shut("audit", why.clone(), fixture::now());
    let staged = Feed { inventory, trail: trail_seen, ..Feed::shut("staging", why, fixture::now()) };
    let mut options = fixture::options(Mode::Watch);
    options.places.push(fixture::place("staging", false));
    options.places.push(fixture::place("audit", false));
    options.places[1].account = Some("222233334444".into());
    Three { bench: Bench::beside(size, options, vec![staged, shut]).await, staging, trail }
}

/// Two pairs, one of them called as one of production is.
fn few() -> Inventory {
    let whole = fixture::inventory();
    let rows = ["CEK_User_12345", "CEK_Staged"].map(|cek| Row::Pair(fixture::pair(cek, "buzz_staging", 1)));
    Inventory { rows: rows.to_vec().into(), ..whole }
}

/// The lines of the list, without the header.
fn list(bench: &Bench) -> Vec<String> {
    let screen = bench.screen();
    let heading = screen.lines().position(|line| line.contains("STATE")).unwrap();
    let lines =
        screen.lines().skip(heading + 1).map(|line| line.split('│').next().unwrap_or_default().trim_end());
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn heading(bench: &Bench) -> String {
    bench.screen().lines().find(|line| line.contains("STATE")).unwrap().to_owned()
}

fn copied(bench: &Bench) -> String {
    bench.copied.lock().unwrap().back().unwrap().clone()
}

async fn click(bench: &Bench, column: u16, row: u16) {
    let kind = MouseEventKind::Down(MouseButton::Left);
    bench.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_value_is_told_and_the_last_good_list_stays() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("/db:arch age:>").await;
    let good = list(&bench);
    assert!(good[0].contains("CEK_Legacy"), "{good:?}");
    bench.keys("abc").await;
    assert!(bench.screen().contains("`age:` takes days"), "{}", bench.screen());
    assert_eq!(list(&bench), good);
    bench.keys("<backspace><backspace><backspace>300").await;
    assert!(!bench.screen().contains("takes days") && list(&bench)[0].contains("CEK_Legacy"));
    assert!(bench.screen().contains("1 of 15"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn a_typo_finds_its_key_and_says_so() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("/usrdat").await;
    assert!(bench.screen().contains("≈ closest to `usrdat`"), "{}", bench.screen());
    assert!(list(&bench)[0].contains("buzz-tutor/user-data"));
    bench.keys("<ctrl-u>user").await;
    assert!(!bench.screen().contains('≈'));
}

#[tokio::test(start_paused = true)]
async fn fields_of_the_filter_stand_in_the_help() {
    let bench = Bench::watch((100, 120)).await;
    bench.keys("?").await;
    for part in ["WHAT A FILTER TAKES", "lastused:", "tag:", "NAME=VALUE"] {
        assert!(bench.screen().contains(part), "{part}: {}", bench.screen());
    }
}

#[tokio::test(start_paused = true)]
async fn any_column_sorts_by_key_by_menu_and_by_mouse() {
    let bench = Bench::watch(SIZE).await;
    assert!(heading(&bench).contains("STATE▴"), "{}", heading(&bench));
    bench.keys("s").await;
    assert!(heading(&bench).contains("COLUMN KEY▴"));
    bench.keys("o<home>").await;
    assert!(heading(&bench).contains("COLUMN KEY▾") && list(&bench)[0].contains("52;c;evil"));
    bench.keys("v<end><enter>").await;
    assert!(bench.screen().contains("KIND ▴"), "by a column that is not shown, too: {}", bench.screen());
    bench.keys("<esc>").await;
    let line = bench.screen().lines().position(|line| line.contains("STATE")).unwrap();
    let column = heading(&bench).find("COLUMN KEY").unwrap();
    let place = |at: usize| u16::try_from(at).unwrap();
    click(&bench, place(column), place(line)).await;
    assert!(heading(&bench).contains("COLUMN KEY▴"), "{}", heading(&bench));
    click(&bench, place(column) + 2, place(line)).await;
    assert!(heading(&bench).contains("COLUMN KEY▾"));
}

#[tokio::test(start_paused = true)]
async fn columns_are_chosen_and_kept_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("columns.json");
    let mut options = fixture::options(Mode::Watch);
    options.columns_file = Some(file.clone());
    let bench = Bench::with((200, 45), options).await;
    assert!(!heading(&bench).contains("SERVER"));
    // From STATE, by which it is sorted: DATABASE is the sixth, SERVER the seventh.
    bench.keys("v<down><down><down><down><down><space><down><space><esc>").await;
    assert!(
        heading(&bench).contains("SERVER") && !heading(&bench).contains("DATABASE"),
        "{}",
        heading(&bench)
    );
    let kept = crate::console::columns::kept(&file).unwrap();
    assert!(kept.contains(&Column::Server) && !kept.contains(&Column::Database), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn groups_are_counted_folded_and_left() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("b").await;
    assert!(bench.screen().contains("grouped by master key"));
    let by_key = list(&bench);
    assert!(by_key[0].contains("▾ buzz-tutor/legacy · 1 row"), "the most urgent first: {by_key:?}");
    assert!(by_key.iter().any(|line| line.contains("▾ buzz-tutor/user-data · 3 rows")), "{by_key:?}");
    bench.keys("b").await;
    assert!(list(&bench).iter().any(|line| line.contains("buzz_prod on sql-1 · ")), "{:?}", list(&bench));
    bench.keys("b<home>").await;
    let by_state = list(&bench);
    assert!(by_state[0].contains("▾ ✖ deletion · 1 row"), "{by_state:?}");
    bench.keys("<left>").await;
    assert!(list(&bench)[0].contains("▸ ✖ deletion") && !list(&bench)[1].contains("CEK_Legacy"));
    bench.keys("<enter><down>").await;
    assert!(list(&bench)[1].contains("CEK_Legacy"));
    bench.keys("<left>z").await;
    assert!(list(&bench).iter().all(|line| line.contains('▸')), "{:?}", list(&bench));
    bench.inventory.send_replace(Arc::new(fixture::inventory()));
    bench.settle().await;
    assert!(list(&bench).iter().all(|line| line.contains('▸')), "what comes in unfolds nothing");
    bench.keys("b").await;
    assert!(bench.screen().contains("not grouped") && list(&bench)[0].contains("CEK_Legacy"));
}

#[tokio::test(start_paused = true)]
async fn marked_rows_are_copied_line_by_line() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("/user_1234<enter>mm<esc>").await;
    assert!(bench.screen().contains("▪ 2 marked"), "{}", bench.screen());
    bench.keys("/legacy<enter>y").await;
    assert!(bench.screen().contains("Copy, of 2 rows marked"), "{}", bench.screen());
    bench.keys("c").await;
    assert_eq!(copied(&bench), "CEK_User_12345\nCEK_User_12346", "though the filter hides them");
    bench.keys("yl").await;
    assert_eq!(copied(&bench), "alias/buzz-tutor/user-data", "each name once");
    let mut turned = fixture::inventory();
    turned.rows.reverse();
    bench.inventory.send_replace(Arc::new(turned));
    bench.settle().await;
    bench.keys("yc").await;
    assert_eq!(copied(&bench), "CEK_User_12346\nCEK_User_12345", "marks stay with their rows");
    bench.keys("<esc>MM").await;
    assert!(!bench.screen().contains("▪"), "{}", bench.screen());
    bench.keys("b<home>m").await;
    assert!(bench.screen().contains("▪ 1 marked"), "a group's head marks its rows: {}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn environments_stand_side_by_side_and_each_tells_its_own() {
    let Three { bench, staging, .. } = three((160, 45)).await;
    let top = bench.screen().lines().next().unwrap().to_owned();
    assert!(top.contains("PRODUCTION") && top.contains("STAGING") && top.contains("AUDIT"), "{top}");
    assert!(heading(&bench).contains("ENV"));
    assert!(bench.screen().contains("(environment not"), "{}", bench.screen());
    bench.keys("/user_12345<enter>").await;
    let found = list(&bench);
    assert_eq!(found.iter().filter(|line| line.contains("CEK_User_12345")).count(), 2, "{found:?}");
    assert!(bench.screen().contains("2 of 18"), "{}", bench.screen());
    bench.keys("<ctrl-u>/<ctrl-u>env:stag<enter>").await;
    assert!(bench.screen().lines().take(2).any(|line| line.contains("222233334444")), "the account in focus");
    staging.send_replace(Arc::new(Inventory { rows: Vec::new().into(), ..few() }));
    bench.settle().await;
    assert!(bench.screen().contains("0 of 16"), "{}", bench.screen());
    bench.keys("<esc>/not<ctrl-u>is:unreadable env:audit<enter><enter>").await;
    assert!(bench.screen().contains("no credentials; sign in"), "{}", bench.screen());
    bench.keys("<esc><esc>E").await;
    assert!(bench.screen().contains("environment: staging"), "{}", bench.screen());
    bench.keys("EE2").await;
    assert!(
        bench.screen().contains("▸PRODUCTION") && bench.screen().contains("DisableKey"),
        "{}",
        bench.screen()
    );
    bench.keys("EE").await;
    assert!(bench.screen().contains("▸AUDIT") && bench.screen().contains("DisableKey"), "one list of events");
    bench.keys("1<home>").await;
    bench.keys("bbb").await;
    assert!(list(&bench).iter().any(|line| line.contains("▾ production · 15 rows")), "{:?}", list(&bench));
}

#[tokio::test(start_paused = true)]
async fn production_is_said_whatever_stands_beside_it() {
    let mut options = fixture::options(Mode::Watch);
    for number in 0..8 {
        options.places.insert(0, fixture::place(&format!("development-{number}"), false));
    }
    let shut = |place: &crate::console::Place| {
        Feed::shut(&place.environment, NotVisible::new(Cause::Unreachable, "no"), fixture::now())
    };
    let feeds = options.places[1..].iter().map(shut).collect();
    let bench = Bench::beside((80, 24), options, feeds).await;
    let top = bench.screen().lines().next().unwrap().to_owned();
    assert!(top.contains("PRODUCTION") && top.contains('+'), "{top}");
    assert!(top.contains("READ-ONLY"), "{top}");
}
