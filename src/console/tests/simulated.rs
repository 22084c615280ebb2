//! The simulated account, read whole and held: every kind of key, every anomaly, as the screens tell them.

use std::sync::Arc;

use super::{Bench, fixture};
use crate::console::{Mode, Options, Place};
use crate::drill::Stage;
use crate::estate::Estate;
use crate::inventory::present::record;
use crate::inventory::{Filter, Index, Part, Wants, find, load_once};
use crate::model::pair::{Inventory, Row};
use crate::settings::Environment;
use crate::simulator::clock::VirtualClock;
use crate::simulator::trouble::Trouble;
use crate::simulator::{Simulator, seed};

/// The account as it is read at the fixture's hour, before any traffic of its own.
async fn account(troubles: &[&str]) -> (Inventory, Environment) {
    let simulator = Simulator::new(seed::buzz_tutor(7, fixture::now()), VirtualClock::frozen(fixture::now()));
    let troubles: Vec<Trouble> = troubles.iter().map(|word| word.parse().unwrap()).collect();
    simulator.trouble(&troubles).unwrap();
    // The clock stands still, and with it the quotas' refilling.
    simulator.set_quotas(false);
    let stage = Stage::around(simulator, 7).unwrap();
    let (environment, wire, clock) = (stage.environment.clone(), stage.wire.clone(), stage.clock.clone());
    drop(stage);
    let estate = Estate::open(environment.clone(), wire, clock).await.unwrap();
    (load_once(&estate, Wants::ALL, |_| ()).await, environment)
}

async fn bench(size: (u16, u16)) -> Bench {
    let (inventory, environment) = account(&[]).await;
    bench_of(size, inventory, environment).await
}

async fn bench_of(size: (u16, u16), inventory: Inventory, environment: Environment) -> Bench {
    let place = Place {
        environment: environment.name,
        simulated: true,
        account: environment.account,
        age: environment.age,
        ..fixture::place("", true)
    };
    let options = Options { places: vec![place], ..fixture::options(Mode::Watch) };
    let bench = Bench::with(size, options).await;
    bench.inventory.send_replace(Arc::new(inventory));
    bench.settle().await;
    bench
}

#[tokio::test(start_paused = true)]
async fn every_row_of_the_account() {
    let bench = bench((119, 104)).await;
    insta::assert_snapshot!("simulated_rows", bench.screen());
}

/// A dead SQL server, one that hides its catalog and a Region that never answers: each is a row that says why, the
/// rest is right, and nothing waits for longer than its own timeout.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_row_on_screen_and_in_json() {
    let calm = account(&[]).await.0;
    let begun = tokio::time::Instant::now();
    let troubles = ["dead-sql=buzz-staging-1", "hidden-catalog=buzz-classic-1", "silent-region=us-east-1"];
    let (inventory, environment) = account(&troubles).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(90), "{:?}", begun.elapsed());
    let on = |server: &str, inventory: &Inventory| {
        let there = |row: &&Row| row.cmk().is_some_and(|cmk| cmk.database.server.0.starts_with(server));
        inventory.rows.iter().filter(there).count()
    };
    assert_eq!(on("buzz-prod-1", &inventory), on("buzz-prod-1", &calm));
    assert_eq!((on("buzz-staging-1", &inventory), on("buzz-classic-1", &inventory)), (0, 0));

    let parts_unread = Filter::parse("is:unreadable").unwrap();
    let index = Index::build(&inventory, &environment.age, fixture::now());
    let part = Part { environment: "simulated", inventory: &inventory, index: &index };
    let found = find(&[part], &parts_unread, None, fixture::now());
    let records = found.rows.iter().map(|id| {
        let row = &inventory.rows[id.row as usize];
        let record = record(&inventory, row, &environment.age, fixture::now());
        let told = serde_json::to_value(record).unwrap();
        let some = |(name, value): (&String, &serde_json::Value)| {
            (!value.is_null()).then(|| format!("{name}: {value}"))
        };
        told.as_object().unwrap().iter().filter_map(some).collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!("troubled_json", records.collect::<Vec<_>>().join("\n\n"));
    let bench = bench_of((119, 24), inventory, environment).await;
    insta::assert_snapshot!("troubled_rows", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_key_in_detail() {
    let bench = bench((100, 46)).await;
    let mut pages = String::new();
    for words in [
        "report_tutor",
        "global_users",
        "scores_appeal",
        "scores_trial",
        "vault",
        "board_minutes",
        "contracts",
        "waitlist",
        "tutor_bank",
        "feedback",
        "sealed",
        "partner_school",
        "ledger",
        "sydney",
        "lost",
        "session_device",
    ] {
        bench.keys(&format!("/{words}<enter><enter>")).await;
        // What stands above the page is the same on each.
        let screen = bench.screen();
        let page: Vec<&str> = screen
            .lines()
            .skip(4)
            .map(str::trim_end)
            .take_while(|line| !line.contains("DEPENDS ON IT"))
            .collect();
        pages.push_str(&page.join("\n"));
        pages.push_str("\n\n");
        bench.keys("<esc><esc>").await;
    }
    insta::assert_snapshot!("simulated_details", pages);
}
