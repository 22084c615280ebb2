//! The column keys under a key, and whether another key has taken them over.

use std::collections::BTreeSet;

use crate::model::age::ago;
use crate::model::arn::KeyArn;
use crate::model::dependents::Dependents;
use crate::model::pair::{DatabaseRef, Inventory, KeyLink, Pair};
use crate::model::text::Untrusted;
use crate::respond::actor::Actor;
use crate::respond::trouble::{Stop, Trouble};
use crate::runbook::{Found, Value};

/// Column keys whose master key names the key, where KMS does not show it any more.
fn under_lost(key: &KeyArn, inventory: &Inventory) -> Vec<(bool, String)> {
    let names_it = |link: &KeyLink| match link {
        KeyLink::Gone { path } | KeyLink::NotVisible { path, .. } => path == key.as_str(),
        _ => false,
    };
    let told = |pair: &Pair| {
        let (database, other) =
            (&pair.cmk.database, if pair.rotating { "; IT HAS ANOTHER VALUE" } else { "" });
        let place = format!("{} on {}", database.database, database.server);
        (false, format!("{} in {place}: {} columns cannot be read{other}", pair.cek, pair.columns.len()))
    };
    inventory.pairs().filter(|pair| names_it(&pair.cmk.link)).map(told).collect()
}

/// What keeps column keys from view.
const MORE: &str = "there may be more:";

impl Actor {
    pub(super) fn check_column_keys(&mut self, found: &Found) {
        let (inventory, now) = (self.inventory(), self.now());
        let depends = Dependents::of(&found.key, &inventory);
        let rotating =
            inventory.pairs().filter(|pair| pair.rotating && pair.cmk.link.arn() == Some(&found.key));
        let rotating = rotating.count();
        self.fact(
            true,
            format!(
                "{} column keys, {} columns in {} databases; {rotating} in mid-rotation",
                depends.column_keys.len(),
                depends.columns.len(),
                depends.databases.len()
            ),
        );
        self.list(under_lost(&found.key, &inventory));
        let line = |(database, cek): &(DatabaseRef, Untrusted)| {
            let columns = depends.columns.iter().filter(|c| c.database == *database && c.cek == *cek);
            (
                true,
                format!("{cek} in {} on {}: {} columns", database.database, database.server, columns.count()),
            )
        };
        self.list(depends.column_keys.iter().map(line).collect());
        for server in &inventory.servers {
            self.fact(
                true,
                format!("the catalog of {} was read {} ago", server.server, ago(server.read_at, now)),
            );
        }
        self.list(depends.blind_spots.iter().map(|spot| (false, format!("{MORE} {spot}"))).collect());
    }

    /// Every column key under the run's key must have a value under the new key, in catalogs read since the step began.
    pub(super) fn verify_rewrapped(&mut self, found: &Found) -> Result<(), Stop> {
        let next = "Read the catalogs again (R asks every source), then try again, or leave";
        let new: KeyArn = match self.value(Value::NewKey).map(|arn| arn.parse()) {
            Some(Ok(new)) => new,
            _ => {
                return Err(Trouble::new("no new key was chosen in this run", "Leave, and begin anew").into());
            }
        };
        let (inventory, now) = (self.inventory(), self.now());
        let begun = self.live.as_ref().map_or(now, |live| live.run.entered.at);
        if let Some(old) = inventory.servers.iter().find(|server| server.read_at < begun) {
            let reason = format!(
                "the catalog of {} is {} old, from before this step began: it cannot show what was done since",
                old.server,
                ago(old.read_at, now)
            );
            return Err(Trouble::new(reason, next).into());
        }
        let under = |key: &KeyArn| -> BTreeSet<(DatabaseRef, Untrusted)> {
            Dependents::of(key, &inventory).column_keys
        };
        let (wrapped, taken) = (under(&found.key), under(&new));
        let left: Vec<String> = wrapped
            .difference(&taken)
            .map(|(database, cek)| format!("{cek} in {} on {}", database.database, database.server))
            .collect();
        let hidden = Dependents::of(&found.key, &inventory).blind_spots;
        self.list(hidden.into_iter().map(|spot| (false, format!("{MORE} {spot}"))).collect());
        if left.is_empty() {
            let both = wrapped.intersection(&taken).count();
            self.fact(
                true,
                format!("{} column keys are under the new key; {both} of them under the old one too, whose values can be dropped once clients reach the new one", taken.len()),
            );
            return Ok(());
        }
        let reason =
            format!("{} column keys have no value under the new key: {}", left.len(), left.join(", "));
        Err(Trouble::new(reason, next).into())
    }
}
