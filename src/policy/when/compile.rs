//! From the parser's tree to ours: names are resolved, and what can't be evaluated is refused.

use super::expr::{Constant, Expr, Kind, Order, Quantifier, RequestField};
use super::function::{self, Function};
use super::macros::{self, Macro};
use super::number::Arithmetic;
use super::{MAX_PARTS, scan};
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr as Parsed, IdedExpr, ListExpr, LiteralValue,
    MapExpr, operators,
};
use cel::parser::{ParseErrors, PrattParser};

/// Compiles text that [`scan::check`] found fit; gives the names of the claims it reads too.
pub(super) fn compile(source: &str) -> Result<(Expr, Vec<String>), String> {
    // The first error ends the parse: what comes after it is guessed.
    let parsed = PrattParser::new()
        .error_recovery_limit(0)
        .max_expression_node_count(MAX_PARTS)
        .enable_ident_escape_syntax(true)
        .parse(source)
        .map_err(|errors| not_parsed(source, &errors))?;
    let mut compiler = Compiler {
        source,
        locals: Vec::new(),
        claims: Vec::new(),
        parts: 0,
    };
    let expr = compiler.expr(&parsed)?;
    match expr.kind() {
        Kind::Bool | Kind::Any => {
            let claims = compiler.claims.into_iter().map(String::from).collect();
            Ok((expr, claims))
        }
        kind => Err(format!(
            "is {kind}, which is neither true nor false; compare it with something"
        )),
    }
}

fn not_parsed(source: &str, errors: &ParseErrors) -> String {
    // Errors without a place only say that it gave up.
    let first = errors
        .errors
        .iter()
        .find(|error| error.pos.0 > 0)
        .or_else(|| errors.errors.first());
    let Some(error) = first else {
        return "is no CEL".into();
    };
    let what = error
        .msg
        .strip_prefix("Syntax error: ")
        .unwrap_or(&error.msg);
    let line = usize::try_from(error.pos.0).unwrap_or(0);
    let before: usize = source
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let column = usize::try_from(error.pos.1).unwrap_or(0);
    let at = scan::place(source, before.saturating_add(column.saturating_sub(1)));
    let remedy = if what.contains("has() macro") {
        "; write has(claims.x), or \"x\" in claims for a name that is no identifier"
    } else {
        ""
    };
    format!("is no CEL: {what}, {at}{remedy}")
}

struct Compiler<'s> {
    source: &'s str,
    /// The variables of the macros around the place, outermost first.
    locals: Vec<&'s str>,
    /// Those that are read, sorted.
    claims: Vec<&'s str>,
    parts: usize,
}

impl<'p> Compiler<'p> {
    fn expr(&mut self, parsed: &'p IdedExpr) -> Result<Expr, String> {
        self.parts = self.parts.saturating_add(1);
        if self.parts > MAX_PARTS {
            return Err(format!(
                "has more than {MAX_PARTS} parts; make it several rules"
            ));
        }
        match &parsed.expr {
            Parsed::Literal(literal) => constant(literal).map(Expr::Constant),
            Parsed::Ident(name) => self.variable(name),
            Parsed::Select(select) => {
                if self.is_request(&select.operand) {
                    let field = request_field(&select.field)?;
                    return Ok(if select.test {
                        Expr::HasRequest(field)
                    } else {
                        Expr::Request(field)
                    });
                }
                let of = self.expr(&select.operand)?;
                self.reads(&of, &select.field);
                let (of, field) = (Box::new(of), Box::from(select.field.as_str()));
                Ok(if select.test {
                    Expr::Has(of, field)
                } else {
                    Expr::Select(of, field)
                })
            }
            Parsed::Call(call) => self.call(call),
            Parsed::List(list) => self.list(list),
            Parsed::Map(map) => self.map(map),
            Parsed::Comprehension(parsed) => self.comprehension(parsed),
            Parsed::Struct(parsed) => Err(format!(
                "makes a message of the type {}; there are none",
                parsed.type_name
            )),
            Parsed::Unspecified => Err("is no CEL".into()),
        }
    }

    fn variable(&self, name: &str) -> Result<Expr, String> {
        if let Some(place) = self.locals.iter().position(|local| *local == name) {
            return Ok(Expr::Local(place));
        }
        match name {
            "claims" => Ok(Expr::Claims),
            "roles" => Ok(Expr::Roles),
            "now" => Ok(Expr::Now),
            "request" => Err(format!(
                "has request as a value{}; write request. and one of {}",
                self.at(name, false),
                RequestField::NAMES
            )),
            _ => Err(format!(
                "has an unknown variable {name:?}{}; there are claims, request, roles and now, and text stands in quotes",
                self.at(name, false)
            )),
        }
    }

    fn at(&self, name: &str, after_dot: bool) -> String {
        scan::place_of(self.source, name, after_dot)
            .map_or_else(String::new, |place| format!(" {place}"))
    }

    /// No local can be called `request` (see [`Self::comprehension`]).
    fn is_request(&self, parsed: &IdedExpr) -> bool {
        matches!(&parsed.expr, Parsed::Ident(name) if name == "request")
    }

    fn reads(&mut self, of: &Expr, name: &'p str) {
        if matches!(of, Expr::Claims) {
            let place = self.claims.partition_point(|known| *known < name);
            if self.claims.get(place) != Some(&name) {
                self.claims.insert(place, name);
            }
        }
    }

    fn call(&mut self, call: &'p CallExpr) -> Result<Expr, String> {
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            (operators::LOGICAL_NOT, None, [operand]) => {
                self.truth(operand, "!").map(Box::new).map(Expr::Not)
            }
            (operators::NEGATE, None, [operand]) => {
                self.expr(operand).map(Box::new).map(Expr::Negate)
            }
            (operators::LOGICAL_OR, None, [left, right]) => Ok(Expr::Or(Box::new([
                self.truth(left, "||")?,
                self.truth(right, "||")?,
            ]))),
            (operators::LOGICAL_AND, None, [left, right]) => Ok(Expr::And(Box::new([
                self.truth(left, "&&")?,
                self.truth(right, "&&")?,
            ]))),
            (operators::CONDITIONAL, None, [condition, yes, no]) => Ok(Expr::Choice(Box::new([
                self.truth(condition, "?")?,
                self.expr(yes)?,
                self.expr(no)?,
            ]))),
            (operators::INDEX, None, [of, index]) => self.index(of, index),
            (name, target, arguments) => {
                if let (Some(operator), [left, right]) = (binary(name), arguments) {
                    return self.binary(operator, left, right);
                }
                let is_method = target.is_some();
                let function = Function::find(name, is_method, arguments.len(), || {
                    self.at(name, is_method)
                })?;
                let all = target
                    .as_deref()
                    .into_iter()
                    .chain(arguments)
                    .map(|argument| self.expr(argument))
                    .collect::<Result<Box<[Expr]>, _>>()?;
                called(function, all)
            }
        }
    }

    fn binary(
        &mut self,
        operator: Binary,
        left: &'p IdedExpr,
        right: &'p IdedExpr,
    ) -> Result<Expr, String> {
        let sides = Box::new([self.expr(left)?, self.expr(right)?]);
        Ok(match operator {
            Binary::Equal => Expr::Equal(sides),
            Binary::NotEqual => Expr::NotEqual(sides),
            Binary::In => {
                if let (Parsed::Literal(LiteralValue::String(key)), [_, of]) = (&left.expr, &*sides)
                {
                    self.reads(of, key.inner());
                }
                Expr::In(sides)
            }
            Binary::Order(order) => Expr::Order(order, sides),
            Binary::Arithmetic(arithmetic) => Expr::Arithmetic(arithmetic, sides),
        })
    }

    fn index(&mut self, of: &'p IdedExpr, index: &'p IdedExpr) -> Result<Expr, String> {
        if let Parsed::Literal(LiteralValue::String(key)) = &index.expr {
            if self.is_request(of) {
                return request_field(key.inner()).map(Expr::Request);
            }
            let (of, index) = (self.expr(of)?, self.expr(index)?);
            self.reads(&of, key.inner());
            return Ok(Expr::Index(Box::new([of, index])));
        }
        Ok(Expr::Index(Box::new([self.expr(of)?, self.expr(index)?])))
    }

    /// An operand that must be true or false.
    fn truth(&mut self, parsed: &'p IdedExpr, operator: &str) -> Result<Expr, String> {
        let expr = self.expr(parsed)?;
        match expr.kind() {
            Kind::Bool | Kind::Any => Ok(expr),
            kind => Err(format!(
                "has {kind} where {operator} takes true or false; compare it with something"
            )),
        }
    }

    fn list(&mut self, list: &'p ListExpr) -> Result<Expr, String> {
        let items = list
            .elements
            .iter()
            .map(|item| self.expr(item))
            .collect::<Result<Vec<_>, _>>()?;
        let constants: Option<Box<[Constant]>> = items
            .iter()
            .map(|item| match item {
                Expr::Constant(constant) => Some(constant.clone()),
                _ => None,
            })
            .collect();
        Ok(constants.map_or_else(|| Expr::List(items.into()), Expr::Constants))
    }

    fn map(&mut self, map: &'p MapExpr) -> Result<Expr, String> {
        map.entries
            .iter()
            .map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    Ok((self.expr(&entry.key)?, self.expr(&entry.value)?))
                }
                EntryExpr::StructField(_) => Err("is no CEL".to_owned()),
            })
            .collect::<Result<_, _>>()
            .map(Expr::Map)
    }

    fn comprehension(&mut self, parsed: &'p ComprehensionExpr) -> Result<Expr, String> {
        let range = Box::new(self.expr(&parsed.iter_range)?);
        let variable = parsed.iter_var.as_str();
        if self.variable(variable).is_ok() || variable == "request" || variable.starts_with('.') {
            return Err(format!(
                "has a macro with the variable {variable:?}; take a name that nothing else has"
            ));
        }
        let read = macros::read(parsed).ok_or("has a macro that is not known")?;
        self.locals.push(variable);
        let expr = match read {
            Macro::Quantifier(quantifier, test) => {
                let name = match quantifier {
                    Quantifier::All => "all",
                    Quantifier::Exists => "exists",
                    Quantifier::ExistsOne => "exists_one",
                };
                self.truth(test, name)
                    .map(|test| Expr::Quantifier(quantifier, Box::new([*range, test])))
            }
            Macro::Collect { filter, item } => self.collect(range, filter, item),
        };
        self.locals.pop();
        expr
    }

    fn collect(
        &mut self,
        range: Box<Expr>,
        filter: Option<&'p IdedExpr>,
        item: &'p IdedExpr,
    ) -> Result<Expr, String> {
        let filter = filter
            .map(|filter| self.truth(filter, "filter"))
            .transpose()?;
        Ok(Expr::Collect {
            range,
            filter: filter.map(Box::new),
            item: Box::new(self.expr(item)?),
        })
    }
}

fn constant(literal: &LiteralValue) -> Result<Constant, String> {
    Ok(match literal {
        LiteralValue::Null => Constant::Null,
        LiteralValue::Boolean(value) => Constant::Bool(*value.inner()),
        LiteralValue::Int(value) => Constant::Int(*value.inner()),
        LiteralValue::UInt(value) => Constant::Uint(*value.inner()),
        LiteralValue::Double(value) => Constant::Double(*value.inner()),
        LiteralValue::String(text) => Constant::Text(text.inner().into()),
        LiteralValue::Bytes(_) => {
            return Err("has bytes (b\"...\"); there are none, write text".into());
        }
    })
}

fn request_field(name: &str) -> Result<RequestField, String> {
    RequestField::named(name).ok_or_else(|| {
        format!(
            "asks for request.{name}; of a request there are {}",
            RequestField::NAMES
        )
    })
}

/// A call; a moment that is spelt out is read now.
fn called(function: Function, arguments: Box<[Expr]>) -> Result<Expr, String> {
    match (function, &*arguments) {
        (Function::Timestamp, [Expr::Constant(Constant::Text(text))]) => function::moment(text)
            .map(|moment| Expr::Constant(Constant::Time(moment)))
            .ok_or_else(|| {
                format!(
                    "has timestamp({text:?}), which is no moment; write UTC like \"2027-01-15T08:00:00Z\""
                )
            }),
        _ => Ok(Expr::Call(function, arguments)),
    }
}

enum Binary {
    Equal,
    NotEqual,
    In,
    Order(Order),
    Arithmetic(Arithmetic),
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        operators::EQUALS => Binary::Equal,
        operators::NOT_EQUALS => Binary::NotEqual,
        operators::IN => Binary::In,
        operators::LESS => Binary::Order(Order::Less),
        operators::LESS_EQUALS => Binary::Order(Order::LessOrEqual),
        operators::GREATER => Binary::Order(Order::Greater),
        operators::GREATER_EQUALS => Binary::Order(Order::GreaterOrEqual),
        operators::ADD => Binary::Arithmetic(Arithmetic::Add),
        operators::SUBSTRACT => Binary::Arithmetic(Arithmetic::Subtract),
        operators::MULTIPLY => Binary::Arithmetic(Arithmetic::Multiply),
        operators::DIVIDE => Binary::Arithmetic(Arithmetic::Divide),
        operators::MODULO => Binary::Arithmetic(Arithmetic::Remainder),
        _ => return None,
    })
}
