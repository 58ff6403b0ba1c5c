//! Flags of a component: keelson's, and what a user puts in their place.

/// A flag's name and value.
pub(super) type Argument = (String, String);

/// The flags of a component, each `--NAME=VALUE`: the defaults by name; a user's flags take the place of *all* defaults of
/// the same name and come last, in the user's order, each as often as it stands there (kubeadm since 1.36:
/// `cmd/kubeadm/app/util/arguments.go`).
pub(super) fn arguments(mut defaults: Vec<(&str, String)>, extra: &[Argument]) -> Vec<String> {
    defaults.retain(|(name, _)| !extra.iter().any(|(taken, _)| taken == name));
    // Several of one name keep their order.
    defaults.sort_by_key(|(name, _)| *name);
    let defaults = defaults
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"));
    let extra = extra.iter().map(|(name, value)| format!("--{name}={value}"));
    defaults.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_flags_take_the_place_of_all_defaults_of_their_name_and_keep_their_order() {
        let defaults = || {
            vec![
                ("profiling", "false".to_owned()),
                ("issuer", "one".to_owned()),
                ("issuer", "another".to_owned()),
            ]
        };
        let owned = |arguments: &[(&str, &str)]| -> Vec<Argument> {
            let arguments = arguments.iter();
            arguments
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        assert_eq!(
            arguments(defaults(), &[]),
            ["--issuer=one", "--issuer=another", "--profiling=false"]
        );
        let extra = owned(&[("v", "2"), ("issuer", "z"), ("issuer", "a"), ("issuer", "z")]);
        assert_eq!(
            arguments(defaults(), &extra),
            [
                "--profiling=false",
                "--v=2",
                "--issuer=z",
                "--issuer=a",
                "--issuer=z"
            ]
        );
    }
}
