//! TDS packets: an 8-byte header each, a message made of one or many.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Message types that a client may send, and the one that we answer with.
pub mod kind {
    pub const SQL_BATCH: u8 = 0x01;
    pub const RPC: u8 = 0x03;
    pub const TABULAR_RESULT: u8 = 0x04;
    pub const ATTENTION: u8 = 0x06;
    pub const TRANSACTION_MANAGER: u8 = 0x0E;
    pub const LOGIN7: u8 = 0x10;
    pub const PRELOGIN: u8 = 0x12;
}

/// The size of a packet's header.
pub const HEADER: usize = 8;
/// The packet size before login has settled one.
pub const DEFAULT_SIZE: usize = 4096;
/// No message that a client of ours has reason to send is longer.
const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

const END_OF_MESSAGE: u8 = 0x01;
const IGNORE: u8 = 0x02;
const RESET_CONNECTION: u8 = 0x08;
const RESET_CONNECTION_SKIP_TRANSACTION: u8 = 0x10;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    /// The client wants the session reset before this request.
    pub reset: bool,
    pub body: Vec<u8>,
}

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: u8,
    pub status: u8,
    /// The length of what follows the header.
    pub body: usize,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// If it claims a length shorter than itself.
    pub fn parse(bytes: [u8; HEADER]) -> io::Result<Self> {
        let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        let body = length.checked_sub(HEADER).ok_or_else(|| bad("a packet is shorter than its header"))?;
        Ok(Self { kind: bytes[0], status: bytes[1], body })
    }
}

/// Reads and writes messages over a stream. Reading is safe to cancel: what has come is kept.
#[derive(Debug)]
pub struct Messages<S> {
    stream: S,
    packet_size: usize,
    received: Vec<u8>,
    gathered: Option<Message>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Messages<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, packet_size: DEFAULT_SIZE, received: Vec::new(), gathered: None }
    }

    /// From now on packets of this size are written.
    pub fn set_packet_size(&mut self, size: usize) {
        self.packet_size = size;
    }

    /// Puts another stream (with or without TLS) in this one's place.
    pub async fn replace<T>(self, with: impl AsyncFnOnce(S) -> io::Result<T>) -> io::Result<Messages<T>> {
        let stream = with(self.stream).await?;
        Ok(Messages { stream, packet_size: self.packet_size, received: self.received, gathered: None })
    }

    /// The next whole message; `None` once the client has closed the connection.
    ///
    /// # Errors
    /// When the stream fails, or what comes over it is not TDS.
    pub async fn read(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = self.next_gathered()? {
                return Ok(Some(message));
            }
            let read = match self.stream.read_buf(&mut self.received).await {
                // Few clients say goodbye in TLS before they close.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                read => read?,
            };
            if read == 0 {
                let clean = self.received.is_empty() && self.gathered.is_none();
                return if clean { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Takes whole packets out of what has been received until they make a message.
    fn next_gathered(&mut self) -> io::Result<Option<Message>> {
        while let Some(header) = self.received.first_chunk::<HEADER>() {
            let header = Header::parse(*header)?;
            let length = HEADER + header.body;
            if self.received.len() < length {
                return Ok(None);
            }
            let packet: Vec<u8> = self.received.drain(..length).collect();
            if let Some(message) = self.gather(header, &packet[HEADER..])? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn gather(&mut self, header: Header, body: &[u8]) -> io::Result<Option<Message>> {
        let mut message = match self.gathered.take() {
            // An attention may cut into a message that is still being sent.
            Some(begun) if header.kind == begun.kind => begun,
            _ => {
                let reset = header.status & (RESET_CONNECTION | RESET_CONNECTION_SKIP_TRANSACTION) != 0;
                Message { kind: header.kind, reset, body: Vec::new() }
            }
        };
        message.body.extend_from_slice(body);
        if message.body.len() > LONGEST_MESSAGE {
            return Err(bad("a message is too long"));
        }
        if header.status & END_OF_MESSAGE == 0 {
            self.gathered = Some(message);
            return Ok(None);
        }
        // A message that ends with the ignore bit was taken back by the client.
        Ok((header.status & IGNORE == 0).then_some(message))
    }

    /// Writes a message, in as many packets as it takes.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn write(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let room = self.packet_size - HEADER;
        let count = body.len().div_ceil(room).max(1);
        for number in 0..count {
            let part = &body[number * room..body.len().min((number + 1) * room)];
            let status = if number + 1 == count { END_OF_MESSAGE } else { 0 };
            self.stream.write_all(&packet(kind, status, number, part)).await?;
        }
        self.stream.flush().await
    }
}

/// One packet on the wire; `number` counts from 0 within the message.
pub fn packet(kind: u8, status: u8, number: usize, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let id = u8::try_from((number + 1) % 256).unwrap_or(0);
    let mut packet = vec![kind, status, length[0], length[1], 0, 0, id, 0];
    packet.extend_from_slice(body);
    packet
}

/// The error of a stream that does not speak TDS.
pub fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every message in these bytes, then how reading ended.
    async fn read_all(bytes: Vec<u8>) -> (Vec<Message>, io::Result<()>) {
        let (mut theirs, ours) = tokio::io::duplex(bytes.len() + 1);
        theirs.write_all(&bytes).await.unwrap();
        drop(theirs);
        let mut messages = Messages::new(ours);
        let mut read = Vec::new();
        loop {
            match messages.read().await {
                Ok(Some(message)) => read.push(message),
                Ok(None) => return (read, Ok(())),
                Err(error) => return (read, Err(error)),
            }
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = block_on(read_all(bytes));
        }

        #[test]
        fn a_message_survives_any_packet_size(body in proptest::collection::vec(any::<u8>(), 0..5000), size in 512..4096_usize) {
            let (mut ours, theirs) = tokio::io::duplex(100_000);
            let read = block_on(async {
                let mut messages = Messages::new(theirs);
                messages.set_packet_size(size);
                messages.write(kind::SQL_BATCH, &body).await.unwrap();
                drop(messages);
                let mut bytes = Vec::new();
                ours.read_to_end(&mut bytes).await.unwrap();
                read_all(bytes).await
            });
            prop_assert!(read.1.is_ok());
            prop_assert_eq!(read.0, vec![Message { kind: kind::SQL_BATCH, reset: false, body }]);
        }
    }

    #[test]
    fn an_attention_replaces_a_message_begun() {
        let mut bytes = packet(kind::SQL_BATCH, 0, 0, b"half");
        bytes.extend(packet(kind::ATTENTION, END_OF_MESSAGE, 0, b""));
        let (read, end) = block_on(read_all(bytes));
        assert!(end.is_ok());
        assert_eq!(read, [Message { kind: kind::ATTENTION, reset: false, body: Vec::new() }]);
    }

    #[test]
    fn an_ignored_message_is_not_seen() {
        let (read, end) = block_on(read_all(packet(kind::RPC, END_OF_MESSAGE | IGNORE, 0, b"x")));
        assert!(end.is_ok() && read.is_empty());
    }
}
