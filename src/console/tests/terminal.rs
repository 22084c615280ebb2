//! ratatui's terminal of test, looked at while the loop draws on it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Size};

#[derive(Clone)]
pub struct SharedTerminal(Arc<Mutex<(TestBackend, usize)>>);

impl SharedTerminal {
    pub fn new((width, height): (u16, u16)) -> Self {
        Self(Arc::new(Mutex::new((TestBackend::new(width, height), 0))))
    }

    fn lock(&self) -> MutexGuard<'_, (TestBackend, usize)> {
        self.0.lock().unwrap()
    }

    pub fn buffer(&self) -> Buffer {
        self.lock().0.buffer().clone()
    }

    /// How many frames were drawn.
    pub fn draws(&self) -> usize {
        self.lock().1
    }

    pub fn resize(&self, (width, height): (u16, u16)) {
        self.lock().0.resize(width, height);
    }
}

impl Backend for SharedTerminal {
    type Error = Infallible;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), Infallible> {
        let mut inner = self.lock();
        inner.1 += 1;
        inner.0.draw(content)
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.lock().0.hide_cursor()
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.lock().0.show_cursor()
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        self.lock().0.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.lock().0.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.lock().0.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Infallible> {
        self.lock().0.clear_region(clear_type)
    }

    fn size(&self) -> Result<Size, Infallible> {
        self.lock().0.size()
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        self.lock().0.window_size()
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.lock().0.flush()
    }
}
