//! Launch templates: what Auto Scaling groups start instances with.

use aws_sdk_ec2::types::{self as sdk, ResourceType};
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, every_page, time};
use super::launch::Launch;
use super::{Ec2, Filters, tags, template_data};

/// The longest page of `DescribeLaunchTemplates`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html>).
const PAGE: i32 = 200;
/// How many versions a call deletes at most
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html>).
const DELETED_AT_ONCE: usize = 200;

/// A launch template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// Its id, `lt-…`.
    pub id: String,
    /// The name that it was made with.
    pub name: String,
    /// The version that whoever names none means.
    pub default_version: i64,
    /// The version that was made last.
    pub latest_version: i64,
    /// What the template itself is marked with.
    pub tags: Tags,
}

/// A version of a launch template; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplateVersion {
    /// Its number; the first one is 1.
    pub number: i64,
    /// Whether it is the one that whoever names none means.
    pub is_default: bool,
    /// Since when it is there.
    pub created: Option<Timestamp>,
    /// What instances are started with; none when it says what no [`Launch`] is, since somebody else made it.
    pub launch: Option<Launch>,
}

impl Ec2 {
    /// Makes a launch template whose first version starts instances with `launch`, and says its id; the same template when it is
    /// asked for again with this token.
    ///
    /// # Errors
    /// When EC2 refuses, since the name is taken for example, the user data is too long, or EC2 cannot be asked.
    pub async fn create_launch_template(
        &self,
        name: &str,
        launch: &Launch,
        tags: &Tags,
        token: &str,
    ) -> Result<String, CallError> {
        const ACTION: &str = "CreateLaunchTemplate";
        self.clients
            .patient
            .create_launch_template()
            .launch_template_name(name)
            .launch_template_data(template_data::written(ACTION, launch)?)
            .tag_specifications(tags::specification(ResourceType::LaunchTemplate, tags))
            .client_token(token)
            .send()
            .await
            .called(ACTION)?
            .launch_template
            .and_then(|template| template.launch_template_id)
            .ok_or_else(|| CallError::strange(ACTION, "id of the launch template"))
    }

    /// Makes a version of a launch template that starts instances with `launch`, with nothing of those before, and says its
    /// number; the same version when it is asked for again with this token.
    ///
    /// # Errors
    /// When EC2 refuses, the user data is too long, or EC2 cannot be asked.
    pub async fn create_launch_template_version(
        &self,
        template: &str,
        launch: &Launch,
        token: &str,
    ) -> Result<i64, CallError> {
        const ACTION: &str = "CreateLaunchTemplateVersion";
        self.clients
            .patient
            .create_launch_template_version()
            .launch_template_id(template)
            .launch_template_data(template_data::written(ACTION, launch)?)
            .client_token(token)
            .send()
            .await
            .called(ACTION)?
            .launch_template_version
            .and_then(|version| version.version_number)
            .ok_or_else(|| CallError::strange(ACTION, "number of the version"))
    }

    /// The launch templates that fit all `filters`, for example `launch-template-name`.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn list_launch_templates(&self, filters: &Filters) -> Result<Vec<LaunchTemplate>, CallError> {
        const ACTION: &str = "DescribeLaunchTemplates";
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let templates = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_launch_templates();
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.launch_templates, answer.next_token))
            }
        })
        .await?;
        let known = |template| {
            read(template).ok_or_else(|| CallError::strange(ACTION, "id or version of a template"))
        };
        templates.into_iter().map(known).collect()
    }

    /// The default version of a launch template and the latest one, which may be the same; the older one first.
    ///
    /// # Errors
    /// When EC2 refuses, since the template is not there for example, or cannot be asked.
    pub async fn launch_template_versions(
        &self,
        template: &str,
    ) -> Result<Vec<LaunchTemplateVersion>, CallError> {
        const ACTION: &str = "DescribeLaunchTemplateVersions";
        let call = self.clients.patient.describe_launch_template_versions();
        let call = call
            .launch_template_id(template)
            .versions("$Default")
            .versions("$Latest");
        let answer = call.send().await.called(ACTION)?;
        let known = |version| read_version(version).ok_or_else(|| CallError::strange(ACTION, "number"));
        let versions = answer.launch_template_versions.unwrap_or_default();
        let mut versions: Vec<LaunchTemplateVersion> =
            versions.into_iter().map(known).collect::<Result<_, _>>()?;
        versions.sort_by_key(|version| version.number);
        versions.dedup_by_key(|version| version.number);
        Ok(versions)
    }

    /// Makes a version the one that whoever names none means.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn set_default_launch_template_version(
        &self,
        template: &str,
        number: i64,
    ) -> Result<(), CallError> {
        let call = self.clients.patient.modify_launch_template();
        let call = call
            .launch_template_id(template)
            .default_version(number.to_string());
        call.send().await.called("ModifyLaunchTemplate")?;
        Ok(())
    }

    /// Deletes all versions of a launch template but `kept`, which has to be the one that whoever names none means; nothing, where
    /// there are no others. Instances stay. A version that cannot be deleted stays too, until the next call.
    ///
    /// # Errors
    /// When EC2 refuses, since the template is not there for example, cannot be asked, or the list has no end.
    pub async fn keep_launch_template_version(&self, template: &str, kept: i64) -> Result<(), CallError> {
        const ACTION: &str = "DescribeLaunchTemplateVersions";
        let versions = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_launch_template_versions();
            let call = call
                .launch_template_id(template)
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.launch_template_versions, answer.next_token))
            }
        })
        .await?;
        let numbers = versions.into_iter().filter_map(|version| version.version_number);
        let others: Vec<String> = numbers
            .filter(|number| *number != kept)
            .map(|number| number.to_string())
            .collect();
        for batch in others.chunks(DELETED_AT_ONCE) {
            let call = self.clients.patient.delete_launch_template_versions();
            let call = call
                .launch_template_id(template)
                .set_versions(Some(batch.to_vec()));
            call.send().await.called("DeleteLaunchTemplateVersions")?;
        }
        Ok(())
    }

    /// Deletes a launch template with all its versions; nothing, when it is not there. Instances stay.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn delete_launch_template(&self, template: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_launch_template();
        let call = call.launch_template_id(template);
        match call.send().await.called("DeleteLaunchTemplate") {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }
}

fn read(template: sdk::LaunchTemplate) -> Option<LaunchTemplate> {
    Some(LaunchTemplate {
        id: template.launch_template_id?,
        name: template.launch_template_name.unwrap_or_default(),
        default_version: template.default_version_number?,
        latest_version: template.latest_version_number?,
        tags: tags::read(template.tags),
    })
}

fn read_version(version: sdk::LaunchTemplateVersion) -> Option<LaunchTemplateVersion> {
    Some(LaunchTemplateVersion {
        number: version.version_number?,
        is_default: version.default_version.unwrap_or_default(),
        created: time(version.create_time),
        launch: version.launch_template_data.and_then(template_data::read),
    })
}
