//! RPC requests: a procedure by name or number, and its typed parameters.

use super::reader::{Malformed, Reader};
use super::typeinfo::read_parameter;
use super::types::{Type, Value};

/// A procedure call as a client sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub procedure: String,
    pub parameters: Vec<Parameter>,
}

/// One parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// With its `@`; empty where it is told by its place.
    pub name: String,
    pub output: bool,
    /// The procedure's own default is asked for.
    pub default: bool,
    pub ty: Type,
    pub value: Value,
}

/// The procedures that have a number, by it.
const NUMBERED: [&str; 16] = [
    "",
    "sp_cursor",
    "sp_cursoropen",
    "sp_cursorprepare",
    "sp_cursorexecute",
    "sp_cursorprepexec",
    "sp_cursorunprepare",
    "sp_cursorfetch",
    "sp_cursoroption",
    "sp_cursorclose",
    "sp_executesql",
    "sp_prepare",
    "sp_execute",
    "sp_prepexec",
    "sp_prepexecrpc",
    "sp_unprepare",
];

/// Reads every call of an RPC request.
pub fn read(body: &[u8]) -> Result<Vec<Call>, Malformed> {
    let mut reader = Reader::new(body);
    reader.skip_all_headers()?;
    let mut calls = Vec::new();
    while !reader.is_empty() {
        calls.push(read_call(&mut reader)?);
    }
    Ok(calls)
}

fn read_call(reader: &mut Reader) -> Result<Call, Malformed> {
    let procedure = if reader.clone().u16()? == u16::MAX {
        reader.u16()?;
        let number = usize::from(reader.u16()?);
        NUMBERED.get(number).filter(|_| number > 0).ok_or(Malformed("unknown procedure number"))?.to_string()
    } else {
        reader.us_varchar()?
    };
    let _options = reader.u16()?;
    let mut parameters = Vec::new();
    while let Some(first) = reader.rest().first() {
        // 0xFF (0x80 before TDS 7.2) parts the calls of one request, 0xFE those that are not to be run.
        if matches!(first, 0xFE | 0xFF) {
            reader.u8()?;
            break;
        }
        parameters.push(read_one(reader)?);
    }
    Ok(Call { procedure, parameters })
}

fn read_one(reader: &mut Reader) -> Result<Parameter, Malformed> {
    let name = reader.b_varchar()?;
    let status = reader.u8()?;
    let (ty, value) = read_parameter(reader)?;
    Ok(Parameter { name, output: status & 1 != 0, default: status & 2 != 0, ty, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_requests_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = 4_u32.to_le_bytes().to_vec();
            body.extend(&bytes);
            let _ = read(&body);
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_call_by_number_with_a_typed_null() {
        let body = [
            4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0, // sp_executesql
            2, b'@', 0, b'x', 0, 1, 0x26, 4, 0, // @x int output, NULL
        ];
        let calls = read(&body).unwrap();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].procedure, "sp_executesql");
        assert_eq!(
            calls[0].parameters,
            [Parameter {
                name: "@x".into(),
                output: true,
                default: false,
                ty: Type::Int,
                value: Value::Null
            }]
        );
    }
}
