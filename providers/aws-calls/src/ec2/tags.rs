//! Tags as EC2 has them.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::Ec2;

impl Ec2 {
    /// Gives `ids` these tags too, for what a create call cannot tag; a tag that is there gets the new value.
    ///
    /// An id that is not there makes EC2 refuse the whole call
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>).
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn create_tags(&self, ids: &[String], tags: &Tags) -> Result<(), CallError> {
        if ids.is_empty() || tags.is_empty() {
            return Ok(());
        }
        self.clients
            .patient
            .create_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(written(tags)))
            .send()
            .await
            .called("CreateTags")?;
        Ok(())
    }
}

/// The tags of what a create call makes, as a part of that call.
pub(super) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(written(tags)))
        .build()
}

/// Tags as EC2 takes them.
pub(super) fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// Tags as EC2 answers them: one without a value has an empty one.
pub(super) fn read(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_were_written() {
        let pairs = [("a", "1"), ("b", ""), ("keelson.dev/cluster", "u1")];
        let tags: Tags = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        assert_eq!(read(Some(written(&tags))), tags);
        assert_eq!(read(specification(ResourceType::Vpc, &tags).tags), tags);
        assert_eq!(read(None), Tags::new());
    }
}
