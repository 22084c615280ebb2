use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Sqs;
use crate::simulator::aws::{Call, Caller, Context, Facts, Identity, Refusal, Reply};

const ACCOUNT: &str = "111122223333";

fn now() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

fn ask(sqs: &mut Sqs, at: Timestamp, operation: &str, input: Value) -> Result<Value, Refusal> {
    let identity = Identity::User { name: "auditor".into(), mfa: false };
    let call = Call {
        at,
        service: "sqs".into(),
        region: "eu-west-1".into(),
        operation: operation.into(),
        caller: Caller { account: ACCOUNT.into(), access_key_id: "AKIA".into(), identity },
        input,
        request_id: String::new(),
        source_ip: String::new(),
        user_agent: String::new(),
    };
    let mut rng = StdRng::seed_from_u64(1);
    let mut context = Context { account: ACCOUNT, rng: &mut rng, facts: Facts::default() };
    match sqs.handle(&call, &mut context)? {
        Reply::Json(answer) => Ok(answer),
        Reply::Xml(xml) => panic!("{xml}"),
    }
}

fn with_queue() -> (Sqs, String) {
    let mut sqs = Sqs::default();
    let url = sqs.create_queue(ACCOUNT, "eu-west-1", "portcullis", now());
    (sqs, url)
}

fn bodies(answer: &Value) -> Vec<&str> {
    answer["Messages"]
        .as_array()
        .map_or(Vec::new(), |all| all.iter().map(|one| one["Body"].as_str().unwrap()).collect())
}

#[test]
fn a_message_is_hidden_comes_again_and_goes_with_its_last_receipt() {
    let (mut sqs, url) = with_queue();
    ask(&mut sqs, now(), "SendMessage", json!({"QueueUrl": url, "MessageBody": "one"})).unwrap();
    let take = |sqs: &mut Sqs, at| {
        ask(sqs, at, "ReceiveMessage", json!({"QueueUrl": url, "VisibilityTimeout": 60})).unwrap()
    };
    let first = take(&mut sqs, now());
    assert_eq!(bodies(&first), ["one"]);
    let hidden = now() + SignedDuration::from_secs(59);
    assert_eq!(take(&mut sqs, hidden), json!({}), "hidden meanwhile");
    assert!(!sqs.would_answer(&url, hidden));
    let later = now() + SignedDuration::from_secs(60);
    assert!(sqs.would_answer(&url, later));
    let second = take(&mut sqs, later);
    let receipt = |answer: &Value| answer["Messages"][0]["ReceiptHandle"].clone();
    assert_ne!(receipt(&first), receipt(&second));
    let delete = |sqs: &mut Sqs, receipt| {
        ask(sqs, later, "DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": receipt}))
    };
    delete(&mut sqs, receipt(&first)).unwrap();
    assert_eq!(sqs.depth("portcullis"), 1, "an old receipt deletes nothing");
    delete(&mut sqs, receipt(&second)).unwrap();
    delete(&mut sqs, receipt(&second)).unwrap();
    assert_eq!(sqs.depth("portcullis"), 0);
    assert_eq!(delete(&mut sqs, json!("nonsense")).unwrap_err().code, "ReceiptHandleIsInvalid");
}

#[test]
fn a_batch_says_of_each_entry_what_became_of_it() {
    let (mut sqs, url) = with_queue();
    for body in ["a", "b"] {
        ask(&mut sqs, now(), "SendMessage", json!({"QueueUrl": url, "MessageBody": body})).unwrap();
    }
    let got =
        ask(&mut sqs, now(), "ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10})).unwrap();
    assert_eq!(bodies(&got), ["a", "b"]);
    let entries = json!([
        {"Id": "0", "ReceiptHandle": got["Messages"][0]["ReceiptHandle"]},
        {"Id": "1", "ReceiptHandle": "nonsense"},
    ]);
    let answer =
        ask(&mut sqs, now(), "DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})).unwrap();
    assert_eq!(answer["Successful"], json!([{"Id": "0"}]));
    assert_eq!(
        (&answer["Failed"][0]["Id"], &answer["Failed"][0]["Code"]),
        (&json!("1"), &json!("ReceiptHandleIsInvalid"))
    );
    assert_eq!(sqs.depth("portcullis"), 1);
    let mut refused = |entries: Value| {
        ask(&mut sqs, now(), "DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries}))
            .unwrap_err()
            .code
    };
    assert_eq!(refused(json!([])), "EmptyBatchRequest");
    let eleven: Vec<Value> = (0..11).map(|n| json!({"Id": n.to_string(), "ReceiptHandle": "x"})).collect();
    assert_eq!(refused(json!(eleven)), "TooManyEntriesInBatchRequest");
    assert_eq!(
        refused(json!([{"Id": "0", "ReceiptHandle": "x"}, {"Id": "0", "ReceiptHandle": "y"}])),
        "BatchEntryIdsNotDistinct"
    );
}

#[test]
fn wrong_questions_are_refused() {
    let (mut sqs, url) = with_queue();
    let mut code = |operation: &str, input: Value| ask(&mut sqs, now(), operation, input).unwrap_err().code;
    let gone = "https://sqs.eu-west-1.amazonaws.com/111122223333/gone";
    assert_eq!(code("ReceiveMessage", json!({"QueueUrl": gone})), "QueueDoesNotExist");
    assert_eq!(code("ReceiveMessage", json!({})), "MissingParameter");
    for (name, value) in [
        ("MaxNumberOfMessages", 0),
        ("MaxNumberOfMessages", 11),
        ("WaitTimeSeconds", 21),
        ("VisibilityTimeout", 43_201),
    ] {
        assert_eq!(
            code("ReceiveMessage", json!({"QueueUrl": url, name: value})),
            "InvalidParameterValue",
            "{name}"
        );
    }
    assert_eq!(code("GetQueueUrl", json!({"QueueName": "gone"})), "QueueDoesNotExist");
    assert_eq!(code("PurgeQueue", json!({"QueueUrl": url})), "UnknownOperationException");
    assert_eq!(sqs.depth("gone"), 0);
}

#[test]
fn attributes_are_told_as_asked() {
    let (mut sqs, url) = with_queue();
    ask(&mut sqs, now(), "SendMessage", json!({"QueueUrl": url, "MessageBody": "x"})).unwrap();
    ask(&mut sqs, now(), "SendMessage", json!({"QueueUrl": url, "MessageBody": "y"})).unwrap();
    let got =
        ask(&mut sqs, now(), "ReceiveMessage", json!({"QueueUrl": url, "AttributeNames": ["All"]})).unwrap();
    assert_eq!(got["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
    let told =
        ask(&mut sqs, now(), "GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]}))
            .unwrap();
    let of = |name: &str| told["Attributes"][name].as_str().unwrap().to_owned();
    assert_eq!(
        (of("ApproximateNumberOfMessages"), of("ApproximateNumberOfMessagesNotVisible")),
        ("1".into(), "1".into())
    );
    assert_eq!(of("QueueArn"), "arn:aws:sqs:eu-west-1:111122223333:portcullis");
}
