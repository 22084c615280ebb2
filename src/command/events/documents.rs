//! The pages of `assets/docs` about events, findings and rules, made out of the program's own source.

use crate::detect::{FindingRecord, RULES, Rule};
use crate::trail::EventRecord;

/// The fields of a record's struct, and what its source says of them.
fn fields(source: &str, record: &str) -> Vec<(String, String)> {
    let body = source.split_once(&format!("pub struct {record} {{\n")).unwrap().1;
    let mut fields = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if let Some(words) = line.strip_prefix("///") {
            said.push(words.trim());
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            fields.push((name.to_owned(), std::mem::take(&mut said).join(" ")));
        }
    }
    fields
}

fn table(fields: &[(String, String)]) -> String {
    let rows: Vec<String> =
        fields.iter().map(|(field, meaning)| format!("| `{field}` | {meaning} |\n")).collect();
    rows.concat()
}

/// Whether the page says what the program does; written anew where somebody asks for it.
fn held(name: &str, page: &str) {
    let path = format!("{}/assets/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PORTCULLIS_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "assets/docs/{name} is behind: PORTCULLIS_DOCS=1 cargo test --lib command::events::documents"
    );
}

#[test]
fn each_field_of_events_and_findings_is_documented() {
    let events = fields(include_str!("../../trail/present.rs"), "EventRecord");
    let findings = fields(include_str!("../../detect/finding.rs"), "FindingRecord");
    let names = |fields: &[(String, String)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&events), EventRecord::CSV_HEADER);
    for column in FindingRecord::CSV_HEADER {
        assert!(names(&findings).iter().any(|field| field == column), "{column}");
    }
    for (field, meaning) in events.iter().chain(&findings) {
        assert!(meaning.len() > 4 && !meaning.contains('|'), "{field}: {meaning}");
    }
    held("events.md", &format!("{EVENTS_HEAD}{}{FINDINGS_HEAD}{}{OCSF}", table(&events), table(&findings)));
}

#[test]
fn each_rule_is_documented() {
    let rows: String = RULES.into_iter().map(row).collect();
    assert!(RULES.iter().all(|rule| !row(rule).trim_matches(['|', '\n']).contains("||")));
    held("detections.md", &format!("{DETECTIONS_HEAD}{rows}"));
}

fn row(rule: &Rule) -> String {
    let next = match rule.next.runbook {
        Some(runbook) if !rule.next.say.contains(runbook) => format!("{} (`{runbook}`)", rule.next.say),
        _ => rule.next.say.to_owned(),
    };
    let techniques = rule.techniques.iter().map(|technique| format!("ATT&CK {}", technique.id));
    let references: Vec<String> =
        rule.references.iter().map(|one| (*one).to_owned()).chain(techniques).collect();
    format!(
        "| `{}` | {} | **{}.** {} | {next} | {} |\n",
        rule.id,
        rule.severity.word(),
        rule.title,
        rule.why,
        references.join("; ")
    )
}

const EVENTS_HEAD: &str = "\
# Events and findings for programs

`portcullis events --format json` prints an array of objects, one an event; `jsonl` one object a line, `csv` the same
fields as columns. Every field is always there, and `null` (empty in CSV) where the record does not say. Times are
RFC 3339, UTC. JSON has text as it came, so a program that shows it on a terminal has to clean it; CSV has it made
visible. Fields are added in time, never renamed and never given another meaning.

This page is written by the tests of `src/command/events/documents.rs` out of the program's own source.

## Events

| field | meaning |
|---|---|
";

const FINDINGS_HEAD: &str = "
## Findings

What `events --findings` prints. CSV leaves out `runbook`, `references` and `techniques`, which `detections list` has.
What the inventory alone can tell, that a rotation is overdue, is told on screen and by `keys --fail-on overdue`.

| field | meaning |
|---|---|
";

const OCSF: &str = "
## OCSF

`--format ocsf` prints OCSF 1.5.0 with the cloud profile, an object a line: API Activity (6003) for events,
Detection Finding (2004) with `--findings`. Severities: info 1 Informational, notice 2 Low, high 4 High, critical 5
Critical.

| API Activity | from |
|---|---|
| `activity_id` | 1 Create, 2 Read, 3 Update, 4 Delete by CloudTrail's `readOnly` and AWS's way of naming calls; 0 Unknown where it says neither |
| `time` | `eventTime` |
| `metadata.uid`, `.correlation_uid` | `eventID`, `sharedEventID` |
| `api.operation`, `.service.name` | `eventName`, `eventSource` |
| `api.response.error`, `status_code`, `status_detail` | AWS's error code and message; `status_id` 1 Success, 2 Failure |
| `actor.user`, `.session`, `.invoked_by` | the person; the role's session with `is_mfa` and the role as issuer; the AWS service |
| `src_endpoint.ip` or `.svc_name` | `sourceIPAddress`; `interface_uid` is the VPC endpoint |
| `http_request.user_agent` | `userAgent` |
| `cloud.account.uid`, `.region` | the account whose trail has it, `awsRegion` |
| `resources` | the ARN of each key that the record names |

| Detection Finding | from |
|---|---|
| `finding_info.uid`, `metadata.uid` | the finding's `id` |
| `finding_info.analytic.uid` | the rule |
| `finding_info.attacks` | techniques of MITRE ATT&CK 17.1 |
| `finding_info.related_events` | the `eventID` of each event that it rests on, as API Activity |
| `status_id` | 1 New; 3 Suppressed where a mute keeps it quiet, and `comment` says why and until when |
| `is_alert` | severity high or above, and not muted |
| `evidences` | who did it and from where |
| `remediation` | what to do next, and the references |
";

const DETECTIONS_HEAD: &str = "\
# The rules

`portcullis detections list` names them, `detections show ID` tells one. A severity is the highest that the rule
gives: what was only tried, and refused, counts one step less and says so. Dry runs that would have succeeded and what
AWS services do for themselves are no findings. Each rule stands in `src/detect/rules` with records that it has to
find and records that it has to pass over in `src/detect/examples`.

This page is written by the tests of `src/command/events/documents.rs` out of the program's own source.

| rule | severity | what it says | what to do next | corresponds to |
|---|---|---|---|---|
";
