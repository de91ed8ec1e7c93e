//! What to paste into a shell while the stage stays up.

use std::io::{self, Write};

use super::paint::Paint;
use super::stage::{DEPLOY, REPORTS, Stage};

/// Prints the addresses, and lines for curl.
pub(super) fn lines(out: &mut impl Write, paint: Paint, stage: &Stage) -> io::Result<()> {
    let issuer = stage.issuer.base_url();
    let gate = format!("http://{}", stage.envoy.addr(DEPLOY));
    let shadow = format!("http://{}", stage.envoy.addr(REPORTS));
    let upstream = format!("http://{}", stage.upstream.addr());
    let admin = format!("http://{}", stage.envoy.admin_addr());
    let log = stage.envoy.log_path();
    let json = "-H 'content-type: application/json'";
    let mint = |spec: &str| {
        format!(
            r#"TOKEN=$(curl -s {issuer}/mint {json} -d '{spec}' | sed 's/.*"token":"\([^"]*\)".*/\1/')"#
        )
    };
    // The status on a line of its own, after the answer.
    let curl = r"curl -sw '\n%{http_code}\n'";
    let deploy =
        format!(r#"{curl} -X POST {gate}/deploy/production/eu -H "authorization: Bearer $TOKEN""#);

    writeln!(out, "\n{}", paint.bold("It stays up until Ctrl-C."))?;
    for (what, address) in [
        ("gate", &gate),
        ("gate in shadow mode", &shadow),
        ("issuer", &issuer),
        ("upstream", &upstream),
        ("Envoy's admin interface", &admin),
    ] {
        writeln!(out, "  {what:24}{address}")?;
    }
    for (what, commands) in [
        (
            "the right pipeline: the upstream echoes what it saw",
            vec![mint("{}"), deploy.clone()],
        ),
        (
            "another branch",
            vec![
                mint(r#"{"claims":{"build_branch":"feature/x"}}"#),
                deploy.clone(),
            ],
        ),
        (
            "forged identity headers beside a good token",
            vec![
                mint("{}"),
                format!("{deploy} -H 'x-jobgate-branch: forged' -H 'x_jobgate_pipeline: forged'"),
            ],
        ),
        (
            "the gate in shadow mode, without a token",
            vec![format!("{curl} {shadow}/reports/q3")],
        ),
        (
            "the upstream without a gate before it believes anything",
            vec![format!("{curl} {upstream}/ -H 'x-jobgate-branch: forged'")],
        ),
        (
            "a new signing key: mint again; the gate answers 503 until it has fetched the key, some 10 s",
            vec![format!(
                r#"{curl} {issuer}/keys/rotate {json} -d '{{"keep_old":true}}'"#
            )],
        ),
        (
            "a fault of the issuer (also status, delay_ms, body_bytes, disconnect), and its end",
            vec![
                format!(
                    r#"{curl} {issuer}/faults {json} -d '{{"endpoint":"jwks","fault":{{"garbage":true}}}}'"#
                ),
                format!(
                    r#"{curl} {issuer}/faults {json} -d '{{"endpoint":"jwks","fault":"none"}}'"#
                ),
            ],
        ),
        (
            "the decision records, and why keys could not be fetched",
            vec![format!("grep -o 'wasm log .*' {} | tail -5", log.display())],
        ),
    ] {
        writeln!(out, "\n{}", paint.dim(&format!("# {what}")))?;
        for command in commands {
            writeln!(out, "{command}")?;
        }
    }
    Ok(())
}
