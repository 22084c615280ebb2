//! The pieces that screens are put together from.

pub mod gauge;
pub mod input;
pub mod panel;
pub mod picker;
pub mod scroll;
pub mod sheet;
pub mod table;
pub mod text;
