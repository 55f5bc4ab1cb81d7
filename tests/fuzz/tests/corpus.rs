//! The corpus goes through every parser: what once was found stays mended, and each parser has something to begin with.

use std::path::Path;

use wharf_fuzz::TARGETS;

#[test]
fn nothing_in_the_corpus_breaks_a_parser() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut inputs = Vec::new();
    for folder in std::fs::read_dir(&corpus).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name} is no target");
        for file in std::fs::read_dir(folder).unwrap() {
            inputs.push((name.clone(), std::fs::read(file.unwrap().path()).unwrap()));
        }
    }
    for target in TARGETS {
        assert!(inputs.iter().any(|(name, _)| name == target.name), "{} has no corpus", target.name);
        // One parser's good input is another's bad one.
        for (_, bytes) in &inputs {
            for end in [bytes.len(), bytes.len() / 2, bytes.len().saturating_sub(1)] {
                (target.feed)(&bytes[..end]);
            }
        }
    }
}
