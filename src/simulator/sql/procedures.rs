//! Procedure calls, whether they come as RPC or by EXEC: the system's own few, and the audit procedure.

use super::catalog::{self, AUDIT_PARAMETERS, AUDIT_PROCEDURE};
use super::errors::{Result, SqlError};
use super::execute::Execution;
use super::parse;
use super::rpc::{Call, Parameter};
use super::session::{Prepared, Variables};
use super::state::AuditRow;
use super::syntax::{Execute, Expr, Name};
use super::token::{Command, Done};
use super::types::{Type, Value, cast};

/// What a procedure gives back.
#[derive(Debug, Default)]
struct Outcome {
    status: i32,
    /// Output parameters: their place in the call, type and value.
    outputs: Vec<(usize, Type, Value)>,
}

/// How deep procedures may call each other, as on the server.
const DEEPEST: usize = 32;

impl Execution<'_> {
    /// Runs the calls of an RPC request; the response.
    pub fn calls(mut self, calls: &[Call]) -> Vec<u8> {
        self.done = Done::InProcedure;
        for call in calls {
            let name = parse::name(&call.procedure).unwrap_or_else(|| Name(vec![call.procedure.clone()]));
            match self.procedure(&name, &call.parameters) {
                Ok(outcome) => {
                    self.out.return_status(outcome.status);
                    for (place, ty, value) in outcome.outputs {
                        self.out.return_value(place, &call.parameters[place].name, ty, &value);
                    }
                    self.out.done(Done::Procedure, Command::Execute, None);
                }
                Err(error) => {
                    self.done = Done::Procedure;
                    self.fail(&error);
                    self.done = Done::InProcedure;
                }
            }
        }
        self.out.finish(Done::Procedure)
    }

    /// `EXEC` in a batch.
    pub fn execute_statement(&mut self, call: &Execute) -> Result<()> {
        let mut parameters = Vec::new();
        for argument in &call.arguments {
            let (value, ty) = match &argument.value {
                Some(expr) => self.value(expr)?,
                None => (Value::Null, Type::Int),
            };
            parameters.push(Parameter {
                name: argument.name.clone().unwrap_or_default(),
                output: argument.output,
                default: argument.value.is_none(),
                ty,
                value,
            });
        }
        let done = std::mem::replace(&mut self.done, Done::InProcedure);
        let outcome = self.procedure(&call.procedure, &parameters);
        self.done = done;
        let outcome = outcome?;
        for (place, ty, value) in outcome.outputs {
            if let Some(Expr::Variable(variable)) = &call.arguments[place].value {
                self.store(variable, value, ty)?;
            }
        }
        if let Some(status) = &call.status {
            self.store(status, outcome.status.into(), Type::Int)?;
        }
        if done == Done::Batch {
            self.out.return_status(outcome.status);
            self.out.done(Done::Procedure, Command::Execute, None);
        }
        Ok(())
    }

    fn procedure(&mut self, name: &Name, parameters: &[Parameter]) -> Result<Outcome> {
        if self.depth == DEEPEST {
            let message =
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
            return Err(SqlError::new(217, message));
        }
        self.depth += 1;
        let outcome = self.dispatch(name, parameters);
        self.depth -= 1;
        outcome
    }

    fn dispatch(&mut self, name: &Name, parameters: &[Parameter]) -> Result<Outcome> {
        let system = name.schema().is_none_or(|schema| schema.eq_ignore_ascii_case("sys"));
        match name.object().to_lowercase().as_str() {
            "sp_executesql" if system => self.execute_sql(parameters),
            "sp_prepare" if system => self.prepare(parameters),
            "sp_prepexec" if system => self.prepare_and_execute(parameters),
            "sp_execute" if system => self.execute_prepared(parameters),
            "sp_unprepare" if system => {
                let handle = handle(parameters.first())?;
                self.session.prepared.remove(&handle).ok_or_else(|| no_such_handle(handle))?;
                Ok(Outcome::default())
            }
            "sp_reset_connection" if system => {
                self.session.reset(self.server);
                Ok(Outcome::default())
            }
            _ => self.user_procedure(name, parameters),
        }
    }

    fn execute_sql(&mut self, parameters: &[Parameter]) -> Result<Outcome> {
        let sql = text(parameters.first(), "@statement")?;
        let declarations = match parameters.get(1) {
            Some(declared) => parse::parameters(&text(Some(declared), "@parameters")?)?,
            None => Vec::new(),
        };
        self.run_prepared(&Prepared { declarations, sql }, parameters, 2)
    }

    fn prepare(&mut self, parameters: &[Parameter]) -> Result<Outcome> {
        let prepared = prepared(parameters)?;
        parse::batch(&prepared.sql)?;
        let handle = self.session.prepare(prepared);
        Ok(Outcome { status: 0, outputs: vec![(0, Type::Int, handle.into())] })
    }

    fn prepare_and_execute(&mut self, parameters: &[Parameter]) -> Result<Outcome> {
        let prepared = prepared(parameters)?;
        parse::batch(&prepared.sql)?;
        let handle = self.session.prepare(prepared.clone());
        let mut outcome = self.run_prepared(&prepared, parameters, 3)?;
        outcome.outputs.insert(0, (0, Type::Int, handle.into()));
        Ok(outcome)
    }

    fn execute_prepared(&mut self, parameters: &[Parameter]) -> Result<Outcome> {
        let handle = handle(parameters.first())?;
        let prepared = self.session.prepared.get(&handle).cloned().ok_or_else(|| no_such_handle(handle))?;
        self.run_prepared(&prepared, parameters, 1)
    }

    /// Runs a statement with the parameters from `first` on, by name or by place.
    fn run_prepared(
        &mut self,
        prepared: &Prepared,
        parameters: &[Parameter],
        first: usize,
    ) -> Result<Outcome> {
        let given = parameters.get(first..).unwrap_or_default();
        let placed = place(given, &prepared.declarations)?;
        let mut variables = Variables::default();
        for ((name, ty, _), given) in prepared.declarations.iter().zip(&placed) {
            let given = given.ok_or_else(|| {
                let message = format!(
                    "The parameterized query expects the parameter '{name}', which was not supplied."
                );
                SqlError::new(8178, message)
            })?;
            variables.declare(name, *ty, cast(given.1.value.clone(), given.1.ty, *ty)?);
        }
        let caller = std::mem::replace(&mut self.variables, variables);
        self.run_sql(&prepared.sql);
        let variables = std::mem::replace(&mut self.variables, caller);
        let mut outputs = Vec::new();
        for ((name, ..), given) in prepared.declarations.iter().zip(&placed) {
            if let Some((index, Parameter { output: true, .. })) = given {
                let (ty, value) = variables.get(name)?;
                outputs.push((first + index, *ty, value.clone()));
            }
        }
        outputs.sort_by_key(|(place, ..)| *place);
        Ok(Outcome { status: self.session.last_error, outputs })
    }

    fn user_procedure(&mut self, name: &Name, parameters: &[Parameter]) -> Result<Outcome> {
        let found = {
            let environment = self.environment();
            let database = catalog::database_of(&environment, name).map_err(|error| match error.number {
                208 => SqlError::unknown_procedure(&name.to_string()),
                _ => error,
            })?;
            let ours = name.object().eq_ignore_ascii_case(AUDIT_PROCEDURE)
                && name.schema().is_none_or(|schema| schema.eq_ignore_ascii_case("dbo"));
            (ours && database.audit_procedure).then(|| database.name.clone())
        };
        let database = found.ok_or_else(|| SqlError::unknown_procedure(&name.to_string()))?;
        self.log_emergency_key_revocation(&database, parameters)
    }

    /// Appends a row to the audit table; `@Outcome` is the number of rows written, the return code 0.
    fn log_emergency_key_revocation(&mut self, database: &str, parameters: &[Parameter]) -> Result<Outcome> {
        let declared: Vec<_> = AUDIT_PARAMETERS
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), *ty, *name == "@Outcome"))
            .collect();
        let placed = place(parameters, &declared)?;
        let mut values = Vec::new();
        for (index, ((name, ty, output), given)) in declared.iter().zip(&placed).enumerate() {
            values.push(match given {
                Some((_, given)) if given.output && !output => {
                    let message = format!("The formal parameter \"{name}\" was not declared as an OUTPUT parameter, but the actual parameter passed in requested output.");
                    return Err(SqlError::new(8162, message).state(2));
                }
                Some((_, given)) if !given.default => cast(given.value.clone(), given.ty, *ty)?,
                _ if index < 3 => {
                    let message = format!("Procedure or function '{AUDIT_PROCEDURE}' expects parameter '{name}', which was not supplied.");
                    return Err(SqlError::new(201, message).state(4));
                }
                _ if name == "@Operation" => "REVOKE".into(),
                _ => Value::Null,
            });
        }
        let mut texts = Vec::new();
        for ((name, _, _), value) in declared.iter().zip(&values).take(4) {
            texts.push(value.display().ok_or_else(|| {
                let column = name.trim_start_matches('@');
                SqlError::new(515, format!("Cannot insert the value NULL into column '{column}', table '{database}.dbo.{}'; column does not allow nulls. INSERT fails.", catalog::AUDIT_TABLE)).state(2)
            })?);
        }
        let [cek_name, reason, correlation_id, operation] = <[String; 4]>::try_from(texts)
            .map_err(|_| SqlError::new(8144, "The audit procedure was called with too few parameters."))?;
        let (at, login) = (self.now, self.session.user.clone());
        let row = AuditRow { at, login, cek_name, operation, reason, correlation_id };
        self.change(database)?.audit_rows.push(row);
        self.counted(Command::Insert, 1);
        self.session.last_error = 0;
        let outputs = match placed.last() {
            Some(Some((place, Parameter { output: true, .. }))) => vec![(*place, Type::Int, 1.into())],
            _ => Vec::new(),
        };
        Ok(Outcome { status: 0, outputs })
    }
}

type Placed<'a> = Vec<Option<(usize, &'a Parameter)>>;

/// Which given parameter is meant for each declared one: by name, else by place.
fn place<'a>(given: &'a [Parameter], declared: &[(String, Type, bool)]) -> Result<Placed<'a>> {
    let mut placed: Placed = vec![None; declared.len()];
    for (index, parameter) in given.iter().enumerate() {
        let slot = if parameter.name.is_empty() {
            Some(index)
        } else {
            declared.iter().position(|(name, ..)| name.eq_ignore_ascii_case(&parameter.name))
        };
        match slot.and_then(|slot| placed.get_mut(slot)) {
            Some(slot) => *slot = Some((index, parameter)),
            None if parameter.name.is_empty() => {
                return Err(
                    SqlError::new(8144, "Procedure or function has too many arguments specified.").state(2)
                );
            }
            None => {
                let message = format!("{} is not a parameter for the procedure.", parameter.name);
                return Err(SqlError::new(8145, message).state(2));
            }
        }
    }
    Ok(placed)
}

/// The arguments of `sp_prepare` and `sp_prepexec`: a handle for output, declarations, the statement.
fn prepared(parameters: &[Parameter]) -> Result<Prepared> {
    let declarations = match parameters.get(1).and_then(|declared| declared.value.display()) {
        Some(declared) => parse::parameters(&declared)?,
        None => Vec::new(),
    };
    Ok(Prepared { declarations, sql: text(parameters.get(2), "@stmt")? })
}

fn text(parameter: Option<&Parameter>, name: &str) -> Result<String> {
    match parameter.map(|parameter| &parameter.value) {
        Some(Value::Text(text)) => Ok(text.clone()),
        Some(Value::Null) => Ok(String::new()),
        _ => {
            let message = format!("Procedure expects parameter '{name}' of type 'ntext/nchar/nvarchar'.");
            Err(SqlError::new(214, message).state(2))
        }
    }
}

fn handle(parameter: Option<&Parameter>) -> Result<i32> {
    match parameter.map(|parameter| &parameter.value) {
        Some(Value::Int(handle)) => i32::try_from(*handle).map_err(|_| no_such_handle(0)),
        _ => Err(SqlError::new(214, "Procedure expects parameter '@handle' of type 'int'.").state(2)),
    }
}

fn no_such_handle(handle: i32) -> SqlError {
    SqlError::new(8179, format!("Could not find prepared statement with handle {handle}."))
}
