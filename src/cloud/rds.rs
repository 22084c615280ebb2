//! Reads of RDS: which instances store their data under which key.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::DbInstance;

use super::failure::Failure;
use super::pages::Pages;
use crate::model::arn::KeyArn;
use crate::model::dependents::RdsInstance;
use crate::model::text::Untrusted;

/// Reads of RDS in one Region. Clones share connections.
#[derive(Clone, Debug)]
pub struct RdsReads {
    client: Client,
    region: String,
}

impl RdsReads {
    pub(super) fn new(client: Client, region: &str) -> Self {
        Self { client, region: region.to_owned() }
    }

    /// Every instance of the account in this Region.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn instances(&self) -> Result<Vec<RdsInstance>, Failure> {
        const OPERATION: &str = "rds:DescribeDBInstances";
        let (mut pages, mut found, mut marker) = (Pages::of(OPERATION), Vec::new(), None);
        loop {
            let request = self.client.describe_db_instances().set_marker(marker);
            let answer = request.send().await.map_err(|e| Failure::of(OPERATION, &e))?;
            let instances = answer.db_instances.unwrap_or_default();
            found.extend(instances.into_iter().map(|instance| self.told(instance)));
            marker = pages.next(answer.marker)?;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// One instance, by its identifier.
    ///
    /// # Errors
    /// [`Failure`]; its cause is `NotFound` where RDS has none of this identifier here.
    pub async fn instance(&self, id: &str) -> Result<RdsInstance, Failure> {
        const OPERATION: &str = "rds:DescribeDBInstances";
        let request = self.client.describe_db_instances().db_instance_identifier(id);
        let answer = request.send().await.map_err(|e| Failure::of(OPERATION, &e))?;
        let mut instances = answer.db_instances.unwrap_or_default();
        match (instances.pop(), instances.is_empty()) {
            (Some(instance), true) => Ok(self.told(instance)),
            _ => Err(Failure::unreadable(OPERATION, "the answer does not hold the one instance asked for")),
        }
    }

    fn told(&self, instance: DbInstance) -> RdsInstance {
        let key = instance.kms_key_id.as_deref().and_then(|key| key.parse::<KeyArn>().ok());
        RdsInstance {
            id: instance.db_instance_identifier.unwrap_or_default().into(),
            status: instance.db_instance_status.unwrap_or_default().into(),
            engine: Untrusted::from(instance.engine.unwrap_or_default()).to_string(),
            storage_key: key,
            endpoint: instance.endpoint.and_then(|endpoint| endpoint.address).map(Untrusted::from),
            region: self.region.clone(),
        }
    }
}
