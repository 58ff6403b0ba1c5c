//! Numbers and durations as people read them.

use std::time::Duration;

/// A duration in its two largest units: `850ms`, `12s`, `4m 10s`, `2h 5m`, `3d 4h`.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(keelson::view::duration(Duration::from_secs(250)), "4m 10s");
/// ```
pub fn duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = duration.as_secs();
    if seconds == 0 {
        return if duration.is_zero() {
            "0s".to_owned()
        } else {
            format!("{}ms", duration.as_millis().max(1))
        };
    }
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (size, unit) in UNITS {
        if rest >= size || !parts.is_empty() {
            parts.push((rest / size, unit));
            rest %= size;
        }
    }
    let shown = parts
        .iter()
        .take(2)
        .enumerate()
        .filter(|(index, (count, _))| *index == 0 || *count > 0);
    shown
        .map(|(_, (count, unit))| format!("{count}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A count with its noun: `1 step`, `3 steps`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// Someone else's words, such as a provider's, on one line and without what would move the cursor or change colours.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\t' => printable.push(' '),
            control if control.is_control() => printable.extend(control.escape_default()),
            other => printable.push(other),
        }
    }
    printable
}

/// A number of bytes in the largest unit that divides it: `1 MiB`.
pub fn size(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    UNITS
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(
            || plural(bytes, "byte"),
            |(unit, name)| format!("{} {name}", bytes / unit),
        )
}

/// A number of bytes as people compare them: `512 B`, `20 KiB`, `1.5 MiB`. Rounded down to a tenth.
pub(super) fn approximate_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    let Some((unit, name)) = unit else {
        return format!("{bytes} B");
    };
    let (whole, tenths) = (bytes / unit, bytes % unit * 10 / unit);
    if tenths == 0 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{tenths} {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (20_480, "20 KiB"),
            (1_600_000, "1.5 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(approximate_size(bytes), expected);
        }
    }

    #[test]
    fn words_of_others_cannot_steer_the_terminal() {
        let table = [
            ("quota exceeded", "quota exceeded"),
            ("two\nlines\n", "two lines"),
            ("\x1b[2Jgone \u{9b}2J\r", "\\u{1b}[2Jgone \\u{9b}2J"),
        ];
        for (text, expected) in table {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn durations_read_well() {
        let table = [
            (0, "0s"),
            (3, "3ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (60_000, "1m"),
            (250_000, "4m 10s"),
            (7_500_000, "2h 5m"),
            (86_400_000 + 3_600_000 * 4, "1d 4h"),
        ];
        for (milliseconds, expected) in table {
            assert_eq!(duration(Duration::from_millis(milliseconds)), expected);
        }
    }
}
