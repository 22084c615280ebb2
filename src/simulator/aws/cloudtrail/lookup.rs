//! `LookupEvents`: 90 days of one Region's management events, newest first, by one attribute, 50 a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::record::Record;
use super::{DISORDER, Trail};
use crate::simulator::aws::{Call, Context, Refusal, Reply};

/// How far back event history goes.
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The most events a page holds, and the default.
const PAGE: usize = 50;

impl Trail {
    /// Answers one `CloudTrail` call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        match call.operation.as_str() {
            "LookupEvents" => {
                context.facts.read_only = true;
                context.facts.request_parameters = recorded_parameters(&call.input);
                lookup_events(self, call).map(Reply::Json)
            }
            _ => Err(Refusal::unknown_operation(call)),
        }
    }
}

/// Parameters begin with a small letter in a record.
fn recorded_parameters(input: &Value) -> Value {
    match input {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let small = letters.next().map(|first| first.to_ascii_lowercase());
                (small.into_iter().chain(letters).collect::<String>(), recorded_parameters(value))
            })
            .collect(),
        Value::Array(items) => items.iter().map(recorded_parameters).collect(),
        other => other.clone(),
    }
}

fn lookup_events(trail: &Trail, call: &Call) -> Result<Value, Refusal> {
    let input = call.input.as_object().ok_or_else(|| serialization("the request is not a JSON object"))?;
    let query = Query::parse(input, call.at)?;
    let page_size = max_results(input)?;
    let cursor = match input.get("NextToken") {
        None | Some(Value::Null) => Cursor::first(call.at),
        Some(token) => Cursor::open(token, query.fingerprint(call))?,
    };
    let log = trail.log(&call.caller.account, &call.region);
    let mut matches = query.walk(log, &cursor);
    let page: Vec<&Record> = matches.by_ref().take(page_size).collect();
    let mut answer = Map::new();
    if let (Some(last), Some(_)) = (page.last(), matches.next()) {
        answer.insert("NextToken".into(), cursor.after(last).seal(query.fingerprint(call)).into());
    }
    answer.insert("Events".into(), page.into_iter().map(Record::render_event).collect());
    Ok(Value::Object(answer))
}

/// What is asked for.
#[derive(Debug)]
struct Query {
    attribute: Option<(Attribute, String)>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    /// Only management events are kept here; insights there are none.
    insight: bool,
    oldest: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

impl Query {
    fn parse(input: &Map<String, Value>, now: Timestamp) -> Result<Self, Refusal> {
        let (start, end) = (time(input, "StartTime")?, time(input, "EndTime")?);
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Refusal::new(
                "InvalidTimeRangeException",
                "The StartTime must not be later than the EndTime.",
            ));
        }
        let insight = match input.get("EventCategory").and_then(Value::as_str) {
            None => false,
            Some("insight") => true,
            Some(other) => {
                return Err(Refusal::new(
                    "InvalidEventCategoryException",
                    format!("The event category {other} is not valid; the only valid value is insight."),
                ));
            }
        };
        Ok(Self { attribute: attribute(input)?, start, end, insight, oldest: now - HISTORY })
    }

    /// The matching records from the cursor on, newest first.
    fn walk<'a>(&'a self, log: &'a [Record], cursor: &'a Cursor) -> impl Iterator<Item = &'a Record> {
        let until = match cursor.last {
            Some(last) => log.partition_point(|record| (record.order, record.seq) < last),
            None => log.len(),
        };
        let oldest = self.start.map_or(self.oldest, |start| start.max(self.oldest));
        log[..until]
            .iter()
            .rev()
            .take_while(move |record| record.order + DISORDER >= oldest)
            .filter(move |record| record.delivered <= cursor.read_at && record.entry.at >= oldest)
            .filter(|record| self.matches(record))
    }

    fn matches(&self, record: &Record) -> bool {
        let entry = &record.entry;
        if self.insight || !record.is_management() || self.end.is_some_and(|end| entry.at > end) {
            return false;
        }
        let Some((attribute, value)) = &self.attribute else { return true };
        match attribute {
            Attribute::EventId => {
                let mut text = uuid::Uuid::encode_buffer();
                record.event_id.hyphenated().encode_lower(&mut text) == value
            }
            Attribute::EventName => *entry.name == **value,
            Attribute::ReadOnly => value == if entry.read_only { "true" } else { "false" },
            Attribute::Username => entry.actor.username() == Some(value),
            Attribute::ResourceType => entry.resources.iter().any(|resource| resource.kind == *value),
            Attribute::ResourceName => entry.resources.iter().any(|resource| resource.arn == *value),
            Attribute::EventSource => *entry.source == **value,
            Attribute::AccessKeyId => entry.actor.access_key_id() == Some(value),
        }
    }

    /// Which question a token belongs to: a token answers no other.
    fn fingerprint(&self, call: &Call) -> u64 {
        let question = format!(
            "{}|{}|{:?}|{:?}|{:?}|{}",
            call.caller.account, call.region, self.attribute, self.start, self.end, self.insight
        );
        fnv64(question.as_bytes())
    }
}

/// Where a walk stands. Events that are delivered while a client turns pages are left to its next walk,
/// so that each page set has every event exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// When the first page was read.
    read_at: Timestamp,
    /// The last record given.
    last: Option<(Timestamp, u64)>,
}

impl Cursor {
    fn first(now: Timestamp) -> Self {
        Self { read_at: now, last: None }
    }

    fn after(self, record: &Record) -> Self {
        Self { last: Some((record.order, record.seq)), ..self }
    }

    fn seal(self, fingerprint: u64) -> String {
        let (order, seq) = self.last.unwrap_or_default();
        let mut bytes = Vec::with_capacity(56);
        bytes.extend(self.read_at.as_nanosecond().to_be_bytes());
        bytes.extend(order.as_nanosecond().to_be_bytes());
        bytes.extend(seq.to_be_bytes());
        bytes.extend(fingerprint.to_be_bytes());
        bytes.extend(fnv64(&bytes).to_be_bytes());
        STANDARD_NO_PAD.encode(bytes)
    }

    fn open(token: &Value, fingerprint: u64) -> Result<Self, Refusal> {
        token.as_str().and_then(|token| Self::unseal(token, fingerprint)).ok_or_else(|| {
            Refusal::new(
                "InvalidNextTokenException",
                "Invalid token: it was not issued for this request. Send the same parameters as with the first page.",
            )
        })
    }

    fn unseal(token: &str, fingerprint: u64) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(token).ok()?;
        let (body, sum) = bytes.split_at_checked(48)?;
        if sum != fnv64(body).to_be_bytes() || body[40..] != fingerprint.to_be_bytes() {
            return None;
        }
        let time = |at: usize| {
            let nanos = i128::from_be_bytes(body.get(at..at + 16)?.try_into().ok()?);
            Timestamp::from_nanosecond(nanos).ok()
        };
        let seq = u64::from_be_bytes(body[32..40].try_into().ok()?);
        Some(Self { read_at: time(0)?, last: Some((time(16)?, seq)) })
    }
}

fn attribute(input: &Map<String, Value>) -> Result<Option<(Attribute, String)>, Refusal> {
    let attributes = match input.get("LookupAttributes") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(attributes)) => attributes,
        Some(_) => return Err(serialization("LookupAttributes is not a list")),
    };
    let one = match attributes.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(invalid_attribute("You can specify only one LookupAttribute.")),
    };
    let key = one.get("AttributeKey").and_then(Value::as_str).unwrap_or_default();
    let value = one.get("AttributeValue").and_then(Value::as_str).unwrap_or_default();
    let attribute = match key {
        "EventId" => Attribute::EventId,
        "EventName" => Attribute::EventName,
        "ReadOnly" => Attribute::ReadOnly,
        "Username" => Attribute::Username,
        "ResourceType" => Attribute::ResourceType,
        "ResourceName" => Attribute::ResourceName,
        "EventSource" => Attribute::EventSource,
        "AccessKeyId" => Attribute::AccessKeyId,
        other => return Err(invalid_attribute(format!("The attribute key {other:?} is not valid."))),
    };
    if value.is_empty() || value.chars().count() > 2000 {
        return Err(invalid_attribute("The attribute value must have 1 to 2000 characters."));
    }
    if attribute == Attribute::ReadOnly && !matches!(value, "true" | "false") {
        return Err(invalid_attribute("The value of ReadOnly must be true or false."));
    }
    Ok(Some((attribute, value.to_owned())))
}

fn max_results(input: &Map<String, Value>) -> Result<usize, Refusal> {
    let Some(value) = input.get("MaxResults").filter(|value| !value.is_null()) else { return Ok(PAGE) };
    value
        .as_u64()
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| (1..=PAGE).contains(count))
        .ok_or_else(|| {
            Refusal::new(
                "InvalidMaxResultsException",
                format!(
                    "A max results value of {value} is invalid. Specify max results between 1 and {PAGE}."
                ),
            )
        })
}

/// awsJson sends times as seconds since 1970, whole or not.
fn time(input: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = input.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let parsed = match value {
        Value::Number(number) => number.as_f64().and_then(|seconds| {
            let duration = SignedDuration::try_from_secs_f64(seconds).ok()?;
            Timestamp::UNIX_EPOCH.checked_add(duration).ok()
        }),
        _ => None,
    };
    parsed.map(Some).ok_or_else(|| serialization(&format!("{name} is not a timestamp")))
}

fn invalid_attribute(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidLookupAttributesException", message)
}

fn serialization(message: &str) -> Refusal {
    Refusal::new("SerializationException", message)
}

/// FNV-1a: tells tokens apart; it keeps no secret.
fn fnv64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_only_unchanged() {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let cursor = Cursor { read_at: at, last: Some((at, 7)) };
        let token = cursor.seal(42);
        assert_eq!(Cursor::unseal(&token, 42), Some(cursor));
        assert_eq!(Cursor::unseal(&token, 43), None, "another question's token");
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(Cursor::unseal(&altered, 42), None, "altered at {position}");
        }
        assert_eq!(Cursor::unseal("", 42), None);
    }
}
