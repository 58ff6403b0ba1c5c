//! The images that machines are started from.

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Architecture, Ec2, Image};

/// What a machine runs whose image nobody chose.
const USUAL: &str = "ubuntu-24.04";

/// How the ids of images begin.
const ID: &str = "ami-";

/// An image that a spec can name.
struct Named {
    /// What the spec calls it.
    name: &'static str,
    /// The account that it is of: anybody can give an image a name like it.
    owner: &'static str,
    /// What its owner calls it, with `*` for any characters: for each architecture, with the date of its making after it.
    amd64: &'static str,
    arm64: &'static str,
}

/// Canonical says where its images are at <https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/>, Debian at
/// <https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm>. Both accounts are those of the commercial regions. Dates begin with
/// the century, and Debian's daily builds with a word.
const NAMED: &[Named] = &[
    Named {
        name: "ubuntu-24.04",
        owner: "099720109477",
        amd64: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20*",
        arm64: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20*",
    },
    Named {
        name: "debian-12",
        owner: "136693071363",
        amd64: "debian-12-amd64-20*",
        arm64: "debian-12-arm64-20*",
    },
];

/// How the image of a machine is known, whichever it comes to be.
pub(crate) enum ImageSource<'a> {
    /// By its id.
    Id(&'a str),
    /// By its name, among those of this account.
    Owner(&'static str),
    /// It is not: no machine is started from it.
    Unknown,
}

/// How the image is known that the spec calls `image`, or what is taken where it calls none.
pub(crate) fn image_source(image: Option<&str>) -> ImageSource<'_> {
    let wanted = wanted(image);
    if wanted.starts_with(ID) {
        return ImageSource::Id(wanted);
    }
    let named = NAMED.iter().find(|named| named.name == wanted);
    named.map_or(ImageSource::Unknown, |named| ImageSource::Owner(named.owner))
}

/// What the spec's word for an image comes to.
#[derive(Debug)]
pub(crate) enum Found {
    /// This one.
    Image(Image),
    /// There is none, for this reason: a lower-case fragment.
    None(String),
}

/// What the image is called in the spec, or would be, where it says none.
pub(super) fn wanted(image: Option<&str>) -> &str {
    image.unwrap_or(USUAL)
}

/// The image that the spec calls `image`, for machines whose processors run `architectures`: of those with a name, the newest.
pub(crate) async fn find(
    ec2: &Ec2,
    image: Option<&str>,
    architectures: &[Architecture],
) -> Result<Found, CallError> {
    let wanted = wanted(image);
    let Some(architecture) = first_of(architectures) else {
        let none = "its machine type runs neither amd64 nor arm64".to_owned();
        return Ok(Found::None(none));
    };
    if wanted.starts_with(ID) {
        let image = ec2.image(wanted).await?;
        return Ok(judge(wanted, image, architectures));
    }
    let Some(named) = NAMED.iter().find(|named| named.name == wanted) else {
        let names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
        let none = format!(
            "`{wanted}` is neither the id of an image nor one of {}",
            names.join(", ")
        );
        return Ok(Found::None(none));
    };
    let pattern = match architecture {
        Architecture::Arm64 => named.arm64,
        _ => named.amd64,
    };
    let newest = ec2.newest_image(named.owner, pattern, architecture).await?;
    Ok(newest.map_or_else(
        || {
            Found::None(format!(
                "the account {} has no image `{pattern}` here",
                named.owner
            ))
        },
        Found::Image,
    ))
}

/// What programs of a machine are made for, whose processors run all of these.
fn first_of(architectures: &[Architecture]) -> Option<Architecture> {
    let known = [Architecture::Amd64, Architecture::Arm64];
    known.into_iter().find(|one| architectures.contains(one))
}

fn judge(wanted: &str, image: Option<Image>, architectures: &[Architecture]) -> Found {
    match image {
        None => Found::None(format!(
            "there is no {wanted} in this region that this account may see"
        )),
        Some(image) if !image.available => {
            Found::None(format!("{wanted} cannot be used: it is not available"))
        }
        Some(image) if !architectures.contains(&image.architecture) => {
            let made_for = text(image.architecture);
            Found::None(format!(
                "{wanted} is made for {made_for}, and its machine type runs {}",
                all(architectures)
            ))
        }
        Some(image) => Found::Image(image),
    }
}

fn all(architectures: &[Architecture]) -> String {
    let mut names: Vec<&str> = architectures.iter().copied().map(text).collect();
    names.dedup();
    names.join(" and ")
}

fn text(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "amd64",
        Architecture::Arm64 => "arm64",
        Architecture::Other => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_by_its_id_has_to_be_usable_by_its_machine() {
        let image = Image {
            id: "ami-1".to_owned(),
            name: String::new(),
            owner: "111122223333".to_owned(),
            architecture: Architecture::Arm64,
            root_device: "/dev/xvda".to_owned(),
            created: None,
            available: true,
        };
        let unavailable = Image {
            available: false,
            ..image.clone()
        };
        let amd64 = [Architecture::Other, Architecture::Amd64];
        let arm64 = [Architecture::Arm64];
        let cases: [(Option<Image>, &[Architecture], Option<&str>); 4] = [
            (Some(image.clone()), &arm64, None),
            (
                Some(image),
                &amd64,
                Some("ami-1 is made for arm64, and its machine type runs something else and amd64"),
            ),
            (
                Some(unavailable),
                &arm64,
                Some("ami-1 cannot be used: it is not available"),
            ),
            (
                None,
                &arm64,
                Some("there is no ami-1 in this region that this account may see"),
            ),
        ];
        for (image, architectures, expected) in cases {
            match judge("ami-1", image, architectures) {
                Found::Image(_) => assert_eq!(expected, None),
                Found::None(why) => assert_eq!(Some(why.as_str()), expected),
            }
        }
    }

    #[test]
    fn what_a_machine_runs_is_what_its_processors_do() {
        let cases: [(&[Architecture], Option<Architecture>); 4] = [
            (
                &[Architecture::Other, Architecture::Amd64],
                Some(Architecture::Amd64),
            ),
            (&[Architecture::Arm64], Some(Architecture::Arm64)),
            (&[Architecture::Other], None),
            (&[], None),
        ];
        for (architectures, expected) in cases {
            assert_eq!(first_of(architectures), expected, "{architectures:?}");
        }
    }
}
