//! A module that dies on demand. The gate never traps as far as anybody knows, and what becomes of its keys if it
//! does is to be tested all the same.

/// A copy of a module in which the exported function `export` traps.
///
/// Nothing else changes, not even a length: every instruction of the function's body becomes `unreachable`.
///
/// # Panics
///
/// If this is no module, or exports no such function of its own.
pub fn trapping(module: &[u8], export: &str) -> Vec<u8> {
    let (mut imported, mut function, mut bodies) = (0, None, None);
    let mut at = 8; // After the magic number and the version.
    while at < module.len() {
        let id = module[at];
        at += 1;
        let size = number(module, &mut at);
        let end = at + size;
        match id {
            2 => imported = imported_functions(module, at),
            7 => function = exported_function(module, at, export),
            10 => bodies = Some(at),
            _ => {}
        }
        at = end;
    }
    let (function, mut at) = function
        .zip(bodies)
        .expect("the module exports this function");
    let nth = function - imported;
    assert!(nth < number(module, &mut at));
    for _ in 0..nth {
        let size = number(module, &mut at);
        at += size;
    }
    let size = number(module, &mut at);
    let end = at + size;
    for _ in 0..number(module, &mut at) {
        number(module, &mut at); // How many locals
        at += 1; // of which type.
    }
    let mut module = module.to_vec();
    // All but the `end` that closes the body.
    module[at..end - 1].fill(0);
    module
}

fn exported_function(module: &[u8], mut at: usize, export: &str) -> Option<usize> {
    (0..number(module, &mut at)).find_map(|_| {
        let name = text(module, &mut at);
        let kind = module[at];
        at += 1;
        let index = number(module, &mut at);
        (kind == 0 && name == export.as_bytes()).then_some(index)
    })
}

fn imported_functions(module: &[u8], mut at: usize) -> usize {
    let count = number(module, &mut at);
    (0..count)
        .filter(|_| {
            text(module, &mut at);
            text(module, &mut at);
            let kind = module[at];
            at += 1;
            // The host's functions are all that the gate imports: of memories and tables nothing is known here.
            assert_eq!(kind, 0, "an import that is no function");
            number(module, &mut at);
            true
        })
        .count()
}

fn text<'a>(module: &'a [u8], at: &mut usize) -> &'a [u8] {
    let length = number(module, at);
    let text = &module[*at..*at + length];
    *at += length;
    text
}

/// An unsigned LEB128 number.
fn number(module: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = module[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}
