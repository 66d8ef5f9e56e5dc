//! How often tests repeat what they repeat by the thousand. `GLACIC_TEST_DIVIDE=20` lets them do it that much less often:
//! for emulated processors (cross/foreign), where a second is a minute. No test is left out by it.

/// `often`, or a part of it, but never less than `least`: what the test is about must still happen.
pub fn times(often: u32, least: u32) -> u32 {
    let divide = std::env::var("GLACIC_TEST_DIVIDE").ok().and_then(|text| text.parse::<u32>().ok());
    often.checked_div(divide.unwrap_or(1)).unwrap_or(often).max(least)
}
