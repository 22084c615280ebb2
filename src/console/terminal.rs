//! The real terminal: taken over, and always given back.

use std::io::{self, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::Stream;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::clipboard::CopyToClipboard;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
};
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{execute, queue};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{Bell, Clipboard};

/// A terminal in raw mode on its alternate screen; dropping it gives the terminal back as it was.
pub struct OpenTerminal {
    pub terminal: Terminal<CrosstermBackend<Frames<io::Stdout>>>,
    _guard: Guard,
}

/// Sends what is drawn a whole frame at a time, as one synchronized update (DEC private mode 2026), so that
/// nobody reads a new heading over old rows: terminals that know the mode hold a frame back until it is whole.
pub struct Frames<W> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> Frames<W> {
    const fn new(out: W) -> Self {
        Self { out, frame: Vec::new() }
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.frame.is_empty() {
            queue!(self.frame, BeginSynchronizedUpdate)?;
        }
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        queue!(self.frame, EndSynchronizedUpdate)?;
        let sent = self.out.write_all(&self.frame).and_then(|()| self.out.flush());
        // What could not be sent once is not sent again over what comes next.
        self.frame.clear();
        sent
    }
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Takes the terminal over, on the thread that will draw. From here on a panic of that thread gives it back
/// before its message is printed.
///
/// # Errors
/// Standard output is no terminal, or it refuses raw mode.
pub fn open_terminal() -> io::Result<OpenTerminal> {
    restore_before_panic_message();
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    // From here on whatever fails leaves through the guard.
    let guard = Guard;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste)?;
    let terminal = Terminal::new(CrosstermBackend::new(Frames::new(stdout())))?;
    Ok(OpenTerminal { terminal, _guard: guard })
}

/// What is typed, pasted and clicked.
///
/// A thread of its own reads it: when a terminal goes away (a closed SSH session) crossterm 0.29 tries to read it
/// again for ever, and on the console's own thread that would hold up the very signal that ends it.
///
/// # Errors
/// No thread can be started.
pub fn input() -> io::Result<impl Stream<Item = io::Result<Event>>> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        loop {
            let read = event::read();
            let failed = read.is_err();
            if send.send(read).is_err() || failed {
                break;
            }
        }
    })?;
    Ok(UnboundedReceiverStream::new(receive))
}

/// Puts text on the clipboard of whoever sits at the terminal, over SSH too (OSC 52). Whether the terminal
/// obeys cannot be known.
#[must_use]
pub fn clipboard() -> Clipboard {
    Box::new(|text| execute!(stdout(), CopyToClipboard::to_clipboard_from(text)))
}

/// Sounds the terminal's bell. A terminal may show it instead, or do nothing.
#[must_use]
pub fn bell() -> Bell {
    Box::new(|| execute!(stdout(), Print('\x07')))
}

/// Ends when the process is asked to: SIGTERM, SIGINT from outside, or SIGHUP (a closed SSH session).
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn shutdown_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            _ = hung_up.recv() => {}
        }
    })
}

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Undoes everything that [`open_terminal`] did, once. Nobody is left to hear of an error.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = queue!(
        out,
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// A panic on this thread, which draws, gives the terminal back before it is told. A panic of a worker goes
/// to the log alone: the console goes on, and what the worker brought is seen to grow old.
fn restore_before_panic_message() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let drawing = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if TAKEN.load(Ordering::SeqCst) && std::thread::current().id() != drawing {
                tracing::error!("a worker ended badly: {panic}");
                return;
            }
            restore();
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_out_whole_and_marked() {
        let mut sent = Vec::new();
        let mut frames = Frames::new(&mut sent);
        frames.flush().unwrap();
        frames.write_all(b"one ").unwrap();
        frames.write_all(b"frame").unwrap();
        frames.flush().unwrap();
        frames.write_all(b"another").unwrap();
        frames.flush().unwrap();
        assert_eq!(sent, b"\x1b[?2026hone frame\x1b[?2026l\x1b[?2026hanother\x1b[?2026l");
    }

    #[test]
    fn nothing_goes_out_before_a_frame_is_whole() {
        let mut sent = Vec::new();
        Frames::new(&mut sent).write_all(b"half").unwrap();
        assert!(sent.is_empty());
    }
}
