//! Medians, and ratios with the goal beside each. A line that begins with `=` is a result: scripts/bench gathers them.

/// The value in the middle; of an even number of values the upper one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of what two rows of rounds come to, pair by pair: rounds that ran one after the other share their noise.
pub fn paired(of: &[f64], against: &[f64]) -> f64 {
    median(of.iter().zip(against).map(|(of, against)| of / against).collect())
}

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints a ratio and its goal.
pub fn ratio(what: &str, ratio: f64, goal: Goal) {
    let (sign, wanted, met) = match goal {
        Goal::AtLeast(wanted) => ("≥", wanted, ratio >= wanted),
        Goal::AtMost(wanted) => ("≤", wanted, ratio <= wanted),
    };
    let word = if met { "met" } else { "MISSED" };
    println!("= {what:<66} {ratio:8.2} ×   {sign} {wanted:<5} {word}");
}

/// Prints a result that is right or wrong.
pub fn holds(what: &str, found: &str, met: bool) {
    let word = if met { "met" } else { "MISSED" };
    println!("= {what:<66} {found:>10}           {word}");
}

/// Prints a goal that cannot be measured here.
pub fn unmeasured(what: &str, why: &str) {
    println!("= {what:<66} {:>10}           {why}", "-");
}

/// Prints a figure that has no goal.
pub fn figure(what: &str, value: f64, unit: &str) {
    println!("  {what:<66} {value:8.1} {unit}");
}
