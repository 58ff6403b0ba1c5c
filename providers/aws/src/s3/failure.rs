//! What the server said, and what to do about it.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::nameless::{Nameless, nameless};

/// What a store asks for.
const RIGHTS: &str = "s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject and \
                      s3:AbortMultipartUpload";

type Cause = Box<dyn Error + Send + Sync>;

/// The code of S3 for a bucket that is not there.
const NO_BUCKET: &str = "NoSuchBucket";

/// Says in which region a bucket is, also in answers that say nothing else.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// Why a request had no success.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no.
    Refused(Refusal),
    /// Nothing was heard in time.
    Late(Cause),
    /// There was no connection, or it broke.
    Unreached(Cause),
    /// The answer makes no sense.
    Strange(Cause),
    /// Nothing was asked, since nobody knows in whose name.
    Nameless(Nameless),
}

/// A no of the server.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// The status of HTTP.
    pub(super) status: u16,
    /// The code of S3, for example `NoSuchKey`; empty in answers without a body.
    pub(super) code: String,
    message: String,
    region: Option<String>,
}

impl Failure {
    /// An answer that was understood and cannot be.
    pub(super) fn strange(problem: impl Into<Cause>) -> Self {
        Self::Strange(problem.into())
    }

    /// True when there is no such object or upload in the bucket, and it is a server of S3 that says so: any other one
    /// has no page at that address either.
    pub(super) fn is_absent(&self) -> bool {
        let codes = ["NoSuchKey", "NoSuchUpload"];
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && codes.contains(&refusal.code.as_str()))
    }

    /// True when there is no such bucket.
    pub(super) fn is_no_bucket(&self) -> bool {
        self.has_code(NO_BUCKET)
    }

    /// The same as an answer, for a bucket that should be there by now.
    pub(super) fn no_bucket() -> Self {
        Self::Refused(Refusal {
            status: 404,
            code: NO_BUCKET.to_owned(),
            ..Refusal::default()
        })
    }

    /// True when whoever asks may not.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 403)
    }

    /// True when the server said no by this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == code)
    }

    /// The same for answers without a body, which are all that `HEAD` gets: for these the SDK makes a code up.
    pub(super) fn is_bare_absence(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && matches!(refusal.code.as_str(), "" | "NotFound"))
    }

    /// True when a condition of the request did not hold.
    pub(super) fn is_unmet(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 412)
    }

    /// True when somebody else wrote the same object at that moment: whoever asks again is told who was first.
    pub(super) fn is_race(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 409)
    }

    /// True when the server does not know what it was asked for.
    pub(super) fn is_unknown_there(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 501)
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let refusal = match &error {
            SdkError::ServiceError(refused) => {
                let region = refused.raw().headers().get(REGION_HEADER);
                Some(Refusal {
                    status: refused.raw().status().as_u16(),
                    code: refused.err().code().unwrap_or_default().to_owned(),
                    message: refused.err().message().unwrap_or_default().to_owned(),
                    region: region.map(str::to_owned),
                })
            }
            _ => None,
        };
        // An upload that could not be completed is told with a status of success; anything else is no answer of S3.
        match refusal {
            Some(refusal) if refusal.status >= 300 || !refusal.code.is_empty() => {
                return Self::Refused(refusal);
            }
            _ => {}
        }
        if let Some(nameless) = nameless(&error) {
            return Self::Nameless(nameless);
        }
        let is_late = match &error {
            SdkError::TimeoutError(_) => true,
            SdkError::DispatchFailure(failed) => failed.is_timeout(),
            _ => false,
        };
        let is_answer = matches!(error, SdkError::ResponseError(_) | SdkError::ServiceError(_));
        let cause = error.into_source().unwrap_or_else(|error| Box::new(error));
        if is_late {
            Self::Late(cause)
        } else if is_answer {
            Self::Strange(cause)
        } else {
            Self::Unreached(cause)
        }
    }
}

/// Whom was asked for what: what the words about a failure need.
pub(super) struct Asked<'a> {
    /// The bucket.
    pub(super) bucket: &'a str,
    /// The server, for people.
    pub(super) server: &'a str,
    /// The region that was set.
    pub(super) region: &'a str,
    /// The name of the access key.
    pub(super) access_key_id: &'a str,
}

/// A failure in words: what happened, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) source: Option<Cause>,
}

pub(super) fn tell(failure: Failure, asked: &Asked<'_>) -> Told {
    let server = asked.server;
    match failure {
        Failure::Refused(refusal) => Told {
            text: words_on(&refusal, asked),
            source: None,
        },
        Failure::Late(cause) => Told {
            text: format!(
                "{server} does not answer in time; see whether it is up, and whether a firewall is between"
            ),
            source: Some(cause),
        },
        Failure::Unreached(cause) => Told {
            text: format!(
                "there is no connection to {server}; see whether the endpoint is right, whether it is up, and, where the cause is \
                 its certificate, name the file of the authority that it is from"
            ),
            source: Some(cause),
        },
        Failure::Nameless(nameless) => nameless.tell(),
        Failure::Strange(cause) => Told {
            text: format!("{server} does not answer as S3 does; see whether the endpoint is right"),
            source: Some(cause),
        },
    }
}

fn words_on(refusal: &Refusal, asked: &Asked<'_>) -> String {
    let Asked {
        bucket,
        server,
        region,
        access_key_id,
    } = asked;
    let advice = match (refusal.code.as_str(), refusal.status) {
        ("NoSuchBucket", _) => {
            format!("there is no bucket {bucket} at {server}: make it, or correct its name or the endpoint")
        }
        ("BucketAlreadyExists", _) => {
            format!(
                "the name {bucket} is that of another account's bucket: there is one of a name for everybody, choose another"
            )
        }
        ("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed", _) | ("", 301 | 307) => {
            match &refusal.region {
                Some(there) if there != region => {
                    format!(
                        "bucket {bucket} is in the region {there} and not in {region}: set the region to {there}"
                    )
                }
                _ => format!(
                    "bucket {bucket} is not in the region {region}: set its region, and its endpoint if it has one"
                ),
            }
        }
        ("InvalidAccessKeyId", _) => {
            format!("{server} knows no access key {access_key_id}: correct it, or see whether it was deleted")
        }
        ("SignatureDoesNotMatch", _) => {
            format!(
                "the secret is not that of the access key {access_key_id}: correct it, or the region {region}"
            )
        }
        ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
            "the session token has expired or is damaged: get another one, by `aws sso login` where you sign in like that".to_owned()
        }
        ("RequestTimeTooSkewed", _) => {
            format!("the clock of this machine differs from that of {server}: set it, by NTP for example")
        }
        ("SlowDown" | "TooManyRequests", _) | (_, 429 | 503) => {
            format!("{server} has too much to do: try again later")
        }
        // An answer without a body does not tell a wrong secret from a right that is missing.
        ("", 401 | 403) => format!(
            "the access key {access_key_id} is refused by {server}: see whether its secret is right, and allow it {RIGHTS} in \
             bucket {bucket}"
        ),
        (_, 401 | 403) => format!(
            "the access key {access_key_id} may not do this in bucket {bucket}: allow it {RIGHTS} there, or choose another name where the \
             bucket is another account's"
        ),
        (_, 404) => {
            format!("there is none at {server}: see whether the bucket {bucket} and the endpoint are right")
        }
        (_, 501) => format!("{server} does not know what was asked for: it speaks too little of S3"),
        (_, 500..) => format!("{server} has failed: try again, and see its log"),
        _ => format!(
            "{server} refuses it: see whether the endpoint, the region {region} and the bucket {bucket} are right"
        ),
    };
    let said = [refusal.code.as_str(), refusal.message.as_str()];
    let said: Vec<&str> = said.into_iter().filter(|word| !word.is_empty()).collect();
    if said.is_empty() {
        format!("{advice} (HTTP {})", refusal.status)
    } else {
        format!("{advice} (HTTP {}, {})", refusal.status, said.join(": "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        let asked = Asked {
            bucket: "backups",
            server: "https://s3.example.com",
            region: "us-east-1",
            access_key_id: "AKIA1",
        };
        let cases = [
            (
                404,
                "NoSuchBucket",
                None,
                "there is no bucket backups at https://s3.example.com: make it",
            ),
            (
                301,
                "PermanentRedirect",
                Some("eu-west-1"),
                "set the region to eu-west-1",
            ),
            (301, "", Some("eu-west-1"), "set the region to eu-west-1"),
            (
                400,
                "AuthorizationHeaderMalformed",
                None,
                "is not in the region us-east-1",
            ),
            (403, "InvalidAccessKeyId", None, "knows no access key AKIA1"),
            (
                403,
                "SignatureDoesNotMatch",
                None,
                "the secret is not that of the access key AKIA1",
            ),
            (
                403,
                "AccessDenied",
                None,
                "may not do this in bucket backups: allow it s3:ListBucket",
            ),
            (403, "AccessDenied", None, "where the bucket is another account's"),
            (
                409,
                "BucketAlreadyExists",
                None,
                "that of another account's bucket",
            ),
            (403, "", None, "see whether its secret is right"),
            (400, "ExpiredToken", None, "get another one"),
            (403, "RequestTimeTooSkewed", None, "the clock of this machine"),
            (503, "SlowDown", None, "try again later"),
            (500, "InternalError", None, "see its log"),
            (501, "NotImplemented", None, "speaks too little of S3"),
        ];
        for (status, code, region, words) in cases {
            let refusal = Refusal {
                status,
                code: code.to_owned(),
                message: String::new(),
                region: region.map(str::to_owned),
            };
            let told = tell(Failure::Refused(refusal), &asked).to_string();
            assert!(told.contains(words), "{status} {code}: {told}");
        }
    }
}
