//! Words, literals and signs of Transact-SQL.

use super::errors::{Result, SqlError};
use super::types::to_codepage_text;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A bare word: a keyword or a name.
    Word(String),
    /// A `[bracketed]` or `"quoted"` name.
    Quoted(String),
    /// A string literal; `national` with the N prefix.
    Text {
        text: String,
        national: bool,
    },
    Number(String),
    Hex(Vec<u8>),
    /// `@name`, with its sign.
    Variable(String),
    /// `@@NAME`, in upper case, with its signs.
    Global(String),
    Sign(&'static str),
    End,
}

impl Token {
    /// As an error message quotes it.
    pub fn shown(&self) -> String {
        match self {
            Self::Word(text)
            | Self::Quoted(text)
            | Self::Text { text, .. }
            | Self::Number(text)
            | Self::Variable(text)
            | Self::Global(text) => text.clone(),
            Self::Hex(bytes) => format!("0x{}", hex::encode_upper(bytes)),
            Self::Sign(sign) => (*sign).to_owned(),
            Self::End => "end of batch".to_owned(),
        }
    }
}

/// Longer signs before their beginnings.
const SIGNS: [&str; 23] = [
    "<>", "<=", ">=", "!=", "!<", "!>", "(", ")", ",", ".", ";", "=", "<", ">", "+", "-", "*", "/", "%", "&",
    "|", "^", "~",
];

/// Splits a batch into tokens; the last one is [`Token::End`].
///
/// # Errors
/// 105 or 113 where a string, a name or a comment is not closed; 102 for a character that has no place in SQL.
pub fn tokens(sql: &str) -> Result<Vec<Token>> {
    let mut lexer = Lexer { rest: sql };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let token = lexer.next()?;
        let done = token == Token::End;
        tokens.push(token);
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    fn skip(&mut self, characters: usize) {
        let mut left = self.rest.chars();
        left.by_ref().take(characters).for_each(drop);
        self.rest = left.as_str();
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|character| !wanted(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn skip_blank(&mut self) -> Result<()> {
        loop {
            self.rest = self
                .rest
                .trim_start_matches(|character: char| character.is_whitespace() || character == '\0');
            if self.rest.starts_with("--") {
                self.take_while(|character| character != '\n');
            } else if self.rest.starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<()> {
        let mut depth = 0_usize;
        loop {
            if self.rest.is_empty() {
                return Err(SqlError::new(113, "Missing end comment mark '*/'.").class(15));
            }
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.skip(1);
            }
        }
    }

    fn next(&mut self) -> Result<Token> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        match first {
            '\'' => {
                let text = to_codepage_text(&self.delimited('\'')?);
                Ok(Token::Text { text, national: false })
            }
            'N' | 'n' if self.second() == Some('\'') => {
                self.skip(1);
                Ok(Token::Text { text: self.delimited('\'')?, national: true })
            }
            '[' => self.delimited(']').map(Token::Quoted),
            '"' => self.delimited('"').map(Token::Quoted),
            '@' => Ok(self.variable()),
            '0' if matches!(self.second(), Some('x' | 'X')) => self.hex(),
            '0'..='9' => Ok(Token::Number(self.number())),
            '.' if self.second().is_some_and(|second| second.is_ascii_digit()) => {
                Ok(Token::Number(self.number()))
            }
            _ if is_word(first) => Ok(Token::Word(self.take_while(is_word))),
            _ => self.sign(first),
        }
    }

    /// What stands between a delimiter and the closing one, which doubled stands for itself.
    fn delimited(&mut self, close: char) -> Result<String> {
        self.skip(1);
        let mut text = String::new();
        loop {
            text += &self.take_while(|character| character != close);
            if self.rest.is_empty() {
                let message = format!("Unclosed quotation mark after the character string '{text}'.");
                return Err(SqlError::new(105, message).class(15));
            }
            self.skip(1);
            if self.peek() != Some(close) {
                return Ok(text);
            }
            text.push(close);
            self.skip(1);
        }
    }

    fn variable(&mut self) -> Token {
        self.skip(1);
        if self.peek() == Some('@') {
            self.skip(1);
            return Token::Global(format!("@@{}", self.take_while(is_word).to_uppercase()));
        }
        Token::Variable(format!("@{}", self.take_while(|character| is_word(character) || character == '@')))
    }

    /// An odd number of digits has a zero in front.
    fn hex(&mut self) -> Result<Token> {
        self.skip(2);
        let digits = self.take_while(|character| character.is_ascii_hexdigit());
        let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.clone() };
        hex::decode(even).map(Token::Hex).map_err(|_| SqlError::syntax(&digits))
    }

    fn number(&mut self) -> String {
        let mut number = self.take_while(|character| character.is_ascii_digit());
        if self.peek() == Some('.') {
            self.skip(1);
            number.push('.');
            number += &self.take_while(|character| character.is_ascii_digit());
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.skip(1);
            number.push('e');
            if let Some(sign @ ('+' | '-')) = self.peek() {
                self.skip(1);
                number.push(sign);
            }
            number += &self.take_while(|character| character.is_ascii_digit());
        }
        number
    }

    fn sign(&mut self, first: char) -> Result<Token> {
        let sign = SIGNS
            .into_iter()
            .find(|sign| self.rest.starts_with(sign))
            .ok_or_else(|| SqlError::syntax(&first.to_string()))?;
        self.skip(sign.len());
        Ok(Token::Sign(sign))
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '#' | '$')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(sql in ".{0,200}") {
            let _ = tokens(&sql);
        }

        #[test]
        fn a_bracketed_name_survives(name in "[^\0]{0,40}") {
            let sql = format!("[{}]", name.replace(']', "]]"));
            prop_assert_eq!(tokens(&sql), Ok(vec![Token::Quoted(name), Token::End]));
        }
    }

    #[test]
    fn literals_of_every_kind() {
        let read = tokens("N'a''b' 'é—ж' 0xABC 1.5e3 @P1 @@rowcount /* a /* b */ c */ x <> -- rest").unwrap();
        assert_eq!(
            read,
            [
                Token::Text { text: "a'b".into(), national: true },
                Token::Text { text: "é—?".into(), national: false },
                Token::Hex(vec![0x0A, 0xBC]),
                Token::Number("1.5e3".into()),
                Token::Variable("@P1".into()),
                Token::Global("@@ROWCOUNT".into()),
                Token::Word("x".into()),
                Token::Sign("<>"),
                Token::End,
            ]
        );
    }

    #[test]
    fn what_is_not_closed_is_error_105_or_113() {
        assert_eq!(tokens("SELECT 'a").unwrap_err().number, 105);
        assert_eq!(tokens("/* a /* b */").unwrap_err().number, 113);
    }
}
