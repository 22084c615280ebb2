use proptest::prelude::*;

use super::*;
use crate::simulator::sql::syntax::{Definition, Expr, Statement, WrappedKey};
use crate::simulator::sql::types::Value;

fn number(sql: &str) -> i32 {
    batch(sql).unwrap_err().number
}

#[test]
fn statements_need_no_semicolons() {
    let statements =
        batch("SET NOCOUNT ON DECLARE @rc int EXEC @rc = dbo.P @P1, 'b', @C = 3 OUTPUT; SELECT @rc").unwrap();
    assert_eq!(statements.len(), 4);
    let Statement::Execute(call) = &statements[2] else { panic!("no EXEC") };
    assert_eq!(call.status.as_deref(), Some("@rc"));
    assert_eq!(call.procedure, Name(vec!["dbo".into(), "P".into()]));
    assert_eq!(call.arguments[0].value, Some(Expr::Variable("@P1".into())));
    assert!(call.arguments[2].output && call.arguments[2].name.as_deref() == Some("@C"));
}

#[test]
fn what_we_do_not_know_is_a_syntax_error() {
    assert_eq!(number("UPDATE t SET a = 1"), 156);
    assert_eq!(number("SELECT FROM x"), 156);
    assert_eq!(number("SELECT 1 2"), 102);
    assert_eq!(number("CREATE TABLE t (a int)"), 156);
    assert_eq!(number("FROBNICATE THE KEYS"), 102);
    assert_eq!(number("DECLARE @x hierarchyid"), 2715);
    assert_eq!(number("SET FROB ON"), 195);
    assert_eq!(number(&format!("SELECT {}", "(".repeat(5000))), 191);
    assert_eq!(number(&format!("SELECT 1{}", "+1".repeat(100_000))), 191);
}

#[test]
fn always_encrypted_definitions_are_read() {
    let sql = "ALTER COLUMN ENCRYPTION KEY [c]]x] ADD VALUE (COLUMN_MASTER_KEY = [n], ALGORITHM = 'RSA_OAEP', ENCRYPTED_VALUE = 0x0aFF)";
    let value = WrappedKey {
        master_key: "n".into(),
        algorithm: "RSA_OAEP".into(),
        encrypted_value: vec![0x0A, 0xFF],
    };
    assert_eq!(
        batch(sql),
        Ok(vec![Statement::Definition(Definition::AddValue { name: "c]x".into(), value })])
    );
}

#[test]
fn a_literal_without_n_goes_through_the_code_page() {
    let statements = batch("PRINT 'ключ'").unwrap();
    let Statement::Print(Expr::Literal(Value::Text(text), _)) = &statements[0] else { panic!("no PRINT") };
    assert_eq!(text, "????");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(sql in ".{0,300}") {
        let _ = batch(&sql);
        let _ = parameters(&sql);
        let _ = name(&sql);
    }

    #[test]
    fn arbitrary_words_never_panic(
        words in proptest::collection::vec(
            prop_oneof![
                Just("SELECT"), Just("FROM"), Just("("), Just(")"), Just(","), Just("@a"), Just("="), Just("CASE"),
                Just("WHEN"), Just("THEN"), Just("END"), Just("IN"), Just("NOT"), Just("x"), Just("."), Just("1"),
                Just("EXEC"), Just("BEGIN"), Just("IF"), Just("ELSE"), Just("TOP"), Just("*"), Just(";"), Just("N'a'"),
                Just("JOIN"), Just("ON"), Just("-"), Just("AND"), Just("DECLARE"), Just("int"), Just("UNION"), Just("ALL"),
            ],
            0..40,
        )
    ) {
        let _ = batch(&words.join(" "));
    }
}
