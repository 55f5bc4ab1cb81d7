//! libFuzzer around the target that `WHARF_FUZZ` names. See `tests/fuzz/run`.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::{TARGETS, Target, target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("WHARF_FUZZ").unwrap_or_default();
        let Some(found) = target(&name) else {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            panic!("WHARF_FUZZ is {name:?}; it can be {}", names.join(", "));
        };
        CHOSEN.get_or_init(|| found);
    },
    |bytes: &[u8]| {
        if let Some(target) = CHOSEN.get() {
            (target.feed)(bytes);
        }
    }
);
