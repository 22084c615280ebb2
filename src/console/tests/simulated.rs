//! The simulated account, read whole and held: every kind of key, every anomaly, as the screens tell them.

use std::sync::Arc;

use super::{Bench, fixture};
use crate::console::{Mode, Options, Place};
use crate::drill::Stage;
use crate::estate::Estate;
use crate::inventory::{Wants, load_once};
use crate::model::pair::Inventory;
use crate::settings::Environment;
use crate::simulator::clock::VirtualClock;
use crate::simulator::{Simulator, seed};

/// The account as it is read at the fixture's hour, before any traffic of its own.
async fn account() -> (Inventory, Environment) {
    let simulator = Simulator::new(seed::buzz_tutor(7, fixture::now()), VirtualClock::frozen(fixture::now()));
    // The clock stands still, and with it the quotas' refilling.
    simulator.set_quotas(false);
    let stage = Stage::around(simulator, 7).unwrap();
    let (environment, wire, clock) = (stage.environment.clone(), stage.wire.clone(), stage.clock.clone());
    drop(stage);
    let estate = Estate::open(environment.clone(), wire, clock).await.unwrap();
    (load_once(&estate, Wants::ALL, |_| ()).await, environment)
}

async fn bench(size: (u16, u16)) -> Bench {
    let (inventory, environment) = account().await;
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
