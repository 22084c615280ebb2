//! Everything about one row.

use jiff::Timestamp;

use super::facts::kms_key;
use super::tone_of;
use crate::console::commands::Command;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::text::Paragraph;
use crate::inventory::present::row_state;
use crate::model::catalog::Envelope;
use crate::model::key::KmsKey;
use crate::model::pair::{CmkRef, EstateMark, Inventory, KeyLink, Pair, Row};
use crate::model::text::dotted;

/// The page about a row.
pub fn lines(state: &State, row: &Row) -> Vec<Paragraph> {
    let mut sheet = Sheet::new(&state.theme, 12);
    let (kind, words) = row_state(&state.snapshot.inventory, row, &state.place().age, state.now);
    match row {
        Row::Pair(pair) => sheet.heading(pair.cek.to_string()),
        Row::UnusedMasterKey { cmk } => sheet.heading(cmk.name.to_string()),
        Row::OrphanColumnKey { cek, .. } => sheet.heading(cek.to_string()),
        Row::UnreferencedKey { key, .. } => {
            sheet.heading(
                state.snapshot.inventory.keys.get(key).map_or_else(|| key.to_string(), |key| key.name()),
            );
        }
        Row::UnreadableDatabase { database, .. } => sheet.heading(database.database.to_string()),
        Row::UnreadableServer { server, .. } => sheet.heading(server.to_string()),
        Row::UnreadableRegion { region, .. } => sheet.heading(format!("KMS {}", told(region))),
        Row::UnreadableEnvironment { environment, .. } => sheet.heading(told(environment)),
    }
    sheet.text(format!("{} {words}", kind.glyph()), tone_of(kind));
    odd(&mut sheet, row);
    if let Some(key) = state.snapshot.inventory.key_of(row) {
        kms_key(&mut sheet, state, key);
        depends(&mut sheet, state, key);
    }
    match row {
        Row::Pair(pair) => sql_pair(&mut sheet, &state.snapshot.inventory, pair),
        Row::UnusedMasterKey { cmk } => {
            sheet.heading("SQL SERVER");
            sql_cmk(&mut sheet, &state.snapshot.inventory, cmk);
        }
        _ => {}
    }
    sheet.done()
}

/// What is out of the ordinary about the row, and what to do about it.
fn odd(sheet: &mut Sheet<'_>, row: &Row) {
    match row {
        Row::UnreadableRegion { why, .. } => {
            sheet.text(
                format!("Keys of this Region may be missing from the list: {}", told(&why.reason)),
                Tone::Notice,
            );
        }
        Row::UnreadableEnvironment { why, .. } => {
            sheet.text(format!("Nothing of it is in the list: {}", told(&why.reason)), Tone::Notice);
        }
        Row::UnreadableDatabase { why, .. } | Row::UnreadableServer { why, .. } => {
            sheet.text(format!("Its pairs are missing from the list: {}", told(&why.reason)), Tone::Notice);
        }
        Row::OrphanColumnKey { database, columns, .. } => {
            sheet.text(
                format!(
                    "{} on {} shows no value or master key for it: VIEW ANY COLUMN … DEFINITION may be missing. {} columns use it.",
                    database.database, database.server, columns.len()
                ),
                Tone::Notice,
            );
        }
        Row::UnreferencedKey { estate, .. } => unnamed(sheet, estate),
        Row::UnusedMasterKey { .. } => {
            sheet.text("This column master key wraps no column encryption key.", Tone::Dim);
        }
        Row::Pair(_) => {}
    }
    match row.cmk().map(|cmk| &cmk.link) {
        Some(KeyLink::NotVisible { why, .. }) => {
            sheet.text(format!("The KMS key is not visible: {}", told(&why.reason)), Tone::Notice);
        }
        Some(KeyLink::Gone { .. }) => {
            sheet.text(
                "KMS says that this key or alias does not exist: nothing under it can be decrypted.",
                Tone::Bad,
            );
        }
        Some(KeyLink::NotKms) => {
            sheet.text("The key path is no KMS ARN: another provider keeps this key.", Tone::Dim);
        }
        _ => {}
    }
}

fn depends(sheet: &mut Sheet<'_>, state: &State, key: &KmsKey) {
    sheet.heading("DEPENDS ON IT");
    match state.snapshot.reach.of_key(&key.arn) {
        Some(reach) => {
            let databases: Vec<String> =
                reach.databases.iter().take(6).map(|place| place.database.to_string()).collect();
            sheet.fact(
                "SQL Server",
                format!(
                    "{} · {} · {}: {}{}",
                    counted(reach.column_keys, "column key"),
                    counted(reach.columns, "column"),
                    counted(reach.databases.len(), "database"),
                    databases.join(", "),
                    if reach.databases.len() > 6 { " …" } else { "" },
                ),
                Tone::Text,
            );
        }
        None => sheet.fact("SQL Server", "no column key that can be seen", Tone::Dim),
    }
    let blind = state.snapshot.counts.unreadable;
    if blind > 0 {
        sheet.fact("", format!("? {blind} unreadable: there may be more"), Tone::Notice);
    }
    match state.snapshot.inventory.rds.get(key.arn.region()) {
        Some(here) => sheet.seen("RDS storage", here, |all| {
            let mine: Vec<String> = all
                .iter()
                .filter(|instance| instance.storage_key.as_ref() == Some(&key.arn))
                .map(|instance| format!("{} ({})", instance.id, instance.status))
                .collect();
            if mine.is_empty() { "no instance".to_owned() } else { listed(&mine) }
        }),
        None => sheet.fact("RDS storage", "? this Region's instances are not read", Tone::Notice),
    }
    sheet.seen("grants", &key.grants, |grants| match grants.len() {
        0 => "none".to_owned(),
        some => counted(some, "grant"),
    });
    if let Some(open) = state.options.keymap.key(Command::Dependents) {
        sheet.fact("", format!("{open} shows who uses it, who may, and each grant and column"), Tone::Dim);
    }
}

/// A key that no CMK names: whether it should have one.
fn unnamed(sheet: &mut Sheet<'_>, estate: &EstateMark) {
    let nobody = "No visible column master key names this KMS key";
    match estate {
        EstateMark::Marked { by } => {
            sheet.text(format!("{nobody}, though it is marked as of this estate by {by}."), Tone::Notice);
        }
        EstateMark::StandsBy { named } => {
            let told = format!("{nobody}; one names its relative in {}: it stands by.", told(named.region()));
            sheet.text(told, Tone::Dim);
        }
        EstateMark::Unmarked => sheet.text(format!("{nobody}."), Tone::Dim),
        EstateMark::CannotTell { why } => {
            sheet.text(
                format!("{nobody}. Whether it is marked as of this estate is {}", told(&why.to_string())),
                Tone::Notice,
            );
        }
    }
}

/// `1 column`, `2 columns`.
#[must_use]
pub fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn sql_pair(sheet: &mut Sheet<'_>, inventory: &Inventory, pair: &Pair) {
    sheet.heading("SQL SERVER");
    sheet.fact("column key", format!("{} (id {})", pair.cek, pair.cek_id), Tone::Strong);
    sql_cmk(sheet, inventory, &pair.cmk);
    sheet.fact("algorithm", pair.algorithm.to_string(), Tone::Text);
    match &pair.envelope {
        Envelope::Common { ciphertext_bytes, signature_bytes, key_path } => {
            let text = format!("{ciphertext_bytes} bytes, signature {signature_bytes}");
            sheet.fact("value", text, Tone::Text);
            if pair.envelope_mismatch {
                sheet.fact("", format!("▲ names another key path: {key_path}"), Tone::Warn);
            }
        }
        Envelope::Opaque { bytes } => {
            sheet.fact("value", format!("{bytes} bytes in the provider's own layout"), Tone::Text);
        }
    }
    if pair.rotating {
        sheet.fact("", "↻ the CEK has two values: a rotation is in progress", Tone::Accent);
    }
    sheet.fact("columns", pair.columns.len().to_string(), Tone::Text);
    for column in pair.columns.iter().take(40) {
        let encryption = column.encryption.word();
        sheet.fact("", format!("{} · {encryption}", dotted(column.parts())), Tone::Dim);
    }
    if pair.columns.len() > 40 {
        sheet.fact("", format!("… and {} more", pair.columns.len() - 40), Tone::Dim);
    }
}

fn sql_cmk(sheet: &mut Sheet<'_>, inventory: &Inventory, cmk: &CmkRef) {
    sheet.fact("master key", cmk.name.to_string(), Tone::Text);
    sheet.fact("database", format!("{} on {}", cmk.database.database, cmk.database.server), Tone::Text);
    if let Some(database) = inventory.database(&cmk.database) {
        sheet.seen("TDE", &database.tde, |tde| {
            tde.as_ref().map_or_else(|| "none: no database encryption key".to_owned(), ToString::to_string)
        });
    }
    sheet.fact("provider", cmk.provider.to_string(), Tone::Text);
    sheet.fact("key path", cmk.key_path.to_string(), Tone::Text);
    if cmk.siblings > 0 {
        let others = counted(cmk.siblings as usize, "other master key");
        sheet.fact(
            "",
            format!("{others} lead to the same KMS key: what is done to it is done to all"),
            Tone::Notice,
        );
    }
    if let KeyLink::ThroughAlias { alias, .. } = &cmk.link {
        sheet.fact(
            "",
            format!("through the alias {}: who moves it moves the key", alias.name()),
            Tone::Notice,
        );
    }
}

pub(super) fn listed<T: ToString>(all: &[T]) -> String {
    if all.is_empty() {
        return "none".to_owned();
    }
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn told(reason: &str) -> String {
    crate::model::text::visible(reason).into_owned()
}
