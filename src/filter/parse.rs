//! From text to conditions, in one pass.

use super::{Expr, Field, Language, Mistake, Term, value};

/// How deep brackets may go. Nobody types more; a pasted text may.
const DEEPEST: usize = 16;

pub(super) fn parse<F: Copy>(language: &Language<F>, text: &str) -> Result<Expr<Term<F>>, Mistake> {
    let mut reader = Reader { language, text, at: 0, depth: 0 };
    Ok(reader.any()?.unwrap_or_default())
}

struct Reader<'a, F: 'static> {
    language: &'a Language<F>,
    text: &'a str,
    at: usize,
    /// How many brackets are open.
    depth: usize,
}

/// What is read may be nothing yet.
type Read<F> = Result<Option<Expr<Term<F>>>, Mistake>;

impl<F: Copy> Reader<'_, F> {
    /// Up to the end or the bracket that closes: alternatives.
    fn any(&mut self) -> Read<F> {
        let mut alternatives = Vec::new();
        loop {
            alternatives.extend(self.all()?);
            if !self.takes_keyword("or") {
                return Ok(Expr::joined(alternatives, Expr::Any));
            }
        }
    }

    /// Up to an `or`, too: what must all hold.
    fn all(&mut self) -> Read<F> {
        let mut parts = Vec::new();
        loop {
            self.skip_blanks();
            if self.ended() || self.keyword("or").is_some() {
                return Ok(Expr::joined(parts, Expr::All));
            }
            if !self.takes_keyword("and") {
                parts.extend(self.one()?);
            }
        }
    }

    /// A condition, or brackets, with all that negates it.
    fn one(&mut self) -> Read<F> {
        let mut negated = false;
        loop {
            self.skip_blanks();
            let minus = self.rest().starts_with('-');
            if !minus && !self.takes_keyword("not") {
                break;
            }
            self.at += usize::from(minus);
            negated = !negated;
        }
        // `not` before `or` or at the end: what it negates is still to come.
        if self.ended() || self.keyword("or").is_some() {
            return Ok(None);
        }
        let read = if self.rest().starts_with('(') { self.brackets()? } else { self.term()? };
        Ok(read.map(|expr| if negated { Expr::Not(Box::new(expr)) } else { expr }))
    }

    fn brackets(&mut self) -> Read<F> {
        let from = self.at;
        if self.depth == DEEPEST {
            let why = format!("brackets go no deeper than {DEEPEST}; quote the text to look for it");
            return Err(Mistake::new(self.text, from..from + 1, why));
        }
        self.at += 1;
        self.depth += 1;
        let inside = self.any();
        self.depth -= 1;
        if self.rest().starts_with(')') {
            self.at += 1;
        }
        inside
    }

    fn term(&mut self) -> Read<F> {
        if self.rest().starts_with('"') {
            let text = self.quoted().to_lowercase();
            return Ok((!text.is_empty()).then_some(Expr::Is(Term::Word { text, quoted: true })));
        }
        let from = self.at;
        let Some(field) = self.field() else {
            let text = self.run().to_lowercase();
            return Ok((!text.is_empty()).then_some(Expr::Is(Term::Word { text, quoted: false })));
        };
        let typed = self.value();
        let test = value::read(field.kind, &typed).map_err(|()| {
            let takes = format!("`{}:` takes {}", field.name, field.kind.takes());
            Mistake::new(self.text, from..self.at, takes)
        })?;
        Ok(test.map(|test| Expr::Is(Term::Field { field: field.id, test })))
    }

    /// A field's name and its colon, if that is what comes.
    fn field(&mut self) -> Option<&'static Field<F>> {
        let (name, _) = self.rest().split_once(':')?;
        let field = self.language.field(name)?;
        self.at += name.len() + 1;
        Some(field)
    }

    /// What stands after the colon, without its quotes.
    fn value(&mut self) -> String {
        let mut value = String::new();
        let mut open = 0;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => value.push_str(&self.quoted()),
                c if self.ends_word(c, &mut open) => break,
                c => {
                    value.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        value
    }

    /// A plain word.
    fn run(&mut self) -> String {
        let from = self.at;
        let mut open = 0;
        while let Some(c) = self.rest().chars().next() {
            if self.ends_word(c, &mut open) {
                break;
            }
            self.at += c.len_utf8();
        }
        self.text[from..self.at].to_owned()
    }

    /// Blanks do, and the bracket that closes one from before the word.
    fn ends_word(&self, c: char, open: &mut usize) -> bool {
        match c {
            '(' => *open += 1,
            ')' if *open > 0 => *open -= 1,
            ')' => return self.depth > 0,
            _ => {}
        }
        c.is_whitespace()
    }

    /// What is between quotes, to the end where they are not closed yet. Stands at the first of them.
    fn quoted(&mut self) -> String {
        let mut inside = String::new();
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            if c == '"' {
                if !self.rest().starts_with('"') {
                    break;
                }
                self.at += 1;
            }
            inside.push(c);
        }
        inside
    }

    fn takes_keyword(&mut self, word: &str) -> bool {
        let length = self.keyword(word);
        self.at += length.unwrap_or(0);
        length.is_some()
    }

    /// The length of `word`, if it comes next and stands by itself.
    fn keyword(&self, word: &str) -> Option<usize> {
        let rest = self.rest();
        let found = rest.get(..word.len())?.eq_ignore_ascii_case(word);
        let next = rest[word.len()..].chars().next();
        let alone = match next {
            None | Some('(') => true,
            Some(')') => self.depth > 0,
            Some(c) => c.is_whitespace(),
        };
        (found && alone).then_some(word.len())
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Whether there is no more, here or within these brackets.
    fn ended(&self) -> bool {
        self.rest().is_empty() || (self.depth > 0 && self.rest().starts_with(')'))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
}
