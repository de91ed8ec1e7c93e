//! The parser writes macros out as loops with an accumulator. Here the loops become what was meant again:
//! cheaper to evaluate, and no loop but these can exist.

use super::expr::Quantifier;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr as Parsed, IdedExpr, LiteralValue, operators,
};

/// What a loop is.
pub(super) enum Macro<'p> {
    /// `all`, `exists`, `exists_one`, with the test of an element.
    Quantifier(Quantifier, &'p IdedExpr),
    /// `map` and `filter`: what becomes of an element, and what it must meet.
    Collect {
        filter: Option<&'p IdedExpr>,
        item: &'p IdedExpr,
    },
}

/// Reads a loop back; nothing where it is none that a macro makes.
pub(super) fn read(parsed: &ComprehensionExpr) -> Option<Macro<'_>> {
    let accumulator = parsed.accu_var.as_str();
    let step = call(&parsed.loop_step)?;
    let (name, arguments) = (step.func_name.as_str(), step.args.as_slice());
    match (&parsed.accu_init.expr, name, arguments) {
        (
            Parsed::Literal(LiteralValue::Boolean(initial)),
            operators::LOGICAL_AND,
            [so_far, test],
        ) if *initial.inner() && is_ident(so_far, accumulator) => {
            Some(Macro::Quantifier(Quantifier::All, test))
        }
        (
            Parsed::Literal(LiteralValue::Boolean(initial)),
            operators::LOGICAL_OR,
            [so_far, test],
        ) if !*initial.inner() && is_ident(so_far, accumulator) => {
            Some(Macro::Quantifier(Quantifier::Exists, test))
        }
        (Parsed::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [test, _, so_far])
            if is_ident(so_far, accumulator) =>
        {
            Some(Macro::Quantifier(Quantifier::ExistsOne, test))
        }
        (Parsed::List(_), operators::CONDITIONAL, [filter, longer, so_far])
            if is_ident(so_far, accumulator) =>
        {
            Some(Macro::Collect {
                filter: Some(filter),
                item: appended(call(longer)?, accumulator)?,
            })
        }
        (Parsed::List(_), operators::ADD, _) => Some(Macro::Collect {
            filter: None,
            item: appended(step, accumulator)?,
        }),
        _ => None,
    }
}

/// The item of `accumulator + [item]`.
fn appended<'p>(longer: &'p CallExpr, accumulator: &str) -> Option<&'p IdedExpr> {
    let [so_far, list] = longer.args.as_slice() else {
        return None;
    };
    match &list.expr {
        Parsed::List(list)
            if longer.func_name == operators::ADD && is_ident(so_far, accumulator) =>
        {
            match list.elements.as_slice() {
                [item] => Some(item),
                _ => None,
            }
        }
        _ => None,
    }
}

fn call(parsed: &IdedExpr) -> Option<&CallExpr> {
    match &parsed.expr {
        Parsed::Call(call) => Some(call),
        _ => None,
    }
}

fn is_ident(parsed: &IdedExpr, wanted: &str) -> bool {
    matches!(&parsed.expr, Parsed::Ident(name) if name == wanted)
}
