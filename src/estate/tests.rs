use super::{Estate, EstateError, Wire};
use crate::cloud::canned::{Canned, caller_identity, clock, environment, no};
use crate::database::Dialer;
use crate::model::seen::Cause;

fn wire(canned: &std::sync::Arc<Canned>) -> Wire {
    Wire { http: canned.wire(), sql: Dialer::Tcp, sql_ca: None }
}

#[tokio::test]
async fn another_account_is_refused_by_name() {
    let canned = Canned::in_turn([caller_identity()]);
    let mut environment = environment();
    environment.account = Some("999999999999".into());
    let refused = Estate::open(environment, wire(&canned), clock()).await.unwrap_err();
    assert!(matches!(&refused, EstateError::AnotherAccount { found, .. } if found == "111122223333"));
    assert!(refused.to_string().contains("sign in to account 999999999999"), "{refused}");
}

#[tokio::test]
async fn an_identity_that_cannot_be_asked_leaves_the_rest_usable() {
    let canned = Canned::new(|_| no(403, "AccessDenied", "denied by an SCP"));
    let estate = Estate::open(environment(), wire(&canned), clock()).await.unwrap();
    assert_eq!(estate.identity.not_visible().unwrap().cause, Cause::Denied);
}

#[tokio::test]
async fn an_environment_without_a_region_is_not_opened() {
    let canned = Canned::in_turn([]);
    let mut environment = environment();
    environment.regions.clear();
    let refused = Estate::open(environment, wire(&canned), clock()).await.unwrap_err();
    assert!(refused.to_string().contains("names no Region"), "{refused}");
    assert!(canned.calls().is_empty());
}
