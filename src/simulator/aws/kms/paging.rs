//! Pages of a list: `Limit` and `Marker` in, `NextMarker` and `Truncated` out.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::simulator::aws::Refusal;

/// How many items a page has: when nothing is asked, and at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub usual: usize,
    pub most: usize,
}

/// The page that the call asks for, of `items` in the order of their sort keys, under the answer's `field`.
/// Only what is on the page is rendered.
pub(super) fn page<K: AsRef<str>, T>(
    desk: &Desk<'_, '_>,
    field: &str,
    size: Size,
    items: impl IntoIterator<Item = (K, T)>,
    render: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let limit = desk
        .integer("Limit", 1, 1000)?
        .map_or(size.usual, |limit| usize::try_from(limit).unwrap_or(1).min(size.most));
    let operation = &desk.call.operation;
    let after = desk.string("Marker")?.map(|marker| read(operation, marker)).transpose()?;
    let mut rest = items
        .into_iter()
        .filter(|(key, _)| after.as_deref().is_none_or(|after| key.as_ref() > after))
        .peekable();
    let mut last = None;
    let mut page = Vec::new();
    while page.len() < limit
        && let Some((key, item)) = rest.next()
    {
        last = Some(key);
        page.push(render(item));
    }
    let mut answer = json!({ "Truncated": rest.peek().is_some() });
    answer[field] = Value::Array(page);
    if let (Some(_), Some(last)) = (rest.peek(), last) {
        answer["NextMarker"] = json!(write(operation, last.as_ref()));
    }
    Ok(answer)
}

fn write(operation: &str, last: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{operation}\n{last}"))
}

/// The sort key in a marker that this operation gave out.
fn read(operation: &str, marker: &str) -> Result<String, Refusal> {
    BASE64_URL_SAFE_NO_PAD
        .decode(marker)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(operation)?.strip_prefix('\n').map(str::to_owned))
        .ok_or_else(|| {
            Refusal::new("InvalidMarkerException", format!("Could not deserialize marker '{marker}'"))
        })
}
