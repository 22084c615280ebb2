//! AWS Signature Version 4, checked as AWS checks it: in headers, or presigned in the query.
//!
//! Source: "Signature Version 4 signing process", AWS General Reference.

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::{constant_time, hmac};
use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a caller's clock may be off.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The longest life of a presigned request, in seconds.
const LONGEST_PRESIGNED: i64 = 604_800;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A signature as it came with a request, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub access_key_id: String,
    pub region: String,
    pub service: String,
    /// The session token of temporary credentials.
    pub token: Option<String>,
    pub signed_at: Timestamp,
    /// `X-Amz-Date` as written.
    stamp: String,
    /// The date in the credential scope.
    date: String,
    signed_headers: Vec<String>,
    hex: String,
    /// Set for a presigned request: its life in seconds.
    expires: Option<i64>,
}

/// Why a signature cannot be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is none.
    Missing,
    /// There is something, but not all that a signature needs; says what.
    Incomplete(String),
    /// It does not match the request and the secret.
    Mismatch,
    /// The caller's clock is off, or the presigned request is too old; AWS's sentence.
    OutOfTime(String),
}

impl Signature {
    /// Reads the signature of a request.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not whole.
    pub fn of(request: &Request<Bytes>) -> Result<Self, Flaw> {
        if let Some(header) = header(request, "authorization") {
            Self::from_header(request, &header)
        } else if query(request).iter().any(|(name, _)| name == "X-Amz-Algorithm") {
            Self::from_query(request)
        } else {
            Err(Flaw::Missing)
        }
    }

    fn from_header(request: &Request<Bytes>, header_value: &str) -> Result<Self, Flaw> {
        let rest = header_value
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| Flaw::Incomplete(format!("Authorization header requires '{ALGORITHM}'.")))?;
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
                .ok_or_else(|| Flaw::Incomplete(format!("Authorization header requires '{name}' parameter.")))
        };
        let stamp = header(request, "x-amz-date").ok_or_else(|| {
            Flaw::Incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
            )
        })?;
        let token = header(request, "x-amz-security-token");
        Self::assemble(&part("Credential")?, &part("SignedHeaders")?, part("Signature")?, stamp, token, None)
    }

    fn from_query(request: &Request<Bytes>) -> Result<Self, Flaw> {
        let pairs = query(request);
        let part = |name: &str| {
            pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).ok_or_else(|| {
                Flaw::Incomplete(format!("Query-string authentication requires the {name} parameter."))
            })
        };
        if part("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Flaw::Incomplete(format!("X-Amz-Algorithm must be {ALGORITHM}.")));
        }
        let expires = part("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=LONGEST_PRESIGNED).contains(seconds))
            .ok_or_else(|| Flaw::Incomplete("X-Amz-Expires must be between 1 and 604800 seconds.".into()))?;
        let token = part("X-Amz-Security-Token").ok();
        Self::assemble(
            &part("X-Amz-Credential")?,
            &part("X-Amz-SignedHeaders")?,
            part("X-Amz-Signature")?,
            part("X-Amz-Date")?,
            token,
            Some(expires),
        )
    }

    fn assemble(
        credential: &str,
        signed_headers: &str,
        signature: String,
        stamp: String,
        token: Option<String>,
        expires: Option<i64>,
    ) -> Result<Self, Flaw> {
        let scope: Vec<&str> = credential.split('/').collect();
        let &[access_key_id, date, region, service, "aws4_request"] = scope.as_slice() else {
            return Err(Flaw::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        let signed_at = parse_stamp(&stamp).ok_or_else(|| {
            Flaw::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{stamp}'."))
        })?;
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(Flaw::Incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.".into()));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            token,
            signed_at,
            stamp,
            date: date.to_owned(),
            signed_headers,
            hex: signature,
            expires,
        })
    }

    /// Whether the request was signed at a time that AWS accepts now.
    ///
    /// # Errors
    ///
    /// [`Flaw::OutOfTime`] with AWS's sentence.
    pub fn in_time(&self, now: Timestamp) -> Result<(), Flaw> {
        let life = self.expires.map_or(SKEW, SignedDuration::from_secs);
        if now > self.signed_at + life {
            let limit = format!("{} ({} - {} min.)", stamp_of(now - life), stamp_of(now), life.as_mins());
            return Err(Flaw::OutOfTime(format!(
                "Signature expired: {} is now earlier than {limit}",
                self.stamp
            )));
        }
        if self.signed_at > now + SKEW {
            let limit = format!("{} ({} + 5 min.)", stamp_of(now + SKEW), stamp_of(now));
            return Err(Flaw::OutOfTime(format!(
                "Signature not yet current: {} is still later than {limit}",
                self.stamp
            )));
        }
        Ok(())
    }

    /// Whether the signature is this secret's for this very request.
    ///
    /// # Errors
    ///
    /// [`Flaw::Mismatch`] if not.
    pub fn verify(&self, request: &Request<Bytes>, secret: &str) -> Result<(), Flaw> {
        let canonical = self.canonical_request(request)?;
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.stamp, sha256_hex(canonical.as_bytes()));
        let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        for part in [self.region.as_str(), self.service.as_str(), "aws4_request"] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        let expected = hex::encode(hmac_sha256(&key, to_sign.as_bytes()));
        let right = self.stamp.starts_with(&self.date)
            && constant_time::verify_slices_are_equal(expected.as_bytes(), self.hex.as_bytes()).is_ok();
        right.then_some(()).ok_or(Flaw::Mismatch)
    }

    fn canonical_request(&self, request: &Request<Bytes>) -> Result<String, Flaw> {
        // A header that was signed and then removed makes a mismatch.
        let lines: Option<Vec<String>> = self
            .signed_headers
            .iter()
            .map(|name| Some(format!("{name}:{}\n", header(request, name)?)))
            .collect();
        let headers = lines.ok_or(Flaw::Mismatch)?.concat();
        Ok(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method(),
            canonical_path(request.uri().path()),
            canonical_query(request),
            self.signed_headers.join(";"),
            sha256_hex(request.body()),
        ))
    }
}

/// A header's value as it is signed: trimmed, runs of spaces made one, several joined by commas.
/// The host may also come from the URI.
fn header(request: &Request<Bytes>, name: &str) -> Option<String> {
    let values: Vec<String> = request
        .headers()
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    if values.is_empty() && name == "host" {
        return request.uri().authority().map(|authority| {
            let port = authority.port_u16().filter(|port| ![80, 443].contains(port));
            port.map_or_else(|| authority.host().to_owned(), |port| format!("{}:{port}", authority.host()))
        });
    }
    (!values.is_empty()).then(|| values.join(","))
}

/// The query's pairs, decoded.
fn query(request: &Request<Bytes>) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            pair.split_once('=')
                .map_or_else(|| (decode(pair), String::new()), |(k, v)| (decode(k), decode(v)))
        })
        .collect()
}

fn canonical_query(request: &Request<Bytes>) -> String {
    let mut pairs: Vec<(String, String)> = query(request)
        .into_iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The path with dot segments resolved and each segment encoded once more, as every service but S3 wants it.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut canonical = String::new();
    for segment in segments {
        canonical.push('/');
        canonical.push_str(&encode(segment));
    }
    if canonical.is_empty() || path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn sha256_hex(data: &[u8]) -> String {
    hex::encode(digest::digest(&SHA256, data))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

/// Reads `20150830T123600Z`.
fn parse_stamp(stamp: &str) -> Option<Timestamp> {
    let digits = |range: std::ops::Range<usize>| stamp.get(range);
    let (date, time) = (digits(0..8)?, digits(8..16)?);
    if stamp.len() != 16 || !time.starts_with('T') || !time.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (&date[0..4], &date[4..6], &date[6..8]);
    let (hour, minute, second) = (&time[1..3], &time[3..5], &time[5..7]);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

fn stamp_of(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn get_vanilla(uri: &str, signature: &str) -> Request<Bytes> {
        Request::get(uri)
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={signature}"
                ),
            )
            .body(Bytes::new())
            .expect("a request")
    }

    /// From AWS's published signature test suite: get-vanilla and get-vanilla-query-order-key-case.
    #[test]
    fn accepts_the_published_examples() {
        for (uri, signature) in [
            (
                "http://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "http://example.amazonaws.com/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let request = get_vanilla(uri, signature);
            let read = Signature::of(&request).expect("a whole signature");
            assert_eq!(read.verify(&request, SECRET), Ok(()), "{uri}");
            assert_eq!(read.access_key_id, "AKIDEXAMPLE");
            assert_eq!(read.verify(&request, "another secret"), Err(Flaw::Mismatch));
        }
    }

    /// The worked example of the IAM user guide: `ListUsers` with a signed content type.
    #[test]
    fn accepts_the_list_users_example() {
        let request = Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            )
            .body(Bytes::new())
            .expect("a request");
        let read = Signature::of(&request).expect("a whole signature");
        assert_eq!(read.verify(&request, SECRET), Ok(()));
        assert_eq!(read.service, "iam");
    }

    #[test]
    fn a_changed_request_does_not_verify() {
        let good = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        for changed in [
            get_vanilla("http://example.amazonaws.com/?a=b", good),
            get_vanilla("http://example.amazonaws.com/other", good),
            {
                let (parts, _) = get_vanilla("http://example.amazonaws.com/", good).into_parts();
                Request::from_parts(parts, Bytes::from_static(b"body"))
            },
        ] {
            let read = Signature::of(&changed).expect("a whole signature");
            assert_eq!(read.verify(&changed, SECRET), Err(Flaw::Mismatch));
        }
    }

    #[test]
    fn clocks_may_be_five_minutes_off_and_no_more() {
        let read =
            Signature::of(&get_vanilla("http://example.amazonaws.com/", "00")).expect("a whole signature");
        let signed: Timestamp = "2015-08-30T12:36:00Z".parse().expect("a time");
        for seconds in [-300, 0, 300] {
            assert_eq!(read.in_time(signed + SignedDuration::from_secs(seconds)), Ok(()));
        }
        let late = read.in_time(signed + SignedDuration::from_secs(301));
        assert_eq!(
            late,
            Err(Flaw::OutOfTime(
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)".into()
            ))
        );
        assert!(matches!(read.in_time(signed - SignedDuration::from_secs(301)), Err(Flaw::OutOfTime(_))));
    }

    #[test]
    fn says_what_is_missing() {
        let bare = Request::get("http://x/").body(Bytes::new()).expect("a request");
        assert_eq!(Signature::of(&bare), Err(Flaw::Missing));
        let half = Request::get("http://x/")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request")
            .header("x-amz-date", "20150830T123600Z")
            .body(Bytes::new())
            .expect("a request");
        assert!(
            matches!(Signature::of(&half), Err(Flaw::Incomplete(what)) if what.contains("SignedHeaders"))
        );
    }
}
