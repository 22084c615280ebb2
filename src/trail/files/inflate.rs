//! Texts of files, gzip or not: whole where they are of ordinary size, in chunks where they are not.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

/// The largest text that is taken whole, in bytes; what is larger comes in chunks.
const WHOLE: usize = 48 << 20;
const CHUNK: usize = 1 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads files one after another, keeping its memory.
pub(super) struct Texts {
    file: Vec<u8>,
    text: Vec<u8>,
    inflate: Decompressor,
}

/// A part of a text.
pub(super) enum Part<'a> {
    /// All there is.
    Whole(&'a [u8]),
    /// More may follow.
    Chunk(&'a [u8]),
}

impl Default for Texts {
    fn default() -> Self {
        Self { file: Vec::new(), text: Vec::new(), inflate: Decompressor::new() }
    }
}

impl Texts {
    /// Hands on the text of a file, until `take` answers false. What could be read of a file that is cut short or
    /// damaged is handed on before the error is given.
    pub(super) fn read(
        &mut self,
        path: &Path,
        stop: &AtomicBool,
        mut take: impl FnMut(Part<'_>) -> bool,
    ) -> io::Result<()> {
        if path.as_os_str() == "-" {
            return self.stream(Piped::stdin(stop), take);
        }
        let file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > WHOLE || !file.metadata()?.is_file() {
            return self.stream(file, take);
        }
        self.file.clear();
        (&file).read_to_end(&mut self.file)?;
        if !self.file.starts_with(&GZIP) {
            take(Part::Whole(&self.file));
            return Ok(());
        }
        if self.inflate_whole() {
            take(Part::Whole(&self.text));
            return Ok(());
        }
        let file = std::mem::take(&mut self.file);
        let streamed = self.stream(file.as_slice(), take);
        self.file = file;
        streamed
    }

    /// Inflates a file that is one whole member and no bomb.
    fn inflate_whole(&mut self) -> bool {
        // A gzip file's last four bytes say how long its text is, modulo 2^32: RFC 1952.
        let Some(length) = self.file.last_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes) as usize)
        else {
            return false;
        };
        if length > WHOLE {
            return false;
        }
        self.text.resize(length, 0);
        self.inflate.gzip_decompress(&self.file, &mut self.text).is_ok_and(|inflated| inflated == length)
    }

    fn stream(&mut self, source: impl Read, mut take: impl FnMut(Part<'_>) -> bool) -> io::Result<()> {
        use io::BufRead as _;
        let mut source = BufReader::with_capacity(CHUNK, source);
        self.text.resize(CHUNK, 0);
        // A pipe may give one byte first: two are needed to tell.
        let is_gzip = source.fill_buf()?.starts_with(&GZIP);
        if is_gzip {
            chunks(MultiGzDecoder::new(source), &mut self.text, &mut take)
        } else {
            chunks(source, &mut self.text, &mut take)
        }
    }
}

/// Standard input, read by a thread of its own: whoever waits for a pipe that gives nothing cannot be stopped.
struct Piped<'a> {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    /// How much of the chunk has been given.
    given: usize,
    stop: &'a AtomicBool,
}

impl<'a> Piped<'a> {
    /// How often one looks whether to stop.
    const LOOK: Duration = Duration::from_millis(50);

    fn stdin(stop: &'a AtomicBool) -> Self {
        let (send, chunks) = sync_channel(2);
        thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = stdin.read(&mut chunk);
                let is_last = !matches!(read, Ok(length) if length > 0);
                let read = read.map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                if send.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self { chunks, chunk: Vec::new(), given: 0, stop }
    }
}

impl Read for Piped<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() {
            match self.chunks.recv_timeout(Self::LOOK) {
                Ok(Ok(chunk)) if chunk.is_empty() => return Ok(0),
                Ok(chunk) => (self.chunk, self.given) = (chunk?, 0),
                Err(RecvTimeoutError::Timeout) if !self.stop.load(Ordering::Relaxed) => {}
                Err(_) => return Ok(0),
            }
        }
        let length = room.len().min(self.chunk.len() - self.given);
        room[..length].copy_from_slice(&self.chunk[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

fn chunks(mut source: impl Read, room: &mut [u8], take: &mut impl FnMut(Part<'_>) -> bool) -> io::Result<()> {
    loop {
        match source.read(room) {
            Ok(0) => return Ok(()),
            Ok(length) if !take(Part::Chunk(&room[..length])) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
