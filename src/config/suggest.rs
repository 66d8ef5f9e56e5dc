//! What somebody may have meant who wrote something else.

use super::options::options;
use super::uci::quote;

/// The message about an option that this kind of section does not have.
pub(super) fn unknown_option(name: &str, section: &str) -> String {
    let options = options();
    let here = options.iter().filter(|option| option.section == section).map(|option| option.name);
    let hint = match options.iter().find(|option| option.name == name) {
        Some(elsewhere) => format!(" (it belongs into config {})", elsewhere.section),
        None => nearest(name, here).map(did_you_mean).unwrap_or_default(),
    };
    format!("option {}: section {section} has no such option{hint}", quote(name))
}

pub(super) fn did_you_mean(name: &str) -> String {
    format!(" (did you mean {name}?)")
}

/// The candidate that is written most like `word`, if any is.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer than any name there is; comparing takes the product of both lengths.
    const LONGEST: usize = 32;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let alike = |candidate: &str| match distance(&word, candidate) {
        // A third of the letters wrong is another word, unless it is only the beginning that was written.
        typos if typos.saturating_mul(3) <= candidate.len() => Some(typos),
        _ if word.len() >= 4 && candidate.starts_with(&word) => Some(candidate.len()),
        _ => None,
    };
    let scored = candidates.into_iter().filter_map(|candidate| Some((alike(candidate)?, candidate)));
    scored.min_by_key(|(score, _)| *score).map(|(_, candidate)| candidate)
}

/// How many letters have to be changed, put in, left out or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
    let mut above_that: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut left_of_x = None;
    for (i, x) in a.bytes().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        let mut left_of_y = None;
        for (j, y) in b.bytes().enumerate() {
            let changed = at(&above, j).saturating_add(usize::from(x != y));
            let added = at(&row, j).min(at(&above, j.saturating_add(1))).saturating_add(1);
            let swapped = match j.checked_sub(1) {
                Some(before) if left_of_x == Some(y) && left_of_y == Some(x) => {
                    at(&above_that, before).saturating_add(1)
                }
                _ => usize::MAX,
            };
            row.push(changed.min(added).min(swapped));
            left_of_y = Some(y);
        }
        left_of_x = Some(x);
        (above_that, above) = (above, row);
    }
    at(&above, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("mark", "mark", 0),
            ("gaurd", "guard", 1),
            ("zones", "zone", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn near_names() {
        let near =
            |word: &str| nearest(word, ["zone", "interface", "ignore_network", "learning_mode", "log_group", "hold"]);
        assert_eq!(near("zones"), Some("zone"));
        assert_eq!(near("ignore_networks"), Some("ignore_network"));
        assert_eq!(near("Ignore-Network"), Some("ignore_network"));
        assert_eq!(near("loggroup"), Some("log_group"));
        assert_eq!(near("learning"), Some("learning_mode"), "a beginning");
        assert_eq!(near("colour"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"zone".repeat(1000)), None);
    }

    #[test]
    fn an_option_of_another_section_is_told_where_it_belongs() {
        assert!(unknown_option("mac", "rule_learning").ends_with("(it belongs into config device)"));
    }
}
