//! OpenSSL: rsa.py, and what it says.

use crate::case::Case;
use crate::keys::Key;
use std::env;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running rsa.py.
pub(crate) struct OpenSsl {
    process: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
}

fn put(bytes: &[u8], text: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).expect("it is short");
    text.extend(length.to_be_bytes());
    text.extend(bytes);
}

impl OpenSsl {
    pub(crate) fn start(keys: &[Key]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python =
            env::var_os("JOBGATE_PYTHON").map_or(root.join(".venv/bin/python"), Into::into);
        let mut process = Command::new(&python)
            .arg("-B")
            .arg(root.join("test-harness/differential/rsa.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}\n`make setup` installs it", python.display())
            });
        let mut to = process.stdin.take().expect("it has an input");
        let from = process.stdout.take().expect("it has an output");
        let mut text = u32::try_from(keys.len())
            .expect("they are few")
            .to_be_bytes()
            .to_vec();
        for key in keys {
            put(&key.modulus(), &mut text);
            put(&key.exponent(), &mut text);
        }
        to.write_all(&text).expect("it reads the keys");
        Self {
            process,
            to: Some(to),
            from,
        }
    }

    /// Whether each signature is its message's.
    pub(crate) fn opinions(&mut self, cases: &[Case]) -> Vec<bool> {
        let mut batch = Vec::new();
        for case in cases {
            let scheme = u8::from(case.scheme.is_pss());
            let key = u8::try_from(case.key).expect("they are few");
            batch.extend([key, scheme, case.scheme.hash_bytes()]);
            put(&case.message, &mut batch);
            put(&case.signature, &mut batch);
        }
        let mut text = Vec::with_capacity(batch.len() + 4);
        put(&batch, &mut text);
        self.to
            .as_ref()
            .expect("it is open")
            .write_all(&text)
            .expect("it reads a batch");
        let mut verdicts = vec![0; cases.len()];
        self.from
            .read_exact(&mut verdicts)
            .expect("it has an opinion of each; `make setup` installs what it needs");
        verdicts.into_iter().map(|verdict| verdict == 1).collect()
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        self.to = None;
        _ = self.process.wait();
    }
}
