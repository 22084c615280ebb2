//! Telling people of a change, through SNS.

use aws_sdk_sns::Client;

use super::{CloudSession, Failure};

/// SNS's limit on a subject, in characters.
const SUBJECT: usize = 100;

/// Publishes a message to a topic, in the topic's own Region; gives SNS's id of it. After a timeout it may be
/// delivered although this fails: receivers tell repeats apart by what the message says of itself.
///
/// # Errors
/// [`Failure`] where SNS does not confirm the message.
pub async fn publish(
    session: &CloudSession,
    topic: &str,
    subject: &str,
    message: &str,
) -> Result<Option<String>, Failure> {
    let region = topic.split(':').nth(3).filter(|region| !region.is_empty()).unwrap_or(session.home());
    let answer = Client::from_conf(session.sns_config(region).build())
        .publish()
        .topic_arn(topic)
        .subject(fit_subject(subject))
        .message(message)
        .send()
        .await
        .map_err(|e| Failure::of("sns:Publish", &e))?;
    Ok(answer.message_id)
}

/// What SNS takes as a subject: ASCII without control characters, at most 100 of them.
#[must_use]
pub fn fit_subject(subject: &str) -> String {
    subject
        .chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' })
        .take(SUBJECT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fit_subject;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_subject_is_what_sns_takes(subject in any::<String>()) {
            let fit = fit_subject(&subject);
            prop_assert!(fit.len() <= 100 && fit.bytes().all(|b| (b' '..0x7f).contains(&b)));
        }
    }

    #[test]
    fn an_honest_subject_is_left_alone() {
        assert_eq!(fit_subject("[EMERGENCY] disable-key: buzz/user"), "[EMERGENCY] disable-key: buzz/user");
    }
}
