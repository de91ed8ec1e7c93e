//! The evaluator. Its recursion is as deep as the tree, which [`super::scan`] bounds; each step is paid for.

use super::error::{Given, WhenError};
use super::expr::{Expr, Quantifier, RequestField};
use super::fuel::Fuel;
use super::number::Arithmetic;
use super::value::{List, Map, Text, Value};
use super::{Environment, MAX_COST};

/// Evaluates an expression to a truth value.
pub(super) fn eval(expr: &Expr, environment: &Environment<'_>) -> Result<bool, WhenError> {
    let mut evaluator = Evaluator {
        environment,
        locals: Vec::new(),
        fuel: Fuel::new(MAX_COST),
    };
    match evaluator.value(expr)? {
        Value::Bool(value) => Ok(value),
        other => Err(WhenError::NotBool(other.type_name())),
    }
}

struct Evaluator<'a> {
    environment: &'a Environment<'a>,
    /// What the variables of the macros around the place hold, outermost first.
    locals: Vec<Value<'a>>,
    fuel: Fuel,
}

impl<'a> Evaluator<'a> {
    fn value(&mut self, expr: &'a Expr) -> Result<Value<'a>, WhenError> {
        self.fuel.charge(1)?;
        match expr {
            Expr::Constant(constant) => Ok(constant.into()),
            Expr::Claims => Ok(Value::Map(Map::Claims(self.environment.claims))),
            Expr::Roles => Ok(Value::List(List::Names(self.environment.roles))),
            Expr::Now => Ok(Value::Time(self.environment.now)),
            Expr::Request(field) => self
                .request(*field)
                .map(|text| Value::Text(Text::Borrowed(text)))
                .ok_or_else(|| missing(expr)),
            Expr::HasRequest(field) => Ok(Value::Bool(self.request(*field).is_some())),
            // The compiler counted the variables, so there is one.
            Expr::Local(place) => self
                .locals
                .get(*place)
                .cloned()
                .ok_or_else(|| missing(expr)),
            Expr::Select(of, field) => {
                let of = self.value(of)?;
                self.member(&of, field)?.ok_or_else(|| missing(expr))
            }
            Expr::Has(of, field) => {
                let of = self.value(of)?;
                Ok(Value::Bool(self.member(&of, field)?.is_some()))
            }
            Expr::Index(pair) => self.index(expr, pair),
            Expr::Not(operand) => self.truth(operand, "!").map(|value| Value::Bool(!value)),
            Expr::Negate(operand) => self.negate(operand),
            Expr::Or(sides) => self.either(sides, true, "||").map(Value::Bool),
            Expr::And(sides) => self.either(sides, false, "&&").map(Value::Bool),
            Expr::Choice(choice) => {
                let [condition, yes, no] = &**choice;
                if self.truth(condition, "?")? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            Expr::Equal(sides) => self.equal(sides).map(Value::Bool),
            Expr::NotEqual(sides) => self.equal(sides).map(|equal| Value::Bool(!equal)),
            Expr::Order(order, sides) => {
                let (left, right) = self.both(sides)?;
                left.is_ordered(*order, &right, &mut self.fuel)
                    .map(Value::Bool)
            }
            Expr::In(sides) => self.is_in(sides).map(Value::Bool),
            Expr::Arithmetic(arithmetic, sides) => {
                let (left, right) = self.both(sides)?;
                self.compute(*arithmetic, &left, &right)
            }
            Expr::Constants(constants) => Ok(Value::List(List::Constants(constants))),
            Expr::List(items) => items
                .iter()
                .map(|item| self.value(item))
                .collect::<Result<_, _>>()
                .map(Value::list),
            Expr::Map(entries) => self.map(entries),
            Expr::Call(function, arguments) => {
                let arguments: Vec<_> = arguments
                    .iter()
                    .map(|argument| self.value(argument))
                    .collect::<Result<_, _>>()?;
                function.call(&arguments, &mut self.fuel)
            }
            Expr::Quantifier(quantifier, parts) => {
                self.quantify(*quantifier, parts).map(Value::Bool)
            }
            Expr::Collect {
                range,
                filter,
                item,
            } => self.collect(range, filter.as_deref(), item),
        }
    }

    fn request(&self, field: RequestField) -> Option<&'a str> {
        let environment = self.environment;
        match field {
            RequestField::Method => Some(environment.method),
            RequestField::Path => Some(environment.path),
            RequestField::Host => environment.host,
            RequestField::Route => environment.route,
            RequestField::Service => environment.service,
        }
    }

    fn truth(&mut self, expr: &'a Expr, operation: &'static str) -> Result<bool, WhenError> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            other => Err(WhenError::WrongType {
                operation,
                given: Given::One(other.type_name()),
            }),
        }
    }

    /// `||` (decided by true) and `&&` (by false): a side that decides does so even where the other has no
    /// value. CEL has it so, that the order of the sides does not matter.
    fn either(
        &mut self,
        sides: &'a [Expr; 2],
        decisive: bool,
        operation: &'static str,
    ) -> Result<bool, WhenError> {
        let [left, right] = sides;
        match self.truth(left, operation) {
            Ok(value) if value == decisive => Ok(value),
            Ok(_) => self.truth(right, operation),
            Err(error) => match self.truth(right, operation) {
                Ok(value) if value == decisive => Ok(value),
                _ => Err(error),
            },
        }
    }

    fn both(&mut self, sides: &'a [Expr; 2]) -> Result<(Value<'a>, Value<'a>), WhenError> {
        let [left, right] = sides;
        Ok((self.value(left)?, self.value(right)?))
    }

    fn equal(&mut self, sides: &'a [Expr; 2]) -> Result<bool, WhenError> {
        let (left, right) = self.both(sides)?;
        left.equals(&right, &mut self.fuel)
    }

    fn is_in(&mut self, sides: &'a [Expr; 2]) -> Result<bool, WhenError> {
        match self.both(sides)? {
            (value, Value::List(list)) => list.contains(&value, &mut self.fuel),
            (key, Value::Map(map)) => Ok(map.get(&key, &mut self.fuel)?.is_some()),
            (left, right) => Err(two("in", &left, &right)),
        }
    }

    fn member(&mut self, of: &Value<'a>, name: &'a str) -> Result<Option<Value<'a>>, WhenError> {
        match of {
            Value::Map(map) => map.get(&Value::Text(Text::Borrowed(name)), &mut self.fuel),
            other => Err(WhenError::WrongType {
                operation: "a member of a map",
                given: Given::One(other.type_name()),
            }),
        }
    }

    fn index(&mut self, expr: &Expr, pair: &'a [Expr; 2]) -> Result<Value<'a>, WhenError> {
        match self.both(pair)? {
            (Value::Map(map), key) => map.get(&key, &mut self.fuel)?.ok_or_else(|| missing(expr)),
            (Value::List(list), index) => {
                let whole = index.number()?.and_then(|number| number.whole());
                match whole {
                    Some(place) => usize::try_from(place)
                        .ok()
                        .and_then(|place| list.get(place))
                        .ok_or(WhenError::OutOfRange),
                    None => Err(two("[]", &Value::List(list), &index)),
                }
            }
            (of, index) => Err(two("[]", &of, &index)),
        }
    }

    fn negate(&mut self, operand: &'a Expr) -> Result<Value<'a>, WhenError> {
        match self.value(operand)? {
            Value::Int(value) => value
                .checked_neg()
                .map(Value::Int)
                .ok_or(WhenError::Overflow("-")),
            Value::Double(value) => Ok(Value::Double(-value)),
            Value::Inexact => Err(WhenError::Inexact),
            other => Err(WhenError::WrongType {
                operation: "-",
                given: Given::One(other.type_name()),
            }),
        }
    }

    fn compute(
        &mut self,
        arithmetic: Arithmetic,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<Value<'a>, WhenError> {
        match (arithmetic, left, right) {
            (Arithmetic::Add, Value::Text(left), Value::Text(right)) => {
                self.fuel.charge_bytes(left.len())?;
                self.fuel.charge_bytes(right.len())?;
                Ok(Value::Text(Text::made([&**left, &**right].concat())))
            }
            (Arithmetic::Add, Value::List(left), Value::List(right)) => {
                self.fuel.charge(left.len())?;
                self.fuel.charge(right.len())?;
                Ok(Value::list(left.iter().chain(right.iter()).collect()))
            }
            _ => match (left.number()?, right.number()?) {
                (Some(left), Some(right)) => arithmetic.apply(left, right).map(Value::from),
                _ => Err(two(arithmetic.name(), left, right)),
            },
        }
    }

    fn map(&mut self, entries: &'a [(Expr, Expr)]) -> Result<Value<'a>, WhenError> {
        let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.value(key)?;
            if !matches!(
                key,
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Text(_)
            ) {
                return Err(WhenError::WrongType {
                    operation: "a map's key",
                    given: Given::One(key.type_name()),
                });
            }
            let value = self.value(value)?;
            for (known, _) in &made {
                if known.equals(&key, &mut self.fuel)? {
                    return Err(WhenError::DuplicateKey);
                }
            }
            made.push((key, value));
        }
        Ok(Value::Map(Map::Made(made.into())))
    }

    /// What a macro goes through: a list's elements, or a map's keys.
    fn range(&mut self, range: &'a Expr) -> Result<List<'a>, WhenError> {
        match self.value(range)? {
            Value::List(list) => Ok(list),
            Value::Map(map) => {
                self.fuel.charge(map.len())?;
                Ok(List::Made(map.keys().into()))
            }
            other => Err(WhenError::WrongType {
                operation: "a macro",
                given: Given::One(other.type_name()),
            }),
        }
    }

    /// Does something with a macro's variable set.
    fn with<T>(&mut self, item: Value<'a>, run: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(item);
        let result = run(self);
        self.locals.pop();
        result
    }

    fn quantify(
        &mut self,
        quantifier: Quantifier,
        parts: &'a [Expr; 2],
    ) -> Result<bool, WhenError> {
        let [range, test] = parts;
        let range = self.range(range)?;
        let mut failed = None;
        let mut count: usize = 0;
        for item in range.iter() {
            let holds = self.with(item, |evaluator| evaluator.truth(test, "a macro's test"));
            match (quantifier, holds) {
                (Quantifier::All, Ok(false)) => return Ok(false),
                (Quantifier::Exists, Ok(true)) => return Ok(true),
                (Quantifier::ExistsOne, Ok(true)) => count = count.saturating_add(1),
                (_, Ok(_)) => {}
                // As with && and ||, an element without a value does not matter if another decides.
                (Quantifier::All | Quantifier::Exists, Err(error))
                    if error != WhenError::TooCostly =>
                {
                    failed.get_or_insert(error);
                }
                (_, Err(error)) => return Err(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(match quantifier {
                Quantifier::All => true,
                Quantifier::Exists => false,
                Quantifier::ExistsOne => count == 1,
            }),
        }
    }

    fn collect(
        &mut self,
        range: &'a Expr,
        filter: Option<&'a Expr>,
        item: &'a Expr,
    ) -> Result<Value<'a>, WhenError> {
        let range = self.range(range)?;
        let mut made = Vec::new();
        for element in range.iter() {
            let value = self.with(element, |evaluator| {
                let passes = match filter {
                    Some(filter) => evaluator.truth(filter, "a macro's filter")?,
                    None => true,
                };
                passes.then(|| evaluator.value(item)).transpose()
            })?;
            made.extend(value);
        }
        Ok(Value::list(made))
    }
}

fn two(operation: &'static str, left: &Value<'_>, right: &Value<'_>) -> WhenError {
    WhenError::WrongType {
        operation,
        given: Given::Two(left.type_name(), right.type_name()),
    }
}

/// Named as the expression names it; a name that was computed may be a claim's value, and is left out.
fn missing(expr: &Expr) -> WhenError {
    WhenError::Missing(expr.path().unwrap_or_else(|| "a member".into()))
}
