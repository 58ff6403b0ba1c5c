//! Names of load balancers and target groups, of which a region has one each.

use keelson_aws_calls::elb::LONGEST_NAME;

/// So many hexadecimal digits tell one life of a cluster from another.
const DIGITS: usize = 12;
/// Elastic Load Balancing takes no name that begins with this and a hyphen
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).
const RESERVED: &str = "internal";

/// A name that says cluster and resource to people, and by the beginning of `token` whose it is and which incarnation.
pub(super) fn name(cluster: &str, resource: &str, token: &str) -> String {
    let mut words = String::new();
    for character in format!("{cluster}-{resource}").chars() {
        if character.is_ascii_alphanumeric() {
            words.push(character);
        } else if !words.is_empty() && !words.ends_with('-') {
            words.push('-');
        }
    }
    if words.is_empty() || words.starts_with(RESERVED) {
        words.insert_str(0, "keelson-");
    }
    words.truncate(LONGEST_NAME - DIGITS - 1);
    let digits: String = token.chars().take(DIGITS).collect();
    format!("{}-{digits}", words.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_api_takes_and_say_whose_they_are() {
        let token = "0123456789abcdef0123456789abcdef";
        let cases = [
            ("foo", "api", "foo-api-0123456789ab"),
            ("prod.example.com", "api", "prod-example-com-ap-0123456789ab"),
            (
                "a.very-long.name.of.a.cluster",
                "api",
                "a-very-long-name-of-0123456789ab",
            ),
            ("cut-at.the-hyphen--x", "api", "cut-at-the-hyphen-x-0123456789ab"),
            ("eighteen-letters-x", "api", "eighteen-letters-x-0123456789ab"),
            ("a--b..c", "api", "a-b-c-api-0123456789ab"),
            ("internal.example", "api", "keelson-internal-ex-0123456789ab"),
            ("internal", "", "keelson-internal-0123456789ab"),
            ("", "", "keelson-0123456789ab"),
        ];
        for (cluster, resource, expected) in cases {
            let name = name(cluster, resource, token);
            assert_eq!(name, expected);
            assert!(name.len() <= LONGEST_NAME && !name.contains("--"), "{name}");
        }
    }
}
