//! The tree that is evaluated. Names are resolved and shapes checked, so that evaluating it can fail on
//! values only.

use super::function::Function;
use super::number::Arithmetic;
use crate::time::UnixTime;
use std::fmt;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Constant(Constant),
    Claims,
    Roles,
    Now,
    Request(RequestField),
    HasRequest(RequestField),
    /// The variable of an enclosing macro; the outermost is 0.
    Local(usize),
    Select(Box<Expr>, Box<str>),
    Has(Box<Expr>, Box<str>),
    Index(Box<[Expr; 2]>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Or(Box<[Expr; 2]>),
    And(Box<[Expr; 2]>),
    Choice(Box<[Expr; 3]>),
    Equal(Box<[Expr; 2]>),
    NotEqual(Box<[Expr; 2]>),
    Order(Order, Box<[Expr; 2]>),
    In(Box<[Expr; 2]>),
    Arithmetic(Arithmetic, Box<[Expr; 2]>),
    /// A list literal of constants, which needs no building.
    Constants(Box<[Constant]>),
    List(Box<[Expr]>),
    Map(Box<[(Expr, Expr)]>),
    /// A function and its arguments; a method's target is the first.
    Call(Function, Box<[Expr]>),
    /// `range.all(x, test)` and its like.
    Quantifier(Quantifier, Box<[Expr; 2]>),
    /// `range.map(x, item)`, with what an element must meet to be in it.
    Collect {
        range: Box<Expr>,
        filter: Option<Box<Expr>>,
        item: Box<Expr>,
    },
}

/// A value that the text spells out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<str>),
    Time(UnixTime),
}

/// A member of `request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestField {
    Method,
    Path,
    Host,
    Route,
    Service,
}

impl RequestField {
    pub(super) const NAMES: &'static str = "method, path, host, route and service";

    pub(super) fn named(name: &str) -> Option<Self> {
        [
            Self::Method,
            Self::Path,
            Self::Host,
            Self::Route,
            Self::Service,
        ]
        .into_iter()
        .find(|field| field.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Path => "path",
            Self::Host => "host",
            Self::Route => "route",
            Self::Service => "service",
        }
    }
}

/// The comparisons that need an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The macros that ask something of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

/// What is known of a value's type before there is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Null,
    Number,
    Text,
    Time,
    List,
    Map,
    Any,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true or false",
            Self::Null => "null",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Time => "a time",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Any => "any value",
        })
    }
}

impl Constant {
    const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Uint(_) | Self::Double(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Time(_) => Kind::Time,
        }
    }
}

impl Expr {
    /// Its type, where that does not depend on values.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Constant(constant) => constant.kind(),
            Self::HasRequest(_)
            | Self::Has(..)
            | Self::Not(_)
            | Self::Or(_)
            | Self::And(_)
            | Self::Equal(_)
            | Self::NotEqual(_)
            | Self::Order(..)
            | Self::In(_)
            | Self::Quantifier(..) => Kind::Bool,
            Self::Negate(_) => Kind::Number,
            Self::Request(_) => Kind::Text,
            Self::Now => Kind::Time,
            Self::Roles | Self::Constants(_) | Self::List(_) | Self::Collect { .. } => Kind::List,
            Self::Claims | Self::Map(_) => Kind::Map,
            Self::Call(function, _) => function.kind(),
            Self::Choice(choice) => {
                let [_, yes, no] = &**choice;
                let kind = yes.kind();
                if kind == no.kind() { kind } else { Kind::Any }
            }
            // What `+` gives depends on what it is given; the others take numbers only.
            Self::Arithmetic(Arithmetic::Add, sides) => {
                let [left, right] = &**sides;
                let kind = left.kind();
                if kind == right.kind() {
                    kind
                } else {
                    Kind::Any
                }
            }
            Self::Arithmetic(..) => Kind::Number,
            Self::Local(_) | Self::Select(..) | Self::Index(_) => Kind::Any,
        }
    }

    /// How the expression spells a name (`claims.a["b"]`), if it is one.
    pub(super) fn path(&self) -> Option<String> {
        match self {
            Self::Claims => Some("claims".into()),
            Self::Request(field) => Some(format!("request.{}", field.name())),
            Self::Select(of, field) => Some(format!("{}.{field}", of.path()?)),
            Self::Index(pair) => match &**pair {
                [of, Self::Constant(Constant::Text(key))] => {
                    Some(format!("{}[{key:?}]", of.path()?))
                }
                _ => None,
            },
            _ => None,
        }
    }
}
