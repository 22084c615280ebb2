//! A bar of ten, and its figure.

/// `46` as `▇▇▇▇▇▁▁▁▁▁  46 %`; what is over the full bar is told by the figure.
#[must_use]
pub fn gauge(percent: u32) -> String {
    let full = usize::try_from(percent.div_ceil(10).min(10)).unwrap_or(10);
    format!("{}{} {percent:>3} %", "▇".repeat(full), "▁".repeat(10 - full))
}

#[cfg(test)]
mod tests {
    use super::gauge;

    #[test]
    fn the_bar_fills_and_the_figure_goes_on() {
        assert_eq!(gauge(45), "▇▇▇▇▇▁▁▁▁▁  45 %");
        assert_eq!(gauge(0), "▁▁▁▁▁▁▁▁▁▁   0 %");
        assert_eq!(gauge(422), "▇▇▇▇▇▇▇▇▇▇ 422 %");
    }
}
