//! The wire under the AWS SDK: the internet, or a function in this process.

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::settings::secrecy_text::SecretText;

/// How requests reach AWS, and with whose credentials.
///
/// In process only [`StaticCredentials`] can be given: the credential chain would open sockets of its own
/// (IMDS, SSO, STS).
#[derive(Clone, Debug)]
pub enum HttpWire {
    /// By TCP and TLS, to AWS or to the environment's endpoint override.
    Internet(Credentials),
    /// Into this process. No socket is opened and no file or variable of the AWS configuration is read.
    InProcess { http: Arc<dyn InProcessHttp>, credentials: StaticCredentials },
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The SDK's default chain: variables, profile, SSO, process, web identity, container, IMDS.
    Chain,
    Static(StaticCredentials),
}

/// An access key that is handed in.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticCredentials {
    pub access_key_id: String,
    pub secret_access_key: SecretText,
    pub session_token: Option<SecretText>,
}

/// Answers AWS requests without a network: the simulator, or a test's canned answers.
#[async_trait]
pub trait InProcessHttp: Send + Sync + std::fmt::Debug {
    /// Carries one signed request and gives the answer.
    ///
    /// # Errors
    /// [`NoAnswer`] where a network would have failed; the request may have been carried out all the same.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer>;
}

/// How a wire fails to bring an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer came in time")]
    TimedOut,
    #[error("the connection was lost")]
    ConnectionLost,
}

/// An [`InProcessHttp`] as the SDK's HTTP client.
#[derive(Clone, Debug)]
pub(super) struct InProcessClient(pub(super) Arc<dyn InProcessHttp>);

impl HttpClient for InProcessClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcessClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = collected(request).await?;
            let answer = http.send(request).await.map_err(|no| match no {
                NoAnswer::TimedOut => ConnectorError::timeout(no.into()),
                NoAnswer::ConnectionLost => ConnectorError::io(no.into()),
            })?;
            HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|e| ConnectorError::user(e.into()))
        })
    }
}

/// The request in the `http` crate's form, its body in one piece.
async fn collected(request: HttpRequest) -> Result<http::Request<Bytes>, ConnectorError> {
    let (parts, body) = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    Ok(http::Request::from_parts(parts, body))
}
