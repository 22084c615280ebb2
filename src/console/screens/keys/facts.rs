//! What KMS says of one key, told whole.

use jiff::Timestamp;

use super::detail::{day, listed};
use super::tone_of;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::sheet::Sheet;
use crate::inventory::present::key_state;
use crate::model::age::{DAY, RotationAge, Verdict, ago, short};
use crate::model::key::{KeyState, KmsKey, LastUse, Manager, Origin};
use crate::model::rotation::{NextRotation, Rotation};
use crate::model::seen::Seen;
use crate::model::text::visible;

/// Material that expires this soon is warned of.
const EXPIRES_SOON: i32 = 14;

/// The facts of a key.
pub fn kms_key(sheet: &mut Sheet<'_>, state: &State, key: &KmsKey) {
    let now = state.now;
    sheet.heading(format!("KMS KEY · read {} ago", ago(key.read_at, now)));
    sheet.fact("name", key.name(), Tone::Strong);
    sheet.fact("arn", key.arn.to_string(), Tone::Text);
    whose(sheet, state, key);
    let (kind, _) = key_state(key, &state.place().age, now);
    sheet.fact("state", format!("{} {}{}", kind.glyph(), key.state, until(key, now)), tone_of(kind));
    sheet.fact("kind", format!("{} · {} · {}", key.spec, key.usage, key.origin), Tone::Text);
    if let Some(store) = &key.key_store {
        sheet.fact("key store", store.to_string(), Tone::Text);
    }
    relatives(sheet, state, key);
    if !key.description.is_empty() {
        sheet.fact("description", key.description.to_string(), Tone::Text);
    }
    sheet.seen("aliases", &key.aliases, |all| listed(all));
    age(sheet, state, key);
    rotation(sheet, key, now);
    sheet.seen("last used", &key.last_use, |last| last_use(last, now));
    material(sheet, key, now);
    sheet.fact("created", format!("{} ({} ago)", day(key.created), ago(key.created, now)), Tone::Text);
    sheet.seen("tags", &key.tags, |tags| {
        listed(&tags.iter().map(|(name, value)| format!("{}={value}", visible(name))).collect::<Vec<_>>())
    });
}

/// Whose key it is, where it is not simply ours.
fn whose(sheet: &mut Sheet<'_>, state: &State, key: &KmsKey) {
    if key.manager == Manager::Aws {
        sheet.fact("managed by", "AWS: its policy and rotation are not ours to change", Tone::Notice);
    }
    if state.place().account.as_deref().is_some_and(|ours| ours != key.arn.account()) {
        let told = format!("account {}: what it does not let us see is not told", key.arn.account());
        sheet.fact("belongs to", told, Tone::Notice);
    }
}

fn until(key: &KmsKey, now: Timestamp) -> String {
    match (&key.state, key.deletion_date, key.pending_window_days) {
        (_, Some(at), _) if at > now => {
            format!(" · in {}: {} or up to a day later", short(at.duration_since(now)), day(at))
        }
        (_, Some(at), _) => format!(" · due since {}, and up to a day later", day(at)),
        (KeyState::PendingReplicaDeletion, None, Some(days)) => {
            format!(" · no date: {days} d from when its last replica is gone")
        }
        (KeyState::PendingReplicaDeletion, None, None) => " · no date while replicas remain".to_owned(),
        _ => String::new(),
    }
}

/// The key's place in its multi-Region family, and each relative's own state.
fn relatives(sheet: &mut Sheet<'_>, state: &State, key: &KmsKey) {
    let Some(family) = &key.multi_region else { return };
    let role = if family.primary == key.arn { "primary" } else { "replica" };
    sheet.fact("multi-Region", format!("{role} here; each Region has its own state"), Tone::Text);
    for arn in family.relatives_of(&key.arn) {
        let role = if *arn == family.primary { "primary" } else { "replica" };
        let place = format!("{role} in {}", arn.region());
        match state.snapshot.inventory.relative(arn) {
            Seen::Known(relative) => {
                let (kind, _) = key_state(relative, &state.place().age, state.now);
                let until = until(relative, state.now);
                let told = format!("{place}: {} {}{until}", kind.glyph(), relative.state);
                sheet.fact("", told, tone_of(kind));
            }
            Seen::Loading => sheet.fact("", format!("{place}: loading"), Tone::Dim),
            Seen::NotVisible(why) => {
                sheet.fact("", format!("? {place}: not visible: {}", visible(&why.reason)), Tone::Notice);
            }
        }
    }
}

/// The age, by which policy it is judged, and what lets it be.
fn age(sheet: &mut Sheet<'_>, state: &State, key: &KmsKey) {
    let judged = RotationAge::of(key, &state.place().age, state.now);
    sheet.seen("age", &judged, |age| format!("{} d since {}", age.days, day(age.since)));
    let Seen::Known(age) = judged else { return };
    let tone = match age.verdict {
        Verdict::Within => Tone::Text,
        Verdict::Due | Verdict::Unjudged | Verdict::Excepted => Tone::Notice,
        Verdict::Overdue => Tone::Warn,
    };
    let grace = format!(", {} d grace", age.policy.grace_days);
    sheet.fact("policy", format!("{}{grace}: {}", age.policy_told(), age.verdict.word()), tone);
    if let Some(hidden) = &age.unjudged {
        let told = format!(
            "? {} d by {} may apply instead: {}",
            hidden.policy.max_days,
            hidden.rule,
            visible(&hidden.why.reason)
        );
        sheet.fact("", told, Tone::Notice);
    }
    if let Some(one) = &age.exception {
        let told = format!("△ exception until {}: {}", one.expires, visible(&one.reason));
        sheet.fact("", told, Tone::Notice);
    }
    if let Some(one) = &age.lapsed {
        let told = format!("an exception lapsed on {}: {}", one.expires, visible(&one.reason));
        sheet.fact("", told, Tone::Dim);
    }
}

fn rotation(sheet: &mut Sheet<'_>, key: &KmsKey, now: Timestamp) {
    sheet.seen("rotation", &Rotation::of(key, now), |rotation| {
        let next = match rotation.next {
            NextRotation::At { at } => format!(", next {} (in {})", day(at), short(at.duration_since(now))),
            NextRotation::Late { at } => format!(", was due {} and has not come", day(at)),
            NextRotation::Paused => ", paused: the key is not enabled".to_owned(),
            NextRotation::Unsaid | NextRotation::Never | NextRotation::ByHand => String::new(),
        };
        format!("{}{next}", rotation.kind.told())
    });
    if let Some(on_demand) = key.on_demand() {
        sheet.fact("on demand", on_demand.told(), Tone::Text);
    }
    if let Some(since) = key.rotation.known().and_then(|told| told.on_demand_since) {
        sheet.fact("", format!("one is under way since {}", day(since)), Tone::Accent);
    }
    sheet.seen("rotations", &key.rotations, |all| {
        let times: Vec<String> = all.iter().filter_map(|rotation| rotation.at).map(day).take(4).collect();
        if times.is_empty() { "none yet: its first material".to_owned() } else { listed(&times) }
    });
}

fn last_use(last: &LastUse, now: Timestamp) -> String {
    match (&last.used, last.tracked_since) {
        (Some((at, operation)), _) => format!("{} ago, {operation}", ago(*at, now)),
        (None, Some(since)) => {
            format!("no use seen since {}, when KMS began to track it: not the same as unused", day(since))
        }
        (None, None) => "no use seen: not the same as unused".to_owned(),
    }
}

fn material(sheet: &mut Sheet<'_>, key: &KmsKey, now: Timestamp) {
    match (&key.origin, key.valid_to) {
        (_, Some(at)) if at <= now => {
            sheet.fact("material", format!("expired {} ({} ago)", day(at), ago(at, now)), Tone::Bad);
        }
        (_, Some(at)) => {
            let tone = if at < now + DAY * EXPIRES_SOON { Tone::Warn } else { Tone::Text };
            sheet.fact(
                "material",
                format!("expires {} (in {})", day(at), short(at.duration_since(now))),
                tone,
            );
        }
        (Origin::External, None) if key.expiration.is_some() => {
            sheet.fact("material", "imported, does not expire", Tone::Text);
        }
        (Origin::External, None) => {
            sheet.fact("material", "not imported, or gone: nothing can be decrypted", Tone::Warn);
        }
        _ => {}
    }
    if let Some(id) = &key.material_id {
        let short: String = id.chars().take(12).collect();
        sheet.fact("material id", format!("{}… in use", visible(&short)), Tone::Dim);
    }
}
