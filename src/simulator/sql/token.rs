//! Writes the tokens of a response: result sets, errors, changes of the environment, DONE.

use super::errors::SqlError;
use super::typeinfo;
use super::types::{Type, Value, to_utf16};

/// SQL Server's usual collation, `SQL_Latin1_General_CP1_CI_AS`.
pub const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

const DONE_MORE: u16 = 0x01;
const DONE_ERROR: u16 = 0x02;
const DONE_COUNT: u16 = 0x10;
const DONE_ATTENTION: u16 = 0x20;

/// Which DONE a statement ends with: in a batch, within a procedure, or the procedure's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Batch = 0xFD,
    Procedure = 0xFE,
    InProcedure = 0xFF,
}

/// What kind of statement was done, as the DONE token has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    None = 0,
    Select = 0xC1,
    Insert = 0xC3,
    Execute = 0xE0,
}

/// A column of a result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    pub name: String,
    pub ty: Type,
}

/// A response being written.
#[derive(Debug, Default)]
pub struct Response {
    tokens: Vec<u8>,
    /// Where the last DONE's status stands.
    last_done: Option<usize>,
    server: String,
}

impl Response {
    /// A response of the server of this name, which stands in every message.
    pub fn new(server: &str) -> Self {
        Self { server: server.to_owned(), ..Self::default() }
    }

    /// The tokens. The last DONE becomes final; where there is none at the end, one is written.
    pub fn finish(mut self, done: Done) -> Vec<u8> {
        match self.last_done {
            Some(at) if at + 12 == self.tokens.len() => self.tokens[at] &= !1,
            _ => {
                self.done(done, Command::None, None);
                return self.finish(done);
            }
        }
        self.tokens
    }

    /// A DONE that says more follows; `finish` corrects the last.
    pub fn done(&mut self, kind: Done, command: Command, count: Option<u64>) {
        let status = DONE_MORE | if count.is_some() { DONE_COUNT } else { 0 };
        self.write_done(kind, status, command, count.unwrap_or(0));
    }

    /// The DONE of a statement that failed.
    pub fn done_with_error(&mut self, kind: Done) {
        self.write_done(kind, DONE_MORE | DONE_ERROR, Command::None, 0);
    }

    /// The answer to an attention.
    pub fn attention() -> Vec<u8> {
        let mut response = Self::default();
        response.write_done(Done::Batch, DONE_ATTENTION, Command::None, 0);
        response.tokens
    }

    fn write_done(&mut self, kind: Done, status: u16, command: Command, count: u64) {
        self.tokens.push(kind as u8);
        self.last_done = Some(self.tokens.len());
        self.tokens.extend(status.to_le_bytes());
        self.tokens.extend((command as u16).to_le_bytes());
        self.tokens.extend(count.to_le_bytes());
    }

    /// An ERROR token.
    pub fn error(&mut self, error: &SqlError, procedure: &str) {
        self.message(0xAA, error.number, error.state, error.class, &error.message, procedure);
    }

    /// An INFO token.
    pub fn info(&mut self, number: i32, message: &str) {
        self.message(0xAB, number, 1, 0, message, "");
    }

    fn message(&mut self, token: u8, number: i32, state: u8, class: u8, text: &str, procedure: &str) {
        let mut body = number.to_le_bytes().to_vec();
        body.extend([state, class]);
        us_varchar(&mut body, text);
        b_varchar(&mut body, &self.server);
        b_varchar(&mut body, procedure);
        body.extend(1_u32.to_le_bytes());
        self.with_length(token, &body);
    }

    fn with_length(&mut self, token: u8, body: &[u8]) {
        self.tokens.push(token);
        self.tokens.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.tokens.extend_from_slice(body);
    }

    fn change_text(&mut self, what: u8, new: &str, old: &str) {
        let mut body = vec![what];
        b_varchar(&mut body, new);
        b_varchar(&mut body, old);
        self.with_length(0xE3, &body);
    }

    fn change_bytes(&mut self, what: u8, new: &[u8], old: &[u8]) {
        let mut body = vec![what];
        for bytes in [new, old] {
            body.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
            body.extend(bytes);
        }
        self.with_length(0xE3, &body);
    }

    /// The session is in another database now.
    pub fn database_changed(&mut self, new: &str, old: &str) {
        self.change_text(1, new, old);
        self.info(5701, &format!("Changed database context to '{new}'."));
    }

    /// The session's language.
    pub fn language_changed(&mut self) {
        self.change_text(2, "us_english", "");
        self.info(5703, "Changed language setting to us_english.");
    }

    /// The packet size that was settled.
    pub fn packet_size_changed(&mut self, new: usize, old: usize) {
        self.change_text(4, &new.to_string(), &old.to_string());
    }

    /// The server's collation.
    pub fn collation_changed(&mut self) {
        self.change_bytes(7, &COLLATION, &[]);
    }

    /// A transaction began; the client names it by this descriptor from now on.
    pub fn transaction_begun(&mut self, descriptor: u64) {
        self.change_bytes(8, &descriptor.to_le_bytes(), &[]);
    }

    /// The transaction was committed, or else rolled back.
    pub fn transaction_ended(&mut self, descriptor: u64, committed: bool) {
        self.change_bytes(if committed { 9 } else { 10 }, &[], &descriptor.to_le_bytes());
    }

    /// The session was reset.
    pub fn session_reset(&mut self) {
        self.change_bytes(18, &[], &[]);
    }

    /// LOGINACK: welcome, in this version of TDS.
    pub fn login_ack(&mut self, tds_version: u32, server_version: [u8; 4]) {
        let mut body = vec![1];
        body.extend(tds_version.to_be_bytes());
        b_varchar(&mut body, "Microsoft SQL Server");
        body.extend(server_version);
        self.with_length(0xAD, &body);
    }

    /// FEATUREEXTACK, for those of the asked features that we have: UTF-8 support, and no other.
    pub fn feature_ack(&mut self, asked: &[u8]) {
        const UTF8_SUPPORT: u8 = 0x0A;
        self.tokens.push(0xAE);
        if asked.contains(&UTF8_SUPPORT) {
            self.tokens.extend([UTF8_SUPPORT, 1, 0, 0, 0, 1]);
        }
        self.tokens.push(0xFF);
    }

    /// COLMETADATA: a result set begins.
    pub fn columns(&mut self, columns: &[ResultColumn]) {
        const NULLABLE: u16 = 1;
        self.tokens.push(0x81);
        self.tokens.extend(u16::try_from(columns.len()).unwrap_or(u16::MAX).to_le_bytes());
        for column in columns {
            self.tokens.extend(0_u32.to_le_bytes());
            self.tokens.extend(NULLABLE.to_le_bytes());
            typeinfo::write_type(&mut self.tokens, column.ty);
            b_varchar(&mut self.tokens, &column.name);
        }
    }

    /// ROW, or NBCROW where something is NULL, as the server itself chooses.
    pub fn row(&mut self, columns: &[ResultColumn], row: &[Value]) {
        if row.iter().any(Value::is_null) {
            self.tokens.push(0xD2);
            let mut bitmap = vec![0_u8; columns.len().div_ceil(8)];
            for (index, _) in row.iter().enumerate().filter(|(_, value)| value.is_null()) {
                bitmap[index / 8] |= 1 << (index % 8);
            }
            self.tokens.extend(bitmap);
        } else {
            self.tokens.push(0xD1);
        }
        for (column, value) in columns.iter().zip(row).filter(|(_, value)| !value.is_null()) {
            typeinfo::write_value(&mut self.tokens, column.ty, value);
        }
    }

    /// RETURNSTATUS: what a procedure returned.
    pub fn return_status(&mut self, status: i32) {
        self.tokens.push(0x79);
        self.tokens.extend(status.to_le_bytes());
    }

    /// RETURNVALUE: an output parameter, the `ordinal`th of the call.
    pub fn return_value(&mut self, ordinal: usize, name: &str, ty: Type, value: &Value) {
        self.tokens.push(0xAC);
        self.tokens.extend(u16::try_from(ordinal).unwrap_or(u16::MAX).to_le_bytes());
        b_varchar(&mut self.tokens, name);
        self.tokens.push(1);
        self.tokens.extend(0_u32.to_le_bytes());
        self.tokens.extend(1_u16.to_le_bytes());
        typeinfo::write_type(&mut self.tokens, ty);
        typeinfo::write_value(&mut self.tokens, ty, value);
    }
}

/// A string with its length in one byte; what does not fit is cut off.
pub fn b_varchar(out: &mut Vec<u8>, text: &str) {
    let bytes = to_utf16(text);
    let units = bytes.len() / 2;
    let kept = u8::try_from(units).unwrap_or(u8::MAX);
    out.push(kept);
    out.extend(&bytes[..2 * usize::from(kept)]);
}

/// A string with its length in two bytes; what does not fit a message token is cut off.
fn us_varchar(out: &mut Vec<u8>, text: &str) {
    let bytes = to_utf16(text);
    let kept = (bytes.len() / 2).min(4000);
    out.extend(u16::try_from(kept).unwrap_or(0).to_le_bytes());
    out.extend(&bytes[..2 * kept]);
}
