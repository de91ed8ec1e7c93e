//! Bounds on the text, before the parser sees it.
//!
//! The parser limits the nesting of brackets only. Chains (`a+a+...`, `a.b.c...`) it reads in a loop and
//! hands back as a tree as deep as they are long, and `a?b:a?b:...` it reads by recursion without a limit.
//! Both would overflow the stack, there or when the tree is walked or dropped, and on Kong a trap while the
//! configuration is read opens every route. So the depth of the tree is bounded from above here, token by
//! token.

use super::MAX_SOURCE_BYTES;
use cel::parser::pratt_parser::{Lexer, Token, TokenKind};

/// How deep an expression may be, as [`check`] counts it.
pub(super) const MAX_DEPTH: usize = 48;

/// What stands between two brackets, or in the whole.
struct Frame {
    close: TokenKind,
    /// The depth at its opening bracket.
    base: usize,
    /// Operators, members and calls since the last `&&`, `||` or comma; each can make the tree one deeper.
    chain: usize,
    /// `?` since the last comma.
    choices: usize,
    /// `&&` and `||` since the last comma. The parser balances them.
    logic: usize,
    /// The longest chain since the last comma.
    longest: usize,
    /// The deepest that stood between two commas.
    deepest: usize,
}

impl Frame {
    const fn new(close: TokenKind, base: usize) -> Self {
        Self {
            close,
            base,
            chain: 0,
            choices: 0,
            logic: 0,
            longest: 0,
            deepest: 0,
        }
    }

    fn depth(&self) -> usize {
        self.base
            .saturating_add(self.chain)
            .saturating_add(self.choices)
    }

    fn end_of_term(&mut self) {
        self.longest = self.longest.max(self.chain);
        self.chain = 0;
    }

    fn end_of_item(&mut self) {
        self.end_of_term();
        let levels = self
            .logic
            .checked_ilog2()
            .map_or(0, |log| log.saturating_add(1));
        let depth = self
            .longest
            .saturating_add(self.choices)
            .saturating_add(levels as usize);
        self.deepest = self.deepest.max(depth);
        (self.choices, self.logic, self.longest) = (0, 0, 0);
    }
}

/// Refuses text that is empty, too long or too deep, brackets that do not match, and what is no token.
pub(super) fn check(source: &str) -> Result<(), String> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(format!(
            "has {} bytes; at most {MAX_SOURCE_BYTES} are accepted, so make it several rules",
            source.len()
        ));
    }
    let mut frame = Frame::new(TokenKind::TokEnd, 0);
    let mut outer = Vec::new();
    let mut is_empty = true;
    let mut lexer = Lexer::new(source);
    loop {
        let token = lexer.lex();
        let at = || place(source, token.start);
        match token.kind {
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            TokenKind::TokError => {
                let what = lexer.get_error().map_or("", |error| &error.message);
                return Err(format!("is no CEL: {what}, {}", at()));
            }
            TokenKind::TokEqual => {
                return Err(format!("has \"=\", {}; write \"==\" to compare", at()));
            }
            TokenKind::TokEnd => {
                frame.end_of_item();
                refuse_if_deep(frame.base.saturating_add(frame.deepest))?;
                return if is_empty {
                    Err("is empty; write a condition, or leave it out".into())
                } else if outer.is_empty() {
                    Ok(())
                } else {
                    Err("is no CEL: a bracket is not closed".into())
                };
            }
            TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => {
                frame.chain = frame.chain.saturating_add(1);
                let inner = Frame::new(closing(token.kind), frame.depth());
                outer.push(std::mem::replace(&mut frame, inner));
            }
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => {
                frame.end_of_item();
                refuse_if_deep(frame.base.saturating_add(frame.deepest))?;
                let Some(enclosing) = outer.pop().filter(|_| frame.close == token.kind) else {
                    return Err(format!("is no CEL: a bracket that closes none, {}", at()));
                };
                // What follows, as in f(x).g(y), is above what stood between the brackets.
                let inner = std::mem::replace(&mut frame, enclosing);
                frame.chain = frame.chain.saturating_add(inner.deepest);
            }
            TokenKind::TokComma => frame.end_of_item(),
            TokenKind::TokLogicalAnd | TokenKind::TokLogicalOr => {
                frame.end_of_term();
                frame.logic = frame.logic.saturating_add(1);
            }
            TokenKind::TokQuestion => frame.choices = frame.choices.saturating_add(1),
            kind if deepens(kind) => frame.chain = frame.chain.saturating_add(1),
            _ => {}
        }
        is_empty = false;
        refuse_if_deep(frame.depth())?;
    }
}

fn refuse_if_deep(depth: usize) -> Result<(), String> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(format!(
        "is nested deeper than {MAX_DEPTH} levels, or chains as many operators; make it several rules"
    ))
}

const fn closing(opening: TokenKind) -> TokenKind {
    match opening {
        TokenKind::TokLeftBracket => TokenKind::TokRightBracket,
        TokenKind::TokLeftBrace => TokenKind::TokRightBrace,
        _ => TokenKind::TokRightParen,
    }
}

const fn deepens(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::TokDot
            | TokenKind::TokMinus
            | TokenKind::TokPlus
            | TokenKind::TokAsterisk
            | TokenKind::TokSlash
            | TokenKind::TokPercent
            | TokenKind::TokExclamation
            | TokenKind::TokEqualEqual
            | TokenKind::TokExclamationEqual
            | TokenKind::TokLess
            | TokenKind::TokLessEqual
            | TokenKind::TokGreater
            | TokenKind::TokGreaterEqual
            | TokenKind::TokIn
    )
}

/// Where an offset is, for people.
pub(super) fn place(source: &str, offset: usize) -> String {
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before
        .chars()
        .rev()
        .take_while(|character| *character != '\n')
        .count()
        .saturating_add(1);
    format!("at line {line}, column {column}")
}

/// Where a name is first used, as a member or function (after a dot) or as one that stands alone.
pub(super) fn place_of(source: &str, name: &str, after_dot: bool) -> Option<String> {
    let mut lexer = Lexer::new(source);
    let mut follows_dot = false;
    loop {
        let Token { kind, start, end } = lexer.lex();
        match kind {
            TokenKind::TokEnd | TokenKind::TokError => return None,
            TokenKind::TokWhitespace | TokenKind::TokComment => {}
            TokenKind::TokIdent
                if follows_dot == after_dot && source.get(start..end) == Some(name) =>
            {
                return Some(place(source, start));
            }
            other => follows_dot = other == TokenKind::TokDot,
        }
    }
}
