//! The rules' own examples, made into whole records.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::super::{Context, Detections, Finding, Held, Incident, Overdue, Pattern, RULES};
use crate::model::arn::KeyArn;

/// The moment that examples count from.
pub const MOMENT: &str = "2026-11-23T14:00:00Z";
const BASE: &str = include_str!("../examples/base.json");

/// One example of one rule.
#[derive(Clone)]
pub struct Example {
    pub rule: String,
    pub say: String,
    pub fires: bool,
    pub records: Vec<Value>,
    pub context: Context,
    pub tuning: Detections,
    wanted: Value,
}

/// Every example of every rule.
pub fn all() -> Vec<Example> {
    let mut families: Vec<&str> = RULES.iter().map(|rule| rule.examples).collect();
    families.sort_unstable();
    families.dedup();
    let base: Value = serde_json::from_str(BASE).unwrap();
    let mut all = Vec::new();
    for family in families {
        let family: Map<String, Value> = serde_json::from_str(family).unwrap();
        for (rule, kinds) in family {
            for (kind, fires) in [("true", true), ("false", false)] {
                all.extend(
                    kinds[kind].as_array().unwrap().iter().map(|one| Example::read(&base, &rule, fires, one)),
                );
            }
        }
    }
    all
}

impl Example {
    fn read(base: &Value, rule: &str, fires: bool, wanted: &Value) -> Self {
        let sketches = wanted["records"].as_array().unwrap();
        let mut records: Vec<Value> = Vec::new();
        for sketch in sketches {
            let [times, step] = [0, 1].map(|at| sketch["$times"][at].as_i64());
            for time in 0..times.unwrap_or(1) {
                records.push(record(base, sketch, time * step.unwrap_or(0), records.len()));
            }
        }
        let asked = &wanted["context"];
        Self {
            rule: rule.to_owned(),
            say: wanted["say"].as_str().unwrap().to_owned(),
            fires,
            records,
            context: context(base, asked),
            tuning: tuning(asked),
            wanted: wanted.clone(),
        }
    }

    /// The rules that have to speak.
    pub fn expected(&self) -> Vec<&str> {
        let mut rules: Vec<&str> =
            self.wanted["also"].as_array().into_iter().flatten().map(|id| id.as_str().unwrap()).collect();
        rules.extend(self.fires.then_some(self.rule.as_str()));
        rules.sort_unstable();
        rules
    }

    /// What is wrong with a finding of the example's own rule.
    pub fn misfit(&self, finding: &Finding, all: &[Finding]) -> Option<String> {
        if finding.rule.id != self.rule {
            return None;
        }
        let place = format!("{} – {}", self.rule, self.say);
        let wanted = |field: &str| self.wanted.get(field);
        if wanted("severity").is_some_and(|word| word != finding.severity.word()) {
            return Some(format!("{place}: it is {}: {}", finding.severity.word(), finding.reason));
        }
        if finding.severity > finding.rule.severity {
            return Some(format!("{place}: above what the rule says it gives"));
        }
        if wanted("reason").is_some_and(|part| !finding.reason.contains(part.as_str().unwrap())) {
            return Some(format!("{place}: {}", finding.reason));
        }
        let count = all.iter().filter(|other| other.rule == finding.rule).count();
        if wanted("count").is_some_and(|wanted| *wanted != count) {
            return Some(format!("{place}: {count} of them"));
        }
        (wanted("keys").is_some() && finding.keys.is_empty()).then(|| format!("{place}: it names no key"))
    }
}

fn moment(seconds: &Value) -> Timestamp {
    let moment: Timestamp = MOMENT.parse().unwrap();
    moment + SignedDuration::from_secs(seconds.as_i64().unwrap())
}

/// The base record with the identity's fields, the key's, and the sketch's own over them.
fn record(base: &Value, sketch: &Value, later: i64, number: usize) -> Value {
    let mut record = base["record"].clone();
    let identity = &base["identities"][sketch["$as"].as_str().unwrap()];
    assert!(identity.is_object(), "no identity {}", sketch["$as"]);
    let keys: Vec<&Value> = match &sketch["$key"] {
        Value::String(name) => vec![&base["keys"][name]],
        _ => sketch["$keys"].as_array().into_iter().flatten().collect(),
    };
    for (field, value) in identity.as_object().unwrap().iter().chain(sketch.as_object().unwrap()) {
        if !field.starts_with('$') {
            record[field] = value.clone();
        }
    }
    if let (Value::String(name), Some(asked)) = (&sketch["$key"], record["requestParameters"].as_object_mut())
    {
        asked.entry("keyId").or_insert_with(|| base["keys"][name].clone());
    }
    if !keys.is_empty() {
        let owner = |arn: &Value| arn.as_str().unwrap().split(':').nth(4).unwrap().to_owned();
        record["resources"] = keys
            .iter()
            .map(|arn| json!({"ARN": arn, "accountId": owner(arn), "type": "AWS::KMS::Key"}))
            .collect();
    }
    let at = moment(&sketch["$at"]) + SignedDuration::from_secs(later);
    record["eventTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    record["eventID"] = format!("e-{number}").into();
    record
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn context(base: &Value, asked: &Value) -> Context {
    let each = |field: &str| asked[field].as_array().cloned().unwrap_or_default().into_iter();
    let key = |one: &Value| -> KeyArn {
        base["keys"][one["key"].as_str().unwrap()].as_str().unwrap().parse().unwrap()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let until = |one: &Value| one.get("until").map(moment);
    Context {
        account: Some("111122223333".to_owned()),
        regions: texts(&asked["regions"]),
        roles: texts(&asked["roles"]),
        incidents: each("incidents")
            .map(|one| Incident { id: text(&one["id"]), from: moment(&one["from"]), until: until(&one) })
            .collect(),
        held: each("held")
            .map(|one| Held {
                key: key(&one),
                incident: text(&one["incident"]),
                from: moment(&one["from"]),
                until: until(&one),
            })
            .collect(),
        overdue: each("overdue")
            .map(|one| Overdue { key: key(&one), since: moment(&one["since"]), why: text(&one["why"]) })
            .collect(),
        rotation_days: asked["rotation_days"].as_u64().map(|days| days.try_into().unwrap()),
        ..Context::default()
    }
}

fn tuning(asked: &Value) -> Detections {
    let patterns = |field: &str| texts(&asked[field]).into_iter().map(Pattern::new).collect();
    Detections {
        accounts: texts(&asked["accounts"]),
        grantees: patterns("grantees"),
        principals: patterns("principals"),
        networks: texts(&asked["networks"]).iter().map(|network| network.parse().unwrap()).collect(),
        ..Detections::default()
    }
}
