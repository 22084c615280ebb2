//! Runs batches and procedure calls, and writes what comes of them.

use jiff::Timestamp;

use super::bind::{Binder, Scope};
use super::environment::Environment;
use super::errors::{Result, SqlError};
use super::eval::Row;
use super::parse;
use super::query::Plan;
use super::session::{Session, Variables};
use super::state::{Database, SqlServer};
use super::syntax::{Expr, Query, SetOption, Statement};
use super::token::{Command, Done, Response};
use super::types::{Type, Value, cast};

/// One request being run.
#[derive(Debug)]
pub struct Execution<'a> {
    pub server: &'a mut SqlServer,
    pub session: &'a mut Session,
    pub now: Timestamp,
    pub hidden_catalog: bool,
    pub out: Response,
    pub variables: Variables,
    /// Which DONE each statement ends with.
    pub done: Done,
    /// How many procedures deep we are.
    pub depth: usize,
}

/// Whether the batch goes on after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    GoOn,
    GiveUp,
}

impl<'a> Execution<'a> {
    pub fn new(
        server: &'a mut SqlServer,
        session: &'a mut Session,
        now: Timestamp,
        hidden_catalog: bool,
    ) -> Self {
        let out = Response::new(&server.name);
        Self {
            server,
            session,
            now,
            hidden_catalog,
            out,
            variables: Variables::default(),
            done: Done::Batch,
            depth: 0,
        }
    }

    /// Runs a batch that came as text; the response.
    pub fn batch(mut self, sql: &str) -> Vec<u8> {
        self.run_sql(sql);
        self.out.finish(Done::Batch)
    }

    /// Runs a request of the transaction manager; the response.
    pub fn transaction(mut self, kind: u16) -> Vec<u8> {
        const BEGIN: u16 = 5;
        const COMMIT: u16 = 7;
        const ROLLBACK: u16 = 8;
        const SAVE: u16 = 9;
        let done = match kind {
            BEGIN => {
                self.session.begin(&mut self.out);
                Ok(())
            }
            COMMIT => self.session.commit(&mut self.out),
            ROLLBACK => self.session.rollback(self.server, &mut self.out),
            SAVE => Err(SqlError::new(628, "Savepoints are not supported by this server.")),
            _ => Err(SqlError::new(8501, "Distributed transactions are not supported by this server.")),
        };
        if let Err(error) = done {
            self.fail(&error);
        }
        self.out.finish(Done::Batch)
    }

    /// Parses and runs statements; nothing is run where one does not parse.
    pub fn run_sql(&mut self, sql: &str) -> Flow {
        match parse::batch(sql) {
            Ok(statements) => self.run_all(&statements),
            Err(error) => {
                self.fail(&error);
                Flow::GiveUp
            }
        }
    }

    fn run_all(&mut self, statements: &[Statement]) -> Flow {
        for statement in statements {
            if self.run(statement) == Flow::GiveUp {
                return Flow::GiveUp;
            }
        }
        Flow::GoOn
    }

    fn run(&mut self, statement: &Statement) -> Flow {
        let outcome = match statement {
            Statement::Block(statements) => return self.run_all(statements),
            Statement::If { condition, then, otherwise } => match self.truth(condition) {
                Ok(true) => return self.run(then),
                Ok(false) => return otherwise.as_ref().map_or(Flow::GoOn, |otherwise| self.run(otherwise)),
                Err(error) => Err(error),
            },
            Statement::Select(query) => self.select(query),
            Statement::Assign { targets, query } => self.assign(targets, query),
            Statement::Declare(variables) => self.declare(variables),
            Statement::SetVariable(name, expr) => self.set_variable(name, expr),
            Statement::SetOption(option) => {
                self.set_option(*option);
                Ok(())
            }
            Statement::Use(database) => self.use_database(database),
            Statement::Execute(call) => self.execute_statement(call),
            Statement::Print(expr) => self.print(expr),
            Statement::Begin => {
                self.session.begin(&mut self.out);
                Ok(())
            }
            Statement::Commit => self.session.commit(&mut self.out),
            Statement::Rollback => self.session.rollback(self.server, &mut self.out),
            Statement::Definition(definition) => self.define(definition),
        };
        match outcome {
            Ok(()) => {
                self.session.last_error = 0;
                Flow::GoOn
            }
            Err(error) => {
                self.fail(&error);
                if error.ends_batch() { Flow::GiveUp } else { Flow::GoOn }
            }
        }
    }

    /// Tells the client about an error.
    pub fn fail(&mut self, error: &SqlError) {
        self.session.last_error = error.number;
        self.out.error(error, "");
        if error.number == 300 {
            let message = "The user does not have permission to perform this action.";
            self.out.error(&SqlError::new(297, message), "");
        }
        self.out.done_with_error(self.done);
    }

    /// What expressions see.
    pub fn environment(&self) -> Environment<'_> {
        Environment {
            server: self.server,
            session: self.session,
            variables: &self.variables,
            now: self.now,
            hidden_catalog: self.hidden_catalog,
        }
    }

    /// A value without a row, in the type of the expression.
    pub fn value(&self, expr: &Expr) -> Result<(Value, Type)> {
        let environment = self.environment();
        let scope = Scope { columns: &[], outer: None };
        let (bound, ty) = Binder { environment: &environment, scope, grouping: None }.value(expr)?;
        Ok((bound.value(&environment, &Row { values: &[], outer: None })?, ty))
    }

    fn truth(&self, expr: &Expr) -> Result<bool> {
        let environment = self.environment();
        let scope = Scope { columns: &[], outer: None };
        let bound = Binder { environment: &environment, scope, grouping: None }.condition(expr)?;
        Ok(bound.truth(&environment, &Row { values: &[], outer: None })? == Some(true))
    }

    fn select(&mut self, query: &Query) -> Result<()> {
        if query.branches.iter().any(|select| !select.from.is_empty()) {
            self.session.begin_implicitly(&mut self.out);
        }
        let environment = self.environment();
        let plan = Plan::new(&environment, query, None)?;
        let rows = plan.run(&environment, None)?;
        self.out.columns(&plan.columns);
        for row in &rows {
            self.out.row(&plan.columns, row);
        }
        self.counted(Command::Select, rows.len());
        Ok(())
    }

    /// Ends a statement that counts rows.
    pub fn counted(&mut self, command: Command, count: usize) {
        self.session.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        let told = (!self.session.no_count).then_some(count as u64);
        self.out.done(self.done, command, told);
    }

    /// `SELECT @a = …`: the last row's values stay; without a row, nothing is assigned.
    fn assign(&mut self, targets: &[(String, Expr)], query: &Query) -> Result<()> {
        let environment = self.environment();
        let plan = Plan::new(&environment, query, None)?;
        let rows = plan.run(&environment, None)?;
        let count = rows.len();
        if let Some(row) = rows.into_iter().last() {
            for (((name, _), column), value) in targets.iter().zip(&plan.columns).zip(row) {
                self.store(name, value, column.ty)?;
            }
        }
        self.session.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Puts a value into a variable, converted to its type.
    pub fn store(&mut self, name: &str, value: Value, from: Type) -> Result<()> {
        let (ty, _) = *self.variables.get(name)?;
        let value = cast(value, from, ty)?;
        self.variables.declare(name, ty, value);
        Ok(())
    }

    fn declare(&mut self, variables: &[(String, Type, Option<Expr>)]) -> Result<()> {
        for (name, ty, value) in variables {
            if self.variables.is_declared(name) {
                let message = format!(
                    "The variable name '{name}' has already been declared. Variable names must be unique within a query batch or stored procedure."
                );
                return Err(SqlError::new(134, message).class(15));
            }
            self.variables.declare(name, *ty, Value::Null);
            if let Some(value) = value {
                self.set_variable(name, value)?;
            }
        }
        Ok(())
    }

    fn set_variable(&mut self, name: &str, expr: &Expr) -> Result<()> {
        let (value, from) = self.value(expr)?;
        self.store(name, value, from)
    }

    fn set_option(&mut self, option: SetOption) {
        match option {
            SetOption::NoCount(on) => self.session.no_count = on,
            SetOption::ImplicitTransactions(on) => self.session.implicit_transactions = on,
            SetOption::Accepted => {}
        }
    }

    fn use_database(&mut self, name: &str) -> Result<()> {
        let new = self.environment().open(name)?.name.clone();
        let old = std::mem::replace(&mut self.session.database, new.clone());
        self.out.database_changed(&new, &old);
        Ok(())
    }

    fn print(&mut self, expr: &Expr) -> Result<()> {
        let (value, _) = self.value(expr)?;
        self.out.info(0, &value.display().unwrap_or_default());
        Ok(())
    }

    /// A database of this server, about to be changed within the open transaction, if there is one.
    pub fn change(&mut self, name: &str) -> Result<&mut Database> {
        self.session.begin_implicitly(&mut self.out);
        let database = self
            .server
            .databases
            .iter_mut()
            .find(|database| database.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| SqlError::new(15247, "User does not have permission to perform this action."))?;
        self.session.about_to_change(database);
        Ok(database)
    }
}
