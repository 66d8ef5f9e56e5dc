//! Moments and spans in words.

use std::time::Duration;

use crate::flow::Wall;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The wall clock, read at the edge. As the daemon does it: the standard library's ends in 2038 on 32 bits, with a panic.
#[cfg(target_os = "linux")]
pub fn now() -> Wall {
    crate::daemon::now().wall
}

#[cfg(not(target_os = "linux"))]
pub fn now() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Wall { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX) }
}

/// How long ago `then` was, for people: `3m ago`. Two units never say more than one, at this distance.
pub fn ago(then: Wall, now: Wall) -> String {
    if !then.is_set() {
        return "before the clock was set".to_owned();
    }
    match u64::try_from(now.seconds.saturating_sub(then.seconds)) {
        // A clock that was set back, or is not set yet: the moment is known, the distance is not.
        Err(_) => format!("on {}", date(then)),
        Ok(0..2) => "just now".to_owned(),
        Ok(seconds) => format!("{} ago", span(Duration::from_secs(seconds))),
    }
}

/// A span in its largest unit: `45s`, `3m`, `23h`, `400d`.
pub fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..MINUTE => format!("{seconds}s"),
        seconds @ ..HOUR => format!("{}m", seconds / MINUTE),
        // As with sleep: 36 hours are more telling than a day.
        seconds if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        seconds => format!("{}d", seconds / DAY),
    }
}

/// A moment in UTC: `2026-11-22 08:41:08Z`. A router's tools rarely agree on its time zone.
pub fn moment(at: Wall) -> String {
    if !at.is_set() {
        return "(clock not set)     ".to_owned();
    }
    let second = at.seconds.rem_euclid(86_400);
    format!("{} {:02}:{:02}:{:02}Z", date(at), second / 3600, second / 60 % 60, second % 60)
}

/// The day in UTC, in the Gregorian calendar, up to the year 9999.
fn date(at: Wall) -> String {
    const LAST: i64 = 253_402_300_799;
    let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let mut days = at.seconds.clamp(0, LAST) / 86_400;
    let mut year = 1970;
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 08:41:08 UTC.
    const NOW: Wall = Wall { seconds: 1_795_336_868 };

    fn before(seconds: i64) -> Wall {
        Wall { seconds: NOW.seconds - seconds }
    }

    #[test]
    fn distance_is_told_in_one_unit() {
        for (seconds, told) in [
            (0, "just now"),
            (1, "just now"),
            (2, "2s ago"),
            (59, "59s ago"),
            (60, "1m ago"),
            (3599, "59m ago"),
            (3600, "1h ago"),
            (47 * 3600, "47h ago"),
            (48 * 3600, "2d ago"),
            (300 * 86_400, "300d ago"),
        ] {
            assert_eq!(ago(before(seconds), NOW), told);
        }
    }

    #[test]
    fn an_unset_clock_is_named_and_never_subtracted() {
        assert_eq!(ago(Wall { seconds: 77 }, NOW), "before the clock was set");
        assert_eq!(ago(Wall { seconds: 77 }, Wall { seconds: 80 }), "before the clock was set");
        assert_eq!(ago(Wall { seconds: i64::MIN }, NOW), "before the clock was set");
    }

    #[test]
    fn a_moment_ahead_of_the_clock_is_told_by_its_date() {
        assert_eq!(ago(before(-86_400), NOW), "on 2026-11-23");
        assert_eq!(ago(NOW, Wall { seconds: 12 }), "on 2026-11-22");
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(moment(NOW), "2026-11-22 08:41:08Z");
        assert_eq!(moment(Wall { seconds: 1_835_438_399 }), "2028-02-29 11:59:59Z");
        assert_eq!(moment(Wall { seconds: 4_102_444_800 }), "2100-01-01 00:00:00Z");
        assert_eq!(moment(Wall { seconds: 1_798_761_599 }), "2026-12-31 23:59:59Z");
        assert_eq!(moment(Wall { seconds: 1_798_761_600 }), "2027-01-01 00:00:00Z");
        assert!(moment(Wall { seconds: i64::MAX }).starts_with("9999-12-31"));
        assert_eq!(moment(Wall { seconds: 5 }).len(), moment(NOW).len());
    }
}
