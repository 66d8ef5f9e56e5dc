//! What the documents say, held against what is so: the commands of README.md are run, and tables in `docs/` are
//! compared with the code they tell about. `GLACIC_BLESS=1 cargo test --test docs` rewrites what is made of the code.

mod markdown;
mod named;
#[cfg(target_os = "linux")]
mod readme;
mod tables;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document's text.
fn document(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// Every file of code below `folder`, other people's aside.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| ["rs", "py", "mjs"].iter().any(|known| extension == *known))
        {
            found.push(path);
        }
    }
    found
}
