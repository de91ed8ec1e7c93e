//! What the Lua of a `pre-function` or `post-function` does before a gate, as far as its text tells.

use super::plugins::Effect;

const ANSWERS: Effect = Effect::Answers("its code answers with success");

/// What code in the rewrite or access phase does. Code that only refuses does nothing that matters here.
pub(super) fn effect(code: &str) -> Effect {
    let code = without_comments(code);
    if code.contains("enable_buffering") {
        return Effect::Buffers;
    }
    // A status that is set before decides what `ngx.say` and `ngx.exit(ngx.HTTP_OK)` answer.
    let by_status = if code.contains("ngx.status") {
        Effect::Unknown
    } else {
        ANSWERS
    };
    let writes = ["ngx.say", "ngx.print"]
        .iter()
        .filter(|name| calls(&code, name).next().is_some())
        .map(|_| by_status);
    let exits = calls(&code, "ngx.exit").map(|argument| match status(argument) {
        ANSWERS => by_status,
        other => other,
    });
    let responses = calls(&code, "kong.response.exit").map(status);
    // Where they lead is another matter.
    let leaves = ["ngx.redirect", "ngx.exec"]
        .iter()
        .filter(|name| calls(&code, name).next().is_some())
        .map(|_| Effect::Unknown);
    writes
        .chain(exits)
        .chain(responses)
        .chain(leaves)
        .max()
        .unwrap_or(Effect::None)
}

/// What follows each use of a function: its arguments, or whatever else is done with it.
fn calls<'c>(code: &'c str, name: &'c str) -> impl Iterator<Item = &'c str> {
    code.split(name).skip(1)
}

/// What ends a request with the status that these arguments begin with.
fn status(arguments: &str) -> Effect {
    let Some(argument) = arguments.trim_start().strip_prefix('(') else {
        return Effect::Unknown;
    };
    let end = argument.find([',', ')']).unwrap_or(argument.len());
    let argument = argument.get(..end).unwrap_or_default().trim();
    match (argument, argument.parse::<u16>()) {
        (_, Ok(200..300))
        | (
            "ngx.HTTP_OK"
            | "ngx.HTTP_CREATED"
            | "ngx.HTTP_ACCEPTED"
            | "ngx.HTTP_NO_CONTENT"
            | "ngx.HTTP_PARTIAL_CONTENT",
            _,
        ) => ANSWERS,
        // Kong answers 500 to a phase that is ended so.
        (_, Ok(0 | 400..)) | ("ngx.OK" | "ngx.ERROR" | "ngx.DECLINED", _) => Effect::None,
        (name, _) if REFUSALS.contains(&name) => Effect::None,
        _ => Effect::Unknown,
    }
}

const REFUSALS: &[&str] = &[
    "ngx.HTTP_BAD_REQUEST",
    "ngx.HTTP_UNAUTHORIZED",
    "ngx.HTTP_PAYMENT_REQUIRED",
    "ngx.HTTP_FORBIDDEN",
    "ngx.HTTP_NOT_FOUND",
    "ngx.HTTP_NOT_ALLOWED",
    "ngx.HTTP_NOT_ACCEPTABLE",
    "ngx.HTTP_REQUEST_TIMEOUT",
    "ngx.HTTP_CONFLICT",
    "ngx.HTTP_GONE",
    "ngx.HTTP_TOO_MANY_REQUESTS",
    "ngx.HTTP_INTERNAL_SERVER_ERROR",
    "ngx.HTTP_BAD_GATEWAY",
    "ngx.HTTP_SERVICE_UNAVAILABLE",
];

/// The code without `-- ...` and `--[[ ... ]]`. A text that has `--` in it loses the rest of its line.
fn without_comments(code: &str) -> String {
    let mut parts = code.split("--");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    let mut in_block = false;
    for part in parts {
        in_block |= part.starts_with("[[");
        let end = if in_block { "]]" } else { "\n" };
        if let Some((_, code)) = part.split_once(end) {
            in_block = false;
            kept += "\n";
            kept += code;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_answers_is_told_from_code_that_refuses() {
        for (code, meant) in [
            ("", Effect::None),
            ("kong.service.request.set_header('a', 'b')", Effect::None),
            ("kong.response.set_header('a', 'b')", Effect::None),
            ("return kong.response.exit(200)", ANSWERS),
            ("return kong.response.exit ( 204 , nil)", ANSWERS),
            ("kong.response.exit(ngx.HTTP_OK, {})", ANSWERS),
            (
                "if x then return kong.response.exit(403, 'no') end",
                Effect::None,
            ),
            ("kong.response.error(400)", Effect::None),
            ("kong.response.exit(401)\nkong.response.exit(201)", ANSWERS),
            // To where one logs in, or anywhere.
            ("kong.response.exit(302)", Effect::Unknown),
            ("kong.response.exit(status, 'x')", Effect::Unknown),
            (
                "local exit = kong.response.exit\nexit(200)",
                Effect::Unknown,
            ),
            ("ngx.exit(200)", ANSWERS),
            ("ngx.exit(ngx.HTTP_FORBIDDEN)", Effect::None),
            ("ngx.exit(ngx.OK)", Effect::None),
            ("ngx.exit(0)", Effect::None),
            ("ngx.say('hello')", ANSWERS),
            (
                "ngx.status = 403 ngx.say('no') ngx.exit(ngx.HTTP_OK)",
                Effect::Unknown,
            ),
            ("ngx.exit(ngx.status)", Effect::Unknown),
            ("ngx.redirect('/login')", Effect::Unknown),
            ("return ngx.exec('@elsewhere')", Effect::Unknown),
            ("-- kong.response.exit(200)", Effect::None),
            ("a = 1 -- ngx.say(1)\nngx.exit(200)", ANSWERS),
            ("--[[ ngx.say(1)\n-- ngx.exit(200) ]] b = 2", Effect::None),
            (
                "--[[ x ]] kong.service.request.enable_buffering()",
                Effect::Buffers,
            ),
            (
                "kong.response.exit(200) kong.service.request.enable_buffering()",
                Effect::Buffers,
            ),
        ] {
            assert_eq!(effect(code), meant, "{code}");
        }
    }
}
