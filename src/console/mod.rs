//! The terminal: state and update, screens, widgets, keymap, theme.
