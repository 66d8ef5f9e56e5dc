//! Tests, files and links that documents name exist.

use super::{document, root, sources};

const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "docs/control-protocol.md",
    "docs/dependencies.md",
    "docs/faults.md",
    "docs/feed.md",
    "docs/luci.md",
    "docs/openwrt.md",
    "docs/privileges.md",
    "docs/settings.md",
    "docs/state-files.md",
    "docs/vendors.md",
];

#[test]
fn every_test_that_a_fault_names_exists() {
    let mut functions = std::collections::HashSet::new();
    for file in sources(&root().join("src")).iter().chain(&sources(&root().join("tests"))) {
        let text = std::fs::read_to_string(file).expect("a source is text");
        functions.extend(text.lines().filter_map(|line| {
            let line = line.trim();
            // Those of pages in a browser have sentences for names.
            if let Some(named) = line.strip_prefix("test('") {
                return Some(named.split_once("', ")?.0.replace("\\'", "'"));
            }
            // Those of packages are written in Python.
            let named = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "))?;
            Some(named.split_once('(')?.0.to_owned())
        }));
    }
    let text = document("docs/faults.md");
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault")) {
        let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test is named: {row}");
        for test in tests {
            if let Some(case) = test.strip_prefix("cases/") {
                assert!(root().join("tests/qemu/cases").join(case).is_file(), "there is no case {test}: {row}");
                continue;
            }
            let name = test.rsplit("::").next().unwrap_or(test);
            assert!(functions.contains(name), "there is no test {test}: {row}");
        }
        rows += 1;
    }
    assert!(rows > 10, "the table is gone");
}

#[test]
fn every_link_within_the_tree_leads_somewhere() {
    for name in DOCUMENTS {
        let text = document(name);
        let folder = root().join(name);
        let folder = folder.parent().expect("a document lies in a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            match link.split_once('#') {
                Some(("", heading)) => assert!(headings(&text).any(|found| found == heading), "{name}: #{heading}"),
                Some((file, _)) => assert!(folder.join(file).exists(), "{name}: {link}"),
                None => assert!(folder.join(link).exists(), "{name}: {link}"),
            }
        }
    }
}

/// How headings are linked to.
fn headings(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        line.trim_start_matches(['#', ' '])
            .to_lowercase()
            .replace(' ', "-")
            .replace(|c: char| !c.is_alphanumeric() && c != '-', "")
    })
}
