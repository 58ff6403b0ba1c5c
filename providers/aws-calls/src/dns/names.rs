//! Names as they are compared.

/// A name as this crate shows and compares it: in lower case, without the dot at its end, with `*` for what Route 53 answers as
/// `\052` (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>).
pub(super) fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase().replace("\\052", "*")
}

/// An id without the kind that Route 53 answers before it: `/hostedzone/Z1` is `Z1`.
pub(super) fn bare_id(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_brought_to_one_form() {
        let names = [
            ("api.Example.com.", "api.example.com"),
            ("api.example.com", "api.example.com"),
            ("\\052.example.com.", "*.example.com"),
        ];
        for (given, expected) in names {
            assert_eq!(plain(given), expected);
        }
        let ids = [("/hostedzone/Z1", "Z1"), ("/change/C1", "C1"), ("Z1", "Z1")];
        for (given, expected) in ids {
            assert_eq!(bare_id(given), expected);
        }
    }
}
