//! Reads the SQL servers, and RDS.

use std::sync::Arc;

use crate::database::Server;
use crate::model::catalog::ServerCatalog;
use crate::model::seen::NotVisible;
use crate::model::source::Source;

use super::pace::{self, Rest};
use super::states;
use super::told::is_silence;
use super::work::Work;

/// Reads a server's catalog again and again.
pub(super) async fn keep_catalog(work: Arc<Work>, server: Server) {
    let (mut rest, mut again) = (Rest::of(pace::CATALOG), work.again());
    loop {
        again.mark_unchanged();
        let went_well = read_catalog(&work, &server).await;
        states::chase(&work).await;
        pace::rest(rest.after(went_well, 0), &mut again).await;
    }
}

/// Reads a Region's RDS instances again and again.
pub(super) async fn keep_rds(work: Arc<Work>, region: String) {
    let (mut rest, mut again) = (Rest::of(pace::CATALOG), work.again());
    loop {
        again.mark_unchanged();
        let went_well = read_rds(&work, &region).await;
        pace::rest(rest.after(went_well, 0), &mut again).await;
    }
}

/// Reads a server's catalog once.
pub(super) async fn load_catalog(work: Arc<Work>, server: Server) {
    read_catalog(&work, &server).await;
    states::chase(&work).await;
}

/// Reads a Region's RDS instances once.
pub(super) async fn load_rds(work: Arc<Work>, region: String) {
    read_rds(&work, &region).await;
}

async fn read_catalog(work: &Work, server: &Server) -> bool {
    let answer = server.read_catalog(work.estate.clock.now()).await.map_err(NotVisible::from);
    let trouble = match &answer {
        Ok(catalog) => silent_database(catalog),
        Err(why) => Some(why.clone()),
    };
    work.with(|findings| findings.catalog_read(server.name(), answer));
    work.health(Source::Sql(server.name().clone()), trouble)
}

/// Why the server did not answer in full: a database that gave no answer. One that is shut or forbidden is
/// an answer, and a row of its own.
fn silent_database(catalog: &ServerCatalog) -> Option<NotVisible> {
    let hidden = catalog.databases.iter().filter_map(|database| database.objects.not_visible());
    hidden.into_iter().find(|why| is_silence(why)).cloned()
}

async fn read_rds(work: &Work, region: &str) -> bool {
    let answer = work.estate.cloud.rds(region).instances().await.map_err(NotVisible::from);
    let trouble = answer.as_ref().err().cloned();
    work.with(|findings| findings.rds_read(region, answer));
    work.health(Source::Rds(region.to_owned()), trouble)
}
