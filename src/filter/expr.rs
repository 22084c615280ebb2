//! Conditions, joined.

/// Conditions joined by *and*, *or* and *not*. What a condition is is left open: parsing makes them of
/// [`Term`](super::Term)s, and a screen [maps](Expr::map) those to whatever tests its rows quickest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr<T> {
    /// All of them; none at all lets everything through.
    All(Vec<Expr<T>>),
    Any(Vec<Expr<T>>),
    Not(Box<Expr<T>>),
    Is(T),
}

impl<T> Default for Expr<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl<T> Expr<T> {
    /// Whether it lets everything through, whatever the row.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Whether it holds, given which of its conditions do.
    pub fn holds(&self, is: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(is)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(is)),
            Self::Not(part) => !part.holds(is),
            Self::Is(condition) => is(condition),
        }
    }

    /// The same with each condition made into another. `to` is told whether the condition is wanted, or stands under a
    /// *not*.
    pub fn map<U>(self, to: &mut impl FnMut(T, bool) -> U) -> Expr<U> {
        self.map_under(true, to)
    }

    fn map_under<U>(self, wanted: bool, to: &mut impl FnMut(T, bool) -> U) -> Expr<U> {
        let mut each = |parts: Vec<Self>| parts.into_iter().map(|part| part.map_under(wanted, to)).collect();
        match self {
            Self::All(parts) => Expr::All(each(parts)),
            Self::Any(parts) => Expr::Any(each(parts)),
            Self::Not(part) => Expr::Not(Box::new(part.map_under(!wanted, to))),
            Self::Is(condition) => Expr::Is(to(condition, wanted)),
        }
    }

    /// Its conditions, in the order that they were typed.
    pub fn conditions(&self) -> impl Iterator<Item = &T> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            loop {
                match left.pop()? {
                    Self::All(parts) | Self::Any(parts) => left.extend(parts.iter().rev()),
                    Self::Not(part) => left.push(part),
                    Self::Is(condition) => return Some(condition),
                }
            }
        })
    }

    /// `parts` joined by `by`, without wrapping a single one; None where there are none.
    pub(super) fn joined(mut parts: Vec<Self>, by: fn(Vec<Self>) -> Self) -> Option<Self> {
        if parts.len() > 1 { Some(by(parts)) } else { parts.pop() }
    }
}
