//! From glacic's verdict to the kernel's: a pure table over placement.

use crate::config::settings::Placement;
use crate::flow::Verdict;

/// What the kernel is told about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// On to the next base chain: fw4 still judges.
    Accept,
    /// The same, with the bits of `option mark` OR-ed into the packet's own mark: fw4's include accepts it.
    AcceptMarked,
    Drop,
}

/// The kernel's verdict for `verdict` in `placement`.
pub const fn answer(verdict: Verdict, placement: Placement) -> Answer {
    match (placement, verdict) {
        (_, Verdict::Deny) => Answer::Drop,
        (_, Verdict::Ignore) => Answer::Accept,
        (Placement::Guard, Verdict::Pass) => Answer::Accept,
        (Placement::Guard, Verdict::Refuse) => Answer::Drop,
        (Placement::Fallback, Verdict::Pass) => Answer::AcceptMarked,
        // fw4 refuses what carries no mark; a drop here would hide its logging and its kinder rejects.
        (Placement::Fallback, Verdict::Refuse) => Answer::Accept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        use Answer::*;
        let table = [
            (Placement::Guard, Verdict::Pass, Accept),
            (Placement::Guard, Verdict::Ignore, Accept),
            (Placement::Guard, Verdict::Refuse, Drop),
            (Placement::Guard, Verdict::Deny, Drop),
            (Placement::Fallback, Verdict::Pass, AcceptMarked),
            (Placement::Fallback, Verdict::Ignore, Accept),
            (Placement::Fallback, Verdict::Refuse, Accept),
            (Placement::Fallback, Verdict::Deny, Drop),
        ];
        for (placement, verdict, expected) in table {
            assert_eq!(answer(verdict, placement), expected, "{placement:?} {verdict:?}");
        }
    }
}
