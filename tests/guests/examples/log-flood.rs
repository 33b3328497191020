//! `log-flood`: logs a thousand lines of 4 KiB, then answers honestly.

use wastegate_policy::prelude::*;
use wastegate_test_guests::{honest, named};

struct LogFlood;

impl Policy for LogFlood {
    const MANIFEST: Manifest = named("log-flood");

    fn rank(_call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        for _ in 0..1_000 {
            log(Level::Info, LINE);
        }
        Ok(honest(rows))
    }
}

export!(LogFlood);

const LINE: &str = match str::from_utf8(&[b'x'; 4_096]) {
    Ok(line) => line,
    Err(_) => "",
};
