//! TLS as TDS has it: the certificates, the handshake inside pre-login packets, and the way back to plain.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::server::TlsStream;

use super::packet::{HEADER, Header, bad, kind, packet};

/// A certificate authority of the simulator's own, which vouches for its SQL servers.
pub struct Tls {
    authority: CertifiedIssuer<'static, KeyPair>,
    ca_pem: String,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Which TLS a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// TDS 7.4: the handshake goes inside pre-login packets, and TLS 1.2 is the newest that fits there.
    InPrelogin,
    /// TDS 8.0: TLS first, everything else inside.
    Strict,
}

impl Tls {
    /// Makes a new authority (ECDSA P-256).
    ///
    /// # Errors
    /// If the crypto library cannot make a key or sign.
    pub fn generate() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "portcullis simulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let authority = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let ca_pem = authority.pem();
        Ok(Self { authority, ca_pem })
    }

    /// The authority's certificate, for a client to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// An acceptor with a fresh certificate for this host name, `localhost` and the loopback addresses.
    pub(super) fn acceptor(&self, host: &str, dialect: Dialect) -> io::Result<TlsAcceptor> {
        let mut params = CertificateParams::new([host.to_owned(), "localhost".to_owned()])
            .map_err(|_| bad("the server's name cannot stand in a certificate"))?;
        params.subject_alt_names.extend([
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]);
        params.distinguished_name.push(DnType::CommonName, host);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.authority).map_err(io::Error::other)?;
        let versions: &[&SupportedProtocolVersion] = match dialect {
            Dialect::InPrelogin => &[&version::TLS12],
            Dialect::Strict => &[&version::TLS12, &version::TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone(), self.authority.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .map_err(io::Error::other)?;
        if dialect == Dialect::Strict {
            config.alpn_protocols = vec![b"tds/8.0".to_vec()];
        }
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A connection, with TLS or without.
#[derive(Debug)]
pub enum Wire<S> {
    Plain(S),
    Tls(Box<TlsStream<Framed<S>>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Waits for the client's handshake.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn secure(self, acceptor: &TlsAcceptor, dialect: Dialect) -> io::Result<Self> {
        let Self::Plain(stream) = self else { return Ok(self) };
        let framed = Framed::new(stream, dialect == Dialect::InPrelogin);
        let mut tls = acceptor.accept(framed).await?;
        tls.get_mut().0.framing = false;
        Ok(Self::Tls(Box::new(tls)))
    }

    /// Drops back to plain, as after an encrypted login where the client wanted no more.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Tls(tls) => Self::Plain(tls.into_inner().0.stream),
            plain @ Self::Plain(_) => plain,
        }
    }
}

/// While `framing`, wraps what is written in pre-login packets and unwraps what is read.
#[derive(Debug)]
pub struct Framed<S> {
    stream: S,
    framing: bool,
    header: Vec<u8>,
    /// What is left of the packet being read.
    body: usize,
    /// What TLS has written since the last flush.
    held: Vec<u8>,
    /// Whole packets on their way out.
    outgoing: Vec<u8>,
}

impl<S> Framed<S> {
    fn new(stream: S, framing: bool) -> Self {
        Self { stream, framing, header: Vec::new(), body: 0, held: Vec::new(), outgoing: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Reads the header of the next packet with a body.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.body == 0 {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.header.extend_from_slice(buffer.filled());
            if let Ok(header) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
                self.header.clear();
                let header = Header::parse(header)?;
                if header.kind != kind::PRELOGIN {
                    return Poll::Ready(Err(bad("a TLS handshake came in other packets than pre-login")));
                }
                self.body = header.body;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.framing {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        ready!(this.poll_header(cx))?;
        let room = buffer.remaining().min(this.body);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        this.body -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.framing {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        this.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        for (number, part) in std::mem::take(&mut this.held).chunks(4096 - HEADER).enumerate() {
            this.outgoing.extend(packet(kind::PRELOGIN, 1, number, part));
        }
        while !this.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.outgoing.drain(..written);
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
