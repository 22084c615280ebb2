//! Where a queue is: read from its URL or its ARN.

use std::str::FromStr;

/// An SQS queue, by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAddress {
    url: String,
    region: Option<String>,
}

/// Why a text names no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no SQS queue: give its URL, such as https://sqs.eu-west-1.amazonaws.com/111122223333/portcullis, or its ARN, \
     such as arn:aws:sqs:eu-west-1:111122223333:portcullis"
)]
pub struct NoQueue;

impl QueueAddress {
    /// As SQS takes it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The Region that the address tells; None for one that tells none, such as a simulator's.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Its ARN; where the address tells no Region, with `*` in its place, as policies take it.
    #[must_use]
    pub fn arn(&self) -> String {
        let region = self.region().unwrap_or("*");
        let partition = match region {
            _ if region.starts_with("cn-") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let mut path = self.url.rsplit('/');
        let (name, account) = (path.next().unwrap_or_default(), path.next().unwrap_or_default());
        format!("arn:{partition}:sqs:{region}:{account}:{name}")
    }

    /// The queue's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

impl FromStr for QueueAddress {
    type Err = NoQueue;

    fn from_str(text: &str) -> Result<Self, NoQueue> {
        if text.starts_with("arn:") { of_arn(text) } else { of_url(text) }.ok_or(NoQueue)
    }
}

fn of_arn(arn: &str) -> Option<QueueAddress> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "sqs", region, account, name] = *parts.as_slice() else { return None };
    let end = match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    let is_right = is_region(region) && is_account(account) && is_name(name);
    let url = format!("https://sqs.{region}.{end}/{account}/{name}");
    is_right.then(|| QueueAddress { url, region: Some(region.to_owned()) })
}

fn of_url(url: &str) -> Option<QueueAddress> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host().filter(|_| matches!(uri.scheme_str(), Some("http" | "https")))?;
    let mut path = uri.path().strip_prefix('/')?.split('/');
    let (account, name) = (path.next()?, path.next()?);
    let is_right = is_account(account) && is_name(name) && path.next().is_none() && uri.query().is_none();
    let region = host.split('.').find(|label| is_region(label)).map(str::to_owned);
    is_right.then(|| QueueAddress { url: url.to_owned(), region })
}

/// Whether a text is shaped like a Region's name: `eu-west-1`, `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().unwrap_or_default();
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.clone().count() >= 2
        && parts.all(is_word)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// SQS: up to 80 letters, digits, dashes and underscores; a FIFO queue's ends in `.fifo`.
fn is_name(text: &str) -> bool {
    let bare = text.strip_suffix(".fifo").unwrap_or(text);
    (1..=80).contains(&text.len())
        && !bare.is_empty()
        && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::QueueAddress;

    fn read(text: &str) -> Option<(String, Option<String>, String)> {
        let queue: QueueAddress = text.parse().ok()?;
        Some((queue.url().to_owned(), queue.region().map(str::to_owned), queue.name().to_owned()))
    }

    #[test]
    fn an_arn_and_a_url_name_the_same_queue() {
        let by_arn = read("arn:aws:sqs:eu-west-1:111122223333:portcullis").unwrap();
        assert_eq!(by_arn, read("https://sqs.eu-west-1.amazonaws.com/111122223333/portcullis").unwrap());
        assert_eq!(by_arn.1.as_deref(), Some("eu-west-1"));
        assert_eq!(by_arn.2, "portcullis");
        let in_china = read("arn:aws-cn:sqs:cn-north-1:111122223333:q.fifo").unwrap();
        assert_eq!(in_china.0, "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q.fifo");
    }

    #[test]
    fn endpoints_of_other_kinds_tell_their_region_where_they_have_one() {
        let private = read("https://vpce-1-2.sqs.us-gov-west-1.vpce.amazonaws.com/111122223333/q").unwrap();
        assert_eq!(private.1.as_deref(), Some("us-gov-west-1"));
        assert_eq!(read("http://127.0.0.1:4566/111122223333/q").unwrap().1, None);
    }

    #[test]
    fn policies_name_it_by_its_arn() {
        for arn in ["arn:aws:sqs:eu-west-1:111122223333:q", "arn:aws-cn:sqs:cn-north-1:111122223333:q.fifo"] {
            assert_eq!(arn.parse::<QueueAddress>().unwrap().arn(), arn);
        }
        let simulated: QueueAddress = "http://127.0.0.1:4566/111122223333/q".parse().unwrap();
        assert_eq!(simulated.arn(), "arn:aws:sqs:*:111122223333:q");
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        for text in [
            "",
            "portcullis",
            "arn:aws:sns:eu-west-1:111122223333:portcullis",
            "arn:aws:sqs:eu-west-1:1111:portcullis",
            "arn:aws:sqs:somewhere:111122223333:portcullis",
            "https://sqs.eu-west-1.amazonaws.com/portcullis",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/port cullis",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q/more",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q?Action=DeleteQueue",
            "ftp://sqs.eu-west-1.amazonaws.com/111122223333/q",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
