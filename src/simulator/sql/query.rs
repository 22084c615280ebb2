//! Runs SELECT: sources joined, filtered, grouped, projected, ordered.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::bind::{Binder, Bound, BoundAggregate, Grouping, Scope, ScopeColumn};
use super::catalog;
use super::environment::Environment;
use super::errors::{Result, SqlError};
use super::eval::Row;
use super::syntax::{Aggregate, Comparison, Expr, Item, Join, Query, Select};
use super::token::ResultColumn;
use super::types::{Type, Value, cast, compare, fold};

/// A query, ready to run.
#[derive(Debug)]
pub struct Plan {
    pub columns: Vec<ResultColumn>,
    branches: Vec<Branch>,
    order: Vec<(Key, bool)>,
}

/// What an ORDER BY term sorts by.
#[derive(Debug)]
enum Key {
    /// A column of the result.
    Result(usize),
    /// An expression over the source, only where there is one branch.
    Source(Bound),
}

/// One SELECT of the query.
#[derive(Debug)]
struct Branch {
    sources: Vec<BoundSource>,
    filter: Option<Bound>,
    grouping: Option<(Vec<Bound>, Vec<BoundAggregate>)>,
    having: Option<Bound>,
    items: Vec<(Bound, Type)>,
    distinct: bool,
    top: Option<usize>,
}

#[derive(Debug)]
struct BoundSource {
    rows: Vec<Vec<Value>>,
    width: usize,
    join: Join,
    on: Option<Bound>,
    /// Columns that must be equal, of the rows so far and of this source: what a hash join needs.
    equal: Option<(usize, usize)>,
}

impl Plan {
    /// Binds a query.
    ///
    /// # Errors
    /// 207, 208, 209, 4104 and the like: all that can be known without looking at a row.
    pub fn new(environment: &Environment, query: &Query, outer: Option<&Scope>) -> Result<Self> {
        let single = query.branches.len() == 1;
        let mut branches = Vec::new();
        let mut order = Vec::new();
        let mut columns: Vec<ResultColumn> = Vec::new();
        for select in &query.branches {
            let keys = if single { &query.order_by[..] } else { &[] };
            let (branch, names, sort) = Branch::new(environment, select, outer, keys)?;
            if columns.is_empty() {
                columns = names;
            } else if columns.len() == names.len() {
                for (column, name) in columns.iter_mut().zip(&names) {
                    column.ty = column.ty.common(name.ty);
                }
            } else {
                return Err(SqlError::new(
                    205,
                    "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
                ));
            }
            branches.push(branch);
            order.extend(sort);
        }
        if !single {
            for (key, descending) in &query.order_by {
                let index = result_column(key, &columns)?.ok_or_else(|| SqlError::new(104, "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator."))?;
                order.push((Key::Result(index), *descending));
            }
        }
        Ok(Self { columns, branches, order })
    }

    /// The rows of the result.
    pub fn run(&self, environment: &Environment, outer: Option<&Row>) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        for branch in &self.branches {
            let types: Vec<Type> = self.columns.iter().map(|column| column.ty).collect();
            rows.extend(branch.run(environment, outer, &types, &self.order)?);
        }
        if !self.order.is_empty() {
            let mut failed = None;
            rows.sort_by(|(_, a), (_, b)| {
                self.ordering(a, b).unwrap_or_else(|error| {
                    failed = Some(error);
                    Ordering::Equal
                })
            });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        if let [branch] = &self.branches[..] {
            rows.truncate(branch.top.unwrap_or(usize::MAX));
        }
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    /// NULL comes first.
    fn ordering(&self, a: &[Value], b: &[Value]) -> Result<Ordering> {
        for ((_, descending), (a, b)) in self.order.iter().zip(a.iter().zip(b)) {
            let ordering = compare(a, b)?.unwrap_or_else(|| b.is_null().cmp(&a.is_null()));
            if ordering.is_ne() {
                return Ok(if *descending { ordering.reverse() } else { ordering });
            }
        }
        Ok(Ordering::Equal)
    }
}

/// The result column that an ORDER BY term names, by its alias or its number.
fn result_column(key: &Expr, columns: &[ResultColumn]) -> Result<Option<usize>> {
    match key {
        Expr::Literal(Value::Int(number), _) => {
            let index = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            index.filter(|index| *index < columns.len()).map(Some).ok_or_else(|| {
                SqlError::new(
                    108,
                    format!("The ORDER BY position number {number} is out of range of the number of items in the select list."),
                )
            })
        }
        Expr::Column(name) if name.0.len() == 1 => {
            Ok(columns.iter().position(|column| column.name.eq_ignore_ascii_case(name.object())))
        }
        _ => Ok(None),
    }
}

type Bindings = (Branch, Vec<ResultColumn>, Vec<(Key, bool)>);

impl Branch {
    fn new(
        environment: &Environment,
        select: &Select,
        outer: Option<&Scope>,
        order_by: &[(Expr, bool)],
    ) -> Result<Bindings> {
        let (sources, columns) = bind_sources(environment, select, outer)?;
        let scope = Scope { columns: &columns, outer };
        let mut plain = Binder { environment, scope, grouping: None };
        let filter = select.filter.as_ref().map(|filter| plain.condition(filter)).transpose()?;
        let keys = select
            .group_by
            .iter()
            .map(|key| plain.value(key).map(|(bound, _)| bound))
            .collect::<Result<Vec<_>>>()?;
        let top = select.top.as_ref().map(|top| plain.value(top)).transpose()?;
        let top = top.map(|(top, _)| count(environment, &top)).transpose()?;
        let mut grouping =
            is_grouped(select).then(|| Grouping { keys: select.group_by.clone(), aggregates: Vec::new() });
        let mut binder = Binder { environment, scope, grouping: grouping.as_mut() };
        let mut items = Vec::new();
        let mut names = Vec::new();
        for item in &select.items {
            bind_item(&mut binder, item, &columns, &mut items, &mut names)?;
        }
        let having = select.having.as_ref().map(|having| binder.condition(having)).transpose()?;
        let mut order = Vec::new();
        for (key, descending) in order_by {
            let key = match result_column(key, &names)? {
                Some(index) => Key::Result(index),
                None => Key::Source(binder.value(key)?.0),
            };
            order.push((key, *descending));
        }
        let grouping = grouping.map(|grouping| (keys, grouping.aggregates));
        let branch = Self { sources, filter, grouping, having, items, distinct: select.distinct, top };
        Ok((branch, names, order))
    }

    /// The result rows, each with its sort keys.
    fn run(
        &self,
        environment: &Environment,
        outer: Option<&Row>,
        types: &[Type],
        order: &[(Key, bool)],
    ) -> Result<Vec<(Vec<Value>, Vec<Value>)>> {
        let mut rows = vec![Vec::new()];
        for source in &self.sources {
            rows = source.join(environment, rows, outer)?;
        }
        if let Some(filter) = &self.filter {
            rows = keep(environment, filter, rows, outer)?;
        }
        if let Some((keys, aggregates)) = &self.grouping {
            let width = self.sources.iter().map(|source| source.width).sum();
            rows = group(environment, rows, width, keys, aggregates, outer)?;
            if let Some(having) = &self.having {
                rows = keep(environment, having, rows, outer)?;
            }
        }
        let mut results = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for values in &rows {
            let row = Row { values, outer };
            let mut result = Vec::new();
            for ((item, from), to) in self.items.iter().zip(types) {
                result.push(cast(item.value(environment, &row)?, *from, *to)?);
            }
            if self.distinct && !seen.insert(fingerprint(&result)) {
                continue;
            }
            let mut keys = Vec::new();
            for (key, _) in order {
                keys.push(match key {
                    Key::Result(index) => result[*index].clone(),
                    Key::Source(bound) => bound.value(environment, &row)?,
                });
            }
            results.push((result, keys));
        }
        if order.is_empty() {
            results.truncate(self.top.unwrap_or(usize::MAX));
        }
        Ok(results)
    }
}

fn bind_sources(
    environment: &Environment,
    select: &Select,
    outer: Option<&Scope>,
) -> Result<(Vec<BoundSource>, Vec<ScopeColumn>)> {
    let mut sources = Vec::new();
    let mut columns: Vec<ScopeColumn> = Vec::new();
    for source in &select.from {
        let table = catalog::open(environment, &source.table)?;
        let alias = source.alias.as_deref().unwrap_or(source.table.object());
        if columns.iter().any(|column| column.table.eq_ignore_ascii_case(alias)) {
            let message = format!(
                "The objects \"{alias}\" and \"{alias}\" in the FROM clause have the same exposed names. Use correlation names to distinguish them."
            );
            return Err(SqlError::new(1013, message));
        }
        let before = columns.len();
        columns.extend(table.columns.iter().map(|(name, ty)| ScopeColumn {
            table: alias.to_owned(),
            name: (*name).to_owned(),
            ty: *ty,
        }));
        let scope = Scope { columns: &columns, outer };
        let mut binder = Binder { environment, scope, grouping: None };
        let on = source.on.as_ref().map(|on| binder.condition(on)).transpose()?;
        let equal = on.as_ref().and_then(|on| equal_columns(on, before, &columns));
        let width = table.columns.len();
        sources.push(BoundSource { rows: table.rows, width, join: source.join, on, equal });
    }
    Ok((sources, columns))
}

/// A pair of columns, one before this place and one from it on, that a join condition wants equal.
fn equal_columns(on: &Bound, before: usize, columns: &[ScopeColumn]) -> Option<(usize, usize)> {
    match on {
        Bound::And(left, right) => {
            equal_columns(left, before, columns).or_else(|| equal_columns(right, before, columns))
        }
        Bound::Compare(Comparison::Equal, left, right) => {
            let (Bound::Column { up: 0, index: a }, Bound::Column { up: 0, index: b }) = (&**left, &**right)
            else {
                return None;
            };
            let (low, high) = (*a.min(b), *a.max(b));
            let hashable = low < before && high >= before && columns[low].ty == columns[high].ty;
            hashable.then_some((low, high - before))
        }
        _ => None,
    }
}

fn bind_item(
    binder: &mut Binder,
    item: &Item,
    columns: &[ScopeColumn],
    items: &mut Vec<(Bound, Type)>,
    names: &mut Vec<ResultColumn>,
) -> Result<()> {
    match item {
        Item::All(table) => {
            let wanted = |column: &ScopeColumn| {
                table.as_ref().is_none_or(|table| column.table.eq_ignore_ascii_case(table))
            };
            if !columns.iter().any(wanted) {
                let message = match table {
                    Some(table) => format!(
                        "The column prefix '{table}' does not match with a table name or alias name used in the query."
                    ),
                    None => "Must specify table to select from.".to_owned(),
                };
                return Err(SqlError::new(if table.is_some() { 107 } else { 263 }, message).class(15));
            }
            for (index, column) in columns.iter().enumerate().filter(|(_, column)| wanted(column)) {
                items.push((Bound::Column { up: 0, index }, column.ty));
                names.push(ResultColumn { name: column.name.clone(), ty: column.ty });
            }
        }
        Item::One { expr, alias } => {
            let (bound, ty) = binder.value(expr)?;
            let name = match (alias, expr) {
                (Some(alias), _) => alias.clone(),
                (None, Expr::Column(name)) => name.object().to_owned(),
                (None, _) => String::new(),
            };
            items.push((bound, ty));
            names.push(ResultColumn { name, ty });
        }
    }
    Ok(())
}

fn count(environment: &Environment, top: &Bound) -> Result<usize> {
    let value = top.value(environment, &Row { values: &[], outer: None })?;
    match value {
        Value::Int(number) => usize::try_from(number).map_err(|_| {
            SqlError::new(127, "A TOP N or FETCH rowcount value may not be negative.").class(15)
        }),
        _ => Err(SqlError::new(
            1060,
            "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
        )
        .class(15)),
    }
}

/// Whether a SELECT makes groups: it says so, or it has an aggregate.
fn is_grouped(select: &Select) -> bool {
    let aggregated = select.items.iter().any(|item| match item {
        Item::One { expr, .. } => has_aggregate(expr),
        Item::All(_) => false,
    });
    !select.group_by.is_empty() || select.having.is_some() || aggregated
}

fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Aggregate { .. } => true,
        Expr::Negate(inner) | Expr::Not(inner) | Expr::IsNull(inner) => has_aggregate(inner),
        Expr::Arithmetic(_, left, right)
        | Expr::Compare(_, left, right)
        | Expr::And(left, right)
        | Expr::Or(left, right) => has_aggregate(left) || has_aggregate(right),
        Expr::Like { text, pattern, .. } => has_aggregate(text) || has_aggregate(pattern),
        Expr::In(left, list) => has_aggregate(left) || list.iter().any(has_aggregate),
        Expr::InQuery(left, _) => has_aggregate(left),
        Expr::Case { operand, whens, otherwise } => {
            operand.iter().chain(otherwise).any(|expr| has_aggregate(expr))
                || whens.iter().any(|(when, then)| has_aggregate(when) || has_aggregate(then))
        }
        Expr::Cast { value, .. } => has_aggregate(value),
        Expr::Call { arguments, .. } => arguments.iter().any(has_aggregate),
        Expr::Literal(..)
        | Expr::Variable(_)
        | Expr::Global(_)
        | Expr::Column(_)
        | Expr::Exists(_)
        | Expr::Scalar(_) => false,
    }
}

fn keep(
    environment: &Environment,
    condition: &Bound,
    rows: Vec<Vec<Value>>,
    outer: Option<&Row>,
) -> Result<Vec<Vec<Value>>> {
    let mut kept = Vec::new();
    for values in rows {
        if condition.truth(environment, &Row { values: &values, outer })? == Some(true) {
            kept.push(values);
        }
    }
    Ok(kept)
}

impl BoundSource {
    fn join(
        &self,
        environment: &Environment,
        left: Vec<Vec<Value>>,
        outer: Option<&Row>,
    ) -> Result<Vec<Vec<Value>>> {
        let index = self.equal.map(|(_, right)| {
            let mut index: HashMap<String, Vec<&Vec<Value>>> = HashMap::new();
            for row in &self.rows {
                index.entry(fingerprint(&row[right..=right])).or_default().push(row);
            }
            index
        });
        let all: Vec<&Vec<Value>> = self.rows.iter().collect();
        let mut joined = Vec::new();
        for begun in left {
            let candidates = match (&index, self.equal) {
                (Some(index), Some((key, _))) => {
                    index.get(&fingerprint(&begun[key..=key])).map_or(&[][..], Vec::as_slice)
                }
                _ => &all,
            };
            let mut matched = false;
            for right in candidates {
                let values = [&begun[..], right].concat();
                let fits = match &self.on {
                    Some(on) => on.truth(environment, &Row { values: &values, outer })? == Some(true),
                    None => true,
                };
                if fits {
                    matched = true;
                    joined.push(values);
                }
            }
            if !matched && self.join == Join::Left {
                let mut values = begun;
                values.resize(values.len() + self.width, Value::Null);
                joined.push(values);
            }
        }
        Ok(joined)
    }
}

/// Equal for rows that count as the same.
fn fingerprint(row: &[Value]) -> String {
    row.iter()
        .map(|value| match value {
            Value::Text(text) => format!("{:?};", fold(text)),
            other => format!("{other:?};"),
        })
        .collect()
}

/// One row a group: its first row, then its aggregates.
fn group(
    environment: &Environment,
    rows: Vec<Vec<Value>>,
    width: usize,
    keys: &[Bound],
    aggregates: &[BoundAggregate],
    outer: Option<&Row>,
) -> Result<Vec<Vec<Value>>> {
    let mut order: Vec<Vec<Vec<Value>>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for values in rows {
        let row = Row { values: &values, outer };
        let key = keys.iter().map(|key| key.value(environment, &row)).collect::<Result<Vec<_>>>()?;
        let place = *places.entry(fingerprint(&key)).or_insert(order.len());
        if place == order.len() {
            order.push(Vec::new());
        }
        order[place].push(values);
    }
    if order.is_empty() && keys.is_empty() {
        order.push(Vec::new());
    }
    let mut grouped = Vec::new();
    for group in order {
        let mut row = group.first().cloned().unwrap_or_else(|| vec![Value::Null; width]);
        for aggregate in aggregates {
            row.push(aggregate.run(environment, &group, outer)?);
        }
        grouped.push(row);
    }
    Ok(grouped)
}

impl BoundAggregate {
    fn run(&self, environment: &Environment, group: &[Vec<Value>], outer: Option<&Row>) -> Result<Value> {
        let Some(argument) = &self.argument else { return whole(group.len()) };
        let mut values = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for row in group {
            let value = argument.value(environment, &Row { values: row, outer })?;
            let again = self.distinct && !seen.insert(fingerprint(std::slice::from_ref(&value)));
            if !value.is_null() && !again {
                values.push(value);
            }
        }
        match self.function {
            Aggregate::Count | Aggregate::CountBig => whole(values.len()),
            Aggregate::Min => extreme(values, Ordering::Less),
            Aggregate::Max => extreme(values, Ordering::Greater),
            Aggregate::Sum => sum(&values),
            Aggregate::StringAgg if values.is_empty() => Ok(Value::Null),
            Aggregate::StringAgg => {
                let row = Row { values: &[], outer };
                let separator = self
                    .separator
                    .as_ref()
                    .map(|separator| separator.value(environment, &row))
                    .transpose()?;
                let separator = separator.and_then(|separator| separator.display()).unwrap_or_default();
                let texts: Vec<String> = values.iter().filter_map(Value::display).collect();
                Ok(Value::Text(texts.join(&separator)))
            }
        }
    }
}

fn whole(count: usize) -> Result<Value> {
    i64::try_from(count).map(Value::Int).map_err(|_| super::types::overflow(Type::BigInt))
}

fn extreme(values: Vec<Value>, wanted: Ordering) -> Result<Value> {
    let mut best = Value::Null;
    for value in values {
        if best.is_null() || compare(&value, &best)? == Some(wanted) {
            best = value;
        }
    }
    Ok(best)
}

fn sum(values: &[Value]) -> Result<Value> {
    let mut total: Option<i64> = None;
    let mut floating: Option<f64> = None;
    for value in values {
        match value {
            Value::Int(number) => {
                let next = total.unwrap_or(0).checked_add(*number);
                total = Some(next.ok_or_else(|| super::types::overflow(Type::BigInt))?);
            }
            Value::Float(number) => floating = Some(floating.unwrap_or(0.0) + number),
            _ => return Err(SqlError::new(8117, "Operand data type is invalid for sum operator.")),
        }
    }
    Ok(total.map(Value::Int).or(floating.map(Value::Float)).unwrap_or(Value::Null))
}
