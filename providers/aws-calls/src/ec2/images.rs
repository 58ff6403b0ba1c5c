//! Images of machines.

use aws_sdk_ec2::types::{self as sdk, ArchitectureValues, Filter};
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};

use super::Ec2;
use super::answers::{Page, every_page};

/// The longest page of `DescribeImages`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>).
const PAGE: i32 = 1000;

/// What a machine's programs are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64 bits, by AMD and Intel: what EC2 calls `x86_64`.
    Amd64,
    /// 64 bits, by Arm: Graviton.
    Arm64,
    /// What keelson is not made for.
    Other,
}

impl Architecture {
    pub(super) fn read(name: &str) -> Self {
        match name {
            "x86_64" => Self::Amd64,
            "arm64" => Self::Arm64,
            _ => Self::Other,
        }
    }

    fn written(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => Some("x86_64"),
            Self::Arm64 => Some("arm64"),
            Self::Other => None,
        }
    }
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id in this region, `ami-…`.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// The account that it is of.
    pub owner: String,
    /// What it is made for.
    pub architecture: Architecture,
    /// What its root volume is called, for example `/dev/sda1`.
    pub root_device: String,
    /// Since when it is there.
    pub created: Option<Timestamp>,
    /// Whether instances can be started with it.
    pub available: bool,
}

impl Ec2 {
    /// The image with this id, if there is one that this account may see.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, CallError> {
        const ACTION: &str = "DescribeImages";
        let call = self.clients.patient.describe_images().image_ids(id);
        let answer = match call.send().await.called(ACTION) {
            Err(error) if error.is_absent() => return Ok(None),
            answer => answer?,
        };
        let found = answer.images.unwrap_or_default().into_iter().next();
        found.map(known).transpose()
    }

    /// The newest available image of `owner` whose whole name fits `pattern`, in which `*` stands for any characters.
    ///
    /// The owner is an account: anybody can give an image of his own a name like that of another.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn newest_image(
        &self,
        owner: &str,
        pattern: &str,
        architecture: Architecture,
    ) -> Result<Option<Image>, CallError> {
        const ACTION: &str = "DescribeImages";
        let Some(architecture) = architecture.written() else {
            return Ok(None);
        };
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let filters = vec![
            filter("name", pattern),
            filter("architecture", architecture),
            filter("state", "available"),
        ];
        let images = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_images().owners(owner);
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.images, answer.next_token))
            }
        })
        .await?;
        let images: Vec<Image> = images.into_iter().map(known).collect::<Result<_, _>>()?;
        Ok(newest(images))
    }
}

/// The one that was created last. Of two at once the one whose name, then whose id comes last, so that the answer does not depend
/// on their order; one that does not say when it was created is older than all others.
fn newest(images: Vec<Image>) -> Option<Image> {
    let age = |image: &Image| (image.created, image.name.clone(), image.id.clone());
    images.into_iter().filter(|image| image.available).max_by_key(age)
}

fn known(image: sdk::Image) -> Result<Image, CallError> {
    read(image).ok_or_else(|| CallError::strange("DescribeImages", "id of an image"))
}

fn read(image: sdk::Image) -> Option<Image> {
    let architecture = image.architecture.as_ref().map_or("", ArchitectureValues::as_str);
    Some(Image {
        id: image.image_id?,
        name: image.name.unwrap_or_default(),
        owner: image.owner_id.unwrap_or_default(),
        architecture: Architecture::read(architecture),
        root_device: image.root_device_name.unwrap_or_default(),
        created: image.creation_date.and_then(|date| date.parse().ok()),
        available: image.state == Some(sdk::ImageState::Available),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, created: &str, state: &str) -> Image {
        let image = sdk::Image::builder()
            .image_id(id)
            .name("ubuntu")
            .architecture("x86_64".into());
        read(image.creation_date(created).state(state.into()).build()).unwrap()
    }

    #[test]
    fn the_newest_image_is_the_one_that_was_created_last() {
        let available = |id: &str, created: &str| image(id, created, "available");
        let cases = [
            (vec![], None),
            (vec![available("a", "2026-08-15T06:12:31.000Z")], Some("a")),
            (
                vec![
                    available("a", "2026-08-15T06:12:31.000Z"),
                    available("b", "2026-11-04T06:40:02Z"),
                    available("c", "2025-12-31T23:59:59.999Z"),
                ],
                Some("b"),
            ),
            // At once: not by their order.
            (
                vec![
                    available("b", "2026-11-04T06:40:02Z"),
                    available("a", "2026-11-04T06:40:02.000Z"),
                ],
                Some("b"),
            ),
            (
                vec![available("a", "2001-01-01T00:00:00Z"), available("b", "soon")],
                Some("a"),
            ),
            (vec![available("b", "soon")], Some("b")),
            (
                vec![
                    available("a", "2026-08-15T06:12:31.000Z"),
                    image("b", "2026-11-04T06:40:02Z", "pending"),
                ],
                Some("a"),
            ),
        ];
        for (images, expected) in cases {
            let mut reversed = images.clone();
            reversed.reverse();
            for images in [images, reversed] {
                let found = newest(images.clone()).map(|image| image.id);
                assert_eq!(found.as_deref(), expected, "{images:?}");
            }
        }
    }

    #[test]
    fn architectures_are_read_as_they_are_written() {
        for architecture in [Architecture::Amd64, Architecture::Arm64] {
            let written = architecture.written().unwrap();
            assert_eq!(Architecture::read(written), architecture);
        }
        for other in ["", "i386", "x86_64_mac", "arm64_mac"] {
            assert_eq!(Architecture::read(other), Architecture::Other, "{other}");
        }
    }
}
