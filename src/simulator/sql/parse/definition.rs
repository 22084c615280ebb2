//! Always Encrypted's CREATE, ALTER and DROP.

use super::super::errors::{Result, SqlError};
use super::super::lex::Token;
use super::super::syntax::{Definition, WrappedKey};
use super::Parser;

impl Parser {
    pub(super) fn definition(&mut self) -> Result<Definition> {
        if self.eat_all(&["CREATE", "COLUMN", "MASTER", "KEY"]) {
            return self.create_master_key();
        }
        if self.eat_all(&["DROP", "COLUMN", "MASTER", "KEY"]) {
            return self.identifier().map(Definition::DropMasterKey);
        }
        if self.eat_all(&["CREATE", "COLUMN", "ENCRYPTION", "KEY"]) {
            return self.create_column_key();
        }
        if self.eat_all(&["ALTER", "COLUMN", "ENCRYPTION", "KEY"]) {
            return self.alter_column_key();
        }
        if self.eat_all(&["DROP", "COLUMN", "ENCRYPTION", "KEY"]) {
            return self.identifier().map(Definition::DropColumnKey);
        }
        // CREATE, ALTER or DROP of something that cannot be had here.
        self.at += 1;
        Err(self.unexpected())
    }

    fn create_master_key(&mut self) -> Result<Definition> {
        let name = self.identifier()?;
        self.expect("WITH")?;
        self.expect_sign("(")?;
        self.setting("KEY_STORE_PROVIDER_NAME")?;
        let provider = self.text()?;
        self.expect_sign(",")?;
        self.setting("KEY_PATH")?;
        let path = self.text()?;
        let mut enclave = false;
        if self.eat_sign(",") {
            self.expect("ENCLAVE_COMPUTATIONS")?;
            self.expect_sign("(")?;
            self.setting("SIGNATURE")?;
            self.bytes()?;
            self.expect_sign(")")?;
            enclave = true;
        }
        self.expect_sign(")")?;
        Ok(Definition::CreateMasterKey { name, provider, path, enclave })
    }

    fn create_column_key(&mut self) -> Result<Definition> {
        let name = self.identifier()?;
        self.expect("WITH")?;
        self.expect("VALUES")?;
        let mut values = vec![self.wrapped_key()?];
        while self.eat_sign(",") {
            values.push(self.wrapped_key()?);
        }
        Ok(Definition::CreateColumnKey { name, values })
    }

    fn alter_column_key(&mut self) -> Result<Definition> {
        let name = self.identifier()?;
        if self.eat_all(&["ADD", "VALUE"]) {
            return Ok(Definition::AddValue { name, value: self.wrapped_key()? });
        }
        self.expect("DROP")?;
        self.expect("VALUE")?;
        self.expect_sign("(")?;
        self.setting("COLUMN_MASTER_KEY")?;
        let master_key = self.identifier()?;
        self.expect_sign(")")?;
        Ok(Definition::DropValue { name, master_key })
    }

    /// `(COLUMN_MASTER_KEY = [n], ALGORITHM = 'RSA_OAEP', ENCRYPTED_VALUE = 0x…)`.
    fn wrapped_key(&mut self) -> Result<WrappedKey> {
        self.expect_sign("(")?;
        self.setting("COLUMN_MASTER_KEY")?;
        let master_key = self.identifier()?;
        self.expect_sign(",")?;
        self.setting("ALGORITHM")?;
        let algorithm = self.text()?;
        self.expect_sign(",")?;
        self.setting("ENCRYPTED_VALUE")?;
        let encrypted_value = self.bytes()?;
        self.expect_sign(")")?;
        Ok(WrappedKey { master_key, algorithm, encrypted_value })
    }

    fn setting(&mut self, name: &str) -> Result<()> {
        self.expect(name)?;
        self.expect_sign("=")
    }

    fn text(&mut self) -> Result<String> {
        match self.peek().clone() {
            Token::Text { text, .. } => {
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.peek().clone() {
            Token::Hex(bytes) if bytes.len() > 8000 => {
                let message = "The encrypted value is longer than 8000 bytes.";
                Err(SqlError::new(103, message).class(15))
            }
            Token::Hex(bytes) => {
                self.at += 1;
                Ok(bytes)
            }
            _ => Err(self.unexpected()),
        }
    }
}
