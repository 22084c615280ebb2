//! The server's own errors, by number, as `sys.messages` words them.

/// One error of the database engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub number: i32,
    pub state: u8,
    /// The severity, 11 to 25.
    pub class: u8,
    pub message: String,
}

/// The result of running SQL.
pub type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error of severity 16, state 1, as most are.
    pub fn new(number: i32, message: impl Into<String>) -> Self {
        Self { number, state: 1, class: 16, message: message.into() }
    }

    /// The same error with another severity.
    #[must_use]
    pub fn class(self, class: u8) -> Self {
        Self { class, ..self }
    }

    /// The same error with another state.
    #[must_use]
    pub fn state(self, state: u8) -> Self {
        Self { state, ..self }
    }

    pub fn syntax(near: &str) -> Self {
        Self::new(102, format!("Incorrect syntax near '{near}'.")).class(15)
    }

    pub fn invalid_column(name: &str) -> Self {
        Self::new(207, format!("Invalid column name '{name}'."))
    }

    pub fn invalid_object(name: &str) -> Self {
        Self::new(208, format!("Invalid object name '{name}'."))
    }

    pub fn unknown_procedure(name: &str) -> Self {
        Self::new(2812, format!("Could not find stored procedure '{name}'.")).state(62)
    }

    pub fn undeclared(variable: &str) -> Self {
        Self::new(137, format!("Must declare the scalar variable \"{variable}\".")).class(15).state(2)
    }

    pub fn unknown_type(name: &str) -> Self {
        Self::new(2715, format!("Column, parameter, or variable #1: Cannot find data type {name}.")).state(3)
    }

    pub fn unknown_function(name: &str) -> Self {
        Self::new(195, format!("'{name}' is not a recognized built-in function name.")).class(15).state(10)
    }

    pub fn argument_count(name: &str, wanted: usize) -> Self {
        Self::new(174, format!("The {name} function requires {wanted} argument(s).")).class(15)
    }

    /// `kind` is e.g. `column master key`, `action` e.g. `drop`.
    pub fn missing_or_forbidden(action: &str, kind: &str, name: &str) -> Self {
        Self::new(
            15151,
            format!(
                "Cannot {action} the {kind} '{name}', because it does not exist or you do not have permission."
            ),
        )
    }

    /// Whether the rest of the batch is given up, too; statement errors let it go on.
    pub fn ends_batch(&self) -> bool {
        !matches!(
            self.number,
            229 | 297 | 300 | 911 | 916 | 927 | 942 | 2812 | 3902 | 3903 | 8114 | 8144 | 8145 | 15151 | 15247
        )
    }
}
