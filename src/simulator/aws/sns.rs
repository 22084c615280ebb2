//! SNS: topics, and the messages published to them.

use std::fmt::Write as _;

use http::StatusCode;
use jiff::Timestamp;
use rand::Rng as _;
use serde_json::json;

use super::{Call, Context, Refusal, Reply, Resource};

/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 262_144;
/// The most topics a page of `ListTopics` holds.
const PAGE: usize = 100;

/// The service's state.
#[derive(Debug, Default)]
pub struct Sns {
    topics: Vec<Topic>,
    messages: Vec<Message>,
}

#[derive(Clone, Debug)]
struct Topic {
    arn: String,
}

/// One published message, kept for tests and drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub at: Timestamp,
    pub message_id: String,
    pub topic_arn: String,
    pub subject: Option<String>,
    pub message: String,
}

impl Sns {
    /// Creates a topic, and answers its ARN. A topic that is there already is left as it is.
    pub fn create_topic(&mut self, account: &str, region: &str, name: &str) -> String {
        let arn = format!("arn:aws:sns:{region}:{account}:{name}");
        if !self.has_topic(&arn) {
            self.topics.push(Topic { arn: arn.clone() });
        }
        arn
    }

    /// The topics' ARNs, oldest first.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.arn.as_str())
    }

    /// Every message published so far, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        match call.operation.as_str() {
            "Publish" => self.publish(call, context),
            "ListTopics" => self.list_topics(call, context),
            _ => Err(Refusal::unknown_operation(call)),
        }
    }

    fn publish(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let text = |name: &str| call.input.get(name).and_then(serde_json::Value::as_str);
        let arn = text("TopicArn").or_else(|| text("TargetArn")).ok_or_else(|| {
            invalid("Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter")
        })?;
        let subject = text("Subject");
        context.facts.read_only = false;
        context.facts.request_parameters = json!({
            "topicArn": arn, "subject": subject, "message": "HIDDEN_DUE_TO_SECURITY_REASONS",
        });
        self.check_topic(arn, call)?;
        context.facts.resources.push(Resource {
            account: call.caller.account.clone(),
            kind: "AWS::SNS::Topic".to_owned(),
            arn: arn.to_owned(),
        });
        check_subject(subject)?;
        let message = text("Message").unwrap_or_default();
        if message.is_empty() {
            return Err(invalid("Invalid parameter: Empty message"));
        }
        if message.len() > LONGEST_MESSAGE {
            return Err(invalid("Invalid parameter: Message too long"));
        }
        let message_id = uuid::Builder::from_random_bytes(context.rng.random()).into_uuid().to_string();
        context.facts.response_elements = json!({"messageId": message_id});
        let answer = format!("<MessageId>{message_id}</MessageId>");
        self.messages.push(Message {
            at: call.at,
            message_id,
            topic_arn: arn.to_owned(),
            subject: subject.map(str::to_owned),
            message: message.to_owned(),
        });
        Ok(Reply::Xml(answer))
    }

    fn list_topics(&self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        context.facts.read_only = true;
        let prefix = format!("arn:aws:sns:{}:{}:", call.region, call.caller.account);
        let from = match call.input.get("NextToken").and_then(serde_json::Value::as_str) {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("Invalid parameter: NextToken"))?,
        };
        let mut topics = self.topics().filter(|arn| arn.starts_with(&prefix)).skip(from);
        let mut page = String::new();
        for arn in topics.by_ref().take(PAGE) {
            // Writing to a string cannot fail.
            let _ = write!(page, "<member><TopicArn>{arn}</TopicArn></member>");
        }
        let next =
            topics.next().map(|_| format!("<NextToken>{}</NextToken>", from + PAGE)).unwrap_or_default();
        Ok(Reply::Xml(format!("<Topics>{page}</Topics>{next}")))
    }

    fn check_topic(&self, arn: &str, call: &Call) -> Result<(), Refusal> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", "aws", "sns", region, account, _] = parts.as_slice() else {
            return Err(invalid("Invalid parameter: TopicArn"));
        };
        if *region != call.region {
            return Err(invalid("Invalid parameter: TopicArn"));
        }
        if *account != call.caller.account {
            return Err(Refusal::access_denied(
                "sns",
                format!(
                    "User: {} is not authorized to perform: SNS:Publish on resource: {arn} because no \
                     resource-based policy allows the SNS:Publish action",
                    call.caller.arn()
                ),
            ));
        }
        if !self.has_topic(arn) {
            return Err(Refusal {
                status: StatusCode::NOT_FOUND,
                ..Refusal::new("NotFound", "Topic does not exist")
            });
        }
        Ok(())
    }

    fn has_topic(&self, arn: &str) -> bool {
        self.topics().any(|topic| topic == arn)
    }
}

/// A subject is 1–100 printable ASCII characters, beginning with a letter, digit or punctuation mark.
fn check_subject(subject: Option<&str>) -> Result<(), Refusal> {
    let fits = |subject: &str| {
        (1..=100).contains(&subject.len())
            && subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
            && !subject.starts_with(' ')
    };
    if subject.is_none_or(fits) { Ok(()) } else { Err(invalid("Invalid parameter: Subject")) }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameter", message)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use serde_json::Value;

    use super::*;
    use crate::simulator::aws::{Caller, Facts, Identity};

    fn publish(sns: &mut Sns, input: Value) -> Result<Reply, Refusal> {
        let call = Call {
            at: Timestamp::UNIX_EPOCH,
            service: "sns".into(),
            region: "eu-west-1".into(),
            operation: "Publish".into(),
            caller: Caller {
                account: "111122223333".into(),
                access_key_id: "AKIA".into(),
                identity: Identity::User { name: "oncall-a".into(), mfa: false },
            },
            input,
            request_id: String::new(),
            source_ip: String::new(),
            user_agent: String::new(),
        };
        let mut rng = StdRng::seed_from_u64(1);
        let mut context = Context { account: "111122223333", rng: &mut rng, facts: Facts::default() };
        sns.handle(&call, &mut context)
    }

    #[test]
    fn keeps_what_was_published_word_for_word() {
        let mut sns = Sns::default();
        let arn = sns.create_topic("111122223333", "eu-west-1", "alerts");
        let input = json!({"TopicArn": arn, "Subject": "[EMERGENCY] Key Revoked", "Message": "Zoë\n<&>"});
        let Ok(Reply::Xml(xml)) = publish(&mut sns, input) else { panic!("published") };
        let message = &sns.messages()[0];
        assert_eq!(message.message, "Zoë\n<&>");
        assert_eq!(message.subject.as_deref(), Some("[EMERGENCY] Key Revoked"));
        assert_eq!(xml, format!("<MessageId>{}</MessageId>", message.message_id));
    }

    #[test]
    fn refuses_what_aws_refuses_and_keeps_nothing() {
        let mut sns = Sns::default();
        let arn = sns.create_topic("111122223333", "eu-west-1", "alerts");
        let code = |sns: &mut Sns, input| publish(sns, input).unwrap_err().code;
        for subject in ["", &"s".repeat(101), "two\nlines", "caf\u{e9}", "\u{1b}[31m", " leading"] {
            let input = json!({"TopicArn": arn, "Subject": subject, "Message": "m"});
            assert_eq!(code(&mut sns, input), "InvalidParameter", "{subject:?}");
        }
        let long = "m".repeat(LONGEST_MESSAGE + 1);
        for message in ["", &long] {
            assert_eq!(code(&mut sns, json!({"TopicArn": arn, "Message": message})), "InvalidParameter");
        }
        for (arn, expected) in [
            ("arn:aws:sns:eu-west-1:111122223333:nobody", "NotFound"),
            ("arn:aws:sns:us-east-1:111122223333:alerts", "InvalidParameter"),
            ("arn:aws:sns:eu-west-1:444455556666:alerts", "AuthorizationError"),
            ("alerts", "InvalidParameter"),
        ] {
            assert_eq!(code(&mut sns, json!({"TopicArn": arn, "Message": "m"})), expected, "{arn}");
        }
        assert!(sns.messages().is_empty());
        let longest = json!({"TopicArn": arn, "Subject": "s".repeat(100), "Message": &long[1..]});
        assert!(publish(&mut sns, longest).is_ok());
    }
}
