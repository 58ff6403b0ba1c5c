//! The name that was probably meant.

/// The one of `known` that is nearest to `given`, unless all are far.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Names past this length are no slips of the finger, and comparing them would cost.
    const LIMIT_CHARS: usize = 80;
    /// Nor is it worth comparing with more names than a reader would look through.
    const LIMIT_NAMES: usize = 200;
    if given.len() > LIMIT_CHARS {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
    let given_plain = plain(given);
    let distance = |name: &str| {
        let name = plain(name);
        if !given_plain.is_empty() && (name == format!("{given_plain}s") || format!("{name}s") == given_plain)
        {
            return 0;
        }
        strsim::osa_distance(&given_plain, &name)
    };
    known
        .take(LIMIT_NAMES)
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= 1.max(name.chars().count().min(given.chars().count()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = [
            "name",
            "replicas",
            "maxUnavailable",
            "podCIDR",
            "kubernetesVersion",
        ];
        let table = [
            ("replica", Some("replicas")),
            ("max_unavailable", Some("maxUnavailable")),
            ("podCidr", Some("podCIDR")),
            ("kubernetesVerison", Some("kubernetesVersion")),
            ("banana", None),
            ("", None),
        ];
        for (given, expected) in table {
            assert_eq!(nearest(given, known.into_iter()), expected, "{given}");
        }
    }
}
