//! Route tables: how a subnet's packets leave it.

use aws_sdk_ec2::types::{self, ResourceType, RouteTableAssociationStateCode};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised};
use super::routes::{self, Route};
use super::{Ec2, Filters, tags};

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// Its id.
    pub id: String,
    /// Its VPC's id.
    pub vpc: String,
    /// Whether it is for all subnets of the VPC that have none of their own; EC2 deletes it with the VPC only.
    pub is_main: bool,
    /// Its routes, the VPC's own ones too.
    pub routes: Vec<Route>,
    /// The subnets that have it as their own.
    pub associations: Vec<RouteTableAssociation>,
    /// Its tags.
    pub tags: Tags,
}

/// That a subnet has a route table as its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTableAssociation {
    /// Its id.
    pub id: String,
    /// The subnet's id.
    pub subnet: String,
}

impl Ec2 {
    /// Makes a route table of the VPC `vpc`, and gives its id. The same `token` makes nothing twice.
    ///
    /// # Errors
    /// When EC2 refuses (`IdempotentParameterMismatch`: another table was asked for with that token), or cannot be asked.
    pub async fn create_route_table(&self, vpc: &str, token: &str, tags: &Tags) -> Result<String, CallError> {
        let answer = self
            .clients
            .patient
            .create_route_table()
            .vpc_id(vpc)
            .client_token(token)
            .tag_specifications(tags::specification(ResourceType::RouteTable, tags))
            .send()
            .await
            .called("CreateRouteTable")?;
        let table = answer.route_table;
        promised(
            "CreateRouteTable",
            table.and_then(|table| table.route_table_id),
            "routeTableId",
        )
    }

    /// The route tables; their own filters are `route-table-id` and `association.subnet-id`.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn list_route_tables(&self, filters: &Filters) -> Result<Vec<RouteTable>, CallError> {
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let call = self.clients.patient.describe_route_tables();
        let call = call.set_filters(Some(filters));
        let found = every_page("DescribeRouteTables", |token| {
            let call = call.clone().set_next_token(token);
            async move {
                let answer = call.send().await.called("DescribeRouteTables")?;
                Ok(Page::new(answer.route_tables, answer.next_token))
            }
        });
        found.await?.into_iter().map(read).collect()
    }

    /// Makes the route table `id` the subnet's own, and gives the id of the association; a subnet that has it keeps it.
    ///
    /// # Errors
    /// When EC2 refuses (`Resource.AlreadyAssociated`: the subnet has another one), or cannot be asked.
    pub async fn associate_route_table(&self, id: &str, subnet: &str) -> Result<String, CallError> {
        let call = self.clients.patient.associate_route_table();
        let call = call.route_table_id(id).subnet_id(subnet);
        let error = match call.send().await.called("AssociateRouteTable") {
            Ok(answer) => return promised("AssociateRouteTable", answer.association_id, "associationId"),
            Err(error) => error,
        };
        if !error.is(&["Resource.AlreadyAssociated"]) {
            return Err(error);
        }
        // The call may have come again after its answer was lost.
        let filters = Filters::default()
            .with("route-table-id", [id])
            .with("association.subnet-id", [subnet]);
        let found = self.list_route_tables(&filters).await.unwrap_or_default();
        let mut associations = found.into_iter().flat_map(|table| table.associations);
        associations
            .find(|association| association.subnet == subnet)
            .map_or(Err(error), |association| Ok(association.id))
    }

    /// Ends the association `id`, so that its subnet has the main table of its VPC; one that is not there has ended.
    ///
    /// # Errors
    /// When EC2 refuses, or cannot be asked.
    pub async fn disassociate_route_table(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.disassociate_route_table();
        deleted(
            call.association_id(id)
                .send()
                .await
                .called("DisassociateRouteTable"),
        )
    }

    /// Deletes the route table `id` with its routes; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`DependencyViolation`: a subnet has it, or it is the main one), or cannot be asked.
    pub async fn delete_route_table(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_route_table().route_table_id(id);
        deleted(call.send().await.called("DeleteRouteTable"))
    }
}

fn read(table: types::RouteTable) -> Result<RouteTable, CallError> {
    const ACTION: &str = "DescribeRouteTables";
    let associations = table.associations.unwrap_or_default();
    let is_main = associations.iter().any(|one| one.main == Some(true));
    Ok(RouteTable {
        id: promised(ACTION, table.route_table_id, "routeTableId")?,
        vpc: promised(ACTION, table.vpc_id, "vpcId")?,
        is_main,
        routes: table
            .routes
            .unwrap_or_default()
            .into_iter()
            .filter_map(routes::read)
            .collect(),
        associations: associations.into_iter().filter_map(association).collect(),
        tags: tags::read(table.tags),
    })
}

/// That of a subnet; gateways can have tables too, and keelson gives them none.
fn association(association: types::RouteTableAssociation) -> Option<RouteTableAssociation> {
    let state = association.association_state.and_then(|state| state.state);
    if state == Some(RouteTableAssociationStateCode::Disassociated) {
        return None;
    }
    Some(RouteTableAssociation {
        id: association.route_table_association_id?,
        subnet: association.subnet_id.filter(|subnet| !subnet.is_empty())?,
    })
}
