//! Policies as people write them, and as nobody should.
#![expect(clippy::needless_pass_by_value, reason = "JSON reads best where it is made")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "111122223333";

fn one(statement: Value) -> Statement {
    match read(&json!({ "Statement": statement }).to_string()).unwrap().statements.remove(0) {
        Entry::Told(told) => told,
        Entry::Unreadable { why, .. } => panic!("{why}"),
    }
}

fn allowing(principal: Value, condition: Value) -> Statement {
    one(
        json!({"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}),
    )
}

fn standing(principal: Value, condition: Value) -> Standing {
    *allowing(principal, condition).standings(ACCOUNT).iter().max().unwrap()
}

#[test]
fn each_kind_of_principal_is_told_as_what_it_is() {
    let principal = json!({
        "AWS": [
            "arn:aws:iam::111122223333:root", "444455556666", "*", "arn:aws:iam::111122223333:role/app/Decryptor",
            "arn:aws-cn:iam::444455556666:user/mallory", "arn:aws:sts::111122223333:assumed-role/Admin/anna",
            "AROAEXAMPLEID1234567", "nonsense",
        ],
        "Service": "rds.amazonaws.com",
        "Federated": "cognito-identity.amazonaws.com",
        "CanonicalUser": "79a59df9",
    });
    let told = allowing(principal, json!({}));
    let Who::These(these) = &told.who else { panic!("{told:?}") };
    let lines: Vec<String> =
        these.iter().map(|who| format!("{who} · {}", told.standing(who, ACCOUNT).word())).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    account 111122223333 (its IAM policies decide who) · own account
    account 444455556666 (its IAM policies decide who) · foreign
    everyone (*) · public
    role app/Decryptor · own account
    user mallory · foreign
    session anna of role Admin · own account
    AROAEXAMPLEID1234567, which was deleted: nobody · own account
    AWS nonsense · foreign
    CanonicalUser 79a59df9 · foreign
    identities of cognito-identity.amazonaws.com · foreign
    service rds.amazonaws.com · AWS service
    ");
}

#[test]
fn everyone_is_public_unless_a_condition_narrows_whom() {
    let everyone = |condition| standing(json!("*"), condition);
    let also_everyone = |condition| standing(json!({"AWS": ["*"]}), condition);
    for open in [
        json!({}),
        // Through a service everyone can come.
        json!({"StringEquals": {"kms:ViaService": "rds.eu-west-1.amazonaws.com"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
        json!({"StringLike": {"aws:PrincipalArn": "*"}}),
        json!({"StringLike": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/a", "*"]}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/App"}}),
        json!({"StringLike": {"aws:PrincipalArn": "arn:*"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"kms:CallerAccount": []}}),
        json!({"StringEquals": {"kms:EncryptionContext:app": "buzz"}}),
    ] {
        assert_eq!(everyone(open.clone()), Standing::Public, "{open}");
        assert_eq!(also_everyone(open.clone()), Standing::Public, "{open}");
    }
    for (condition, standing) in [
        (json!({"StringEquals": {"kms:CallerAccount": ACCOUNT}}), Standing::Own),
        (json!({"StringEquals": {"KMS:calleraccount": [ACCOUNT]}}), Standing::Own),
        (json!({"StringEquals": {"kms:CallerAccount": [ACCOUNT, "444455556666"]}}), Standing::Foreign),
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/App*"}}), Standing::Own),
        (json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/App"}}), Standing::Foreign),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}), Standing::Narrowed),
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), Standing::Narrowed),
        (json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/r-1/*"}}), Standing::Narrowed),
        (json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}}), Standing::Narrowed),
    ] {
        assert_eq!(everyone(condition.clone()), standing, "{condition}");
    }
}

#[test]
fn actions_come_to_what_they_let_somebody_do() {
    use ActionGroup::{Administer, Grant, Read, Use};
    let groups = |member: &str, actions: Value| {
        let told = one(json!({"Effect": "Allow", "Principal": "*", member: actions}));
        told.actions.groups.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(groups("Action", json!("kms:*")), [Use, Grant, Administer, Read]);
    assert_eq!(groups("Action", json!("*")), [Use, Grant, Administer, Read]);
    assert_eq!(groups("Action", json!(["KMS:decrypt", "kms:ReEncrypt*"])), [Use]);
    assert_eq!(groups("Action", json!(["kms:Describe*", "kms:RevokeGrant"])), [Grant, Read]);
    assert_eq!(groups("Action", json!("kms:PutKeyPolicy")), [Administer]);
    assert_eq!(groups("Action", json!("s3:GetObject")), []);
    assert_eq!(groups("NotAction", json!("kms:*")), []);
    assert_eq!(
        groups("NotAction", json!(["kms:Describe*", "kms:Get*", "kms:List*"])),
        [Use, Grant, Administer]
    );
}

#[test]
fn all_but_some_is_told_as_that_and_is_public() {
    let told = one(json!({
        "Sid": "Bad", "Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "NotAction": "kms:Decrypt",
    }));
    assert!(matches!(&told.who, Who::AllBut(these) if these.len() == 1));
    assert!(told.actions.all_but);
    assert_eq!(told.standings(ACCOUNT), [Standing::Public]);
}

#[test]
fn a_statement_that_cannot_be_read_is_said_to_be_and_the_rest_told() {
    let good = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*"});
    let with = |member: &str, value: Value| {
        let mut statement = good.clone();
        statement[member] = value;
        statement
    };
    let policy = json!({"Statement": [
        with("Effect", json!("allow")),
        with("NotPrincipal", json!("*")),
        with("Principal", json!({"AWS": []})),
        with("Principal", json!({"AWS": [7]})),
        with("Principal", json!("arn:aws:iam::111122223333:root")),
        with("NotAction", json!("kms:Sign")),
        with("Action", json!({})),
        with("Condition", json!({"StringEquals": {"a:b": {"c": 1}}})),
        with("Prinzipal", json!("*")),
        json!("text"),
        with("Sid", json!("good")),
    ]});
    let read = read(&policy.to_string()).unwrap();
    let told: Vec<String> = read
        .statements
        .iter()
        .map(|entry| match entry {
            Entry::Told(statement) => format!("{} told", statement.number),
            Entry::Unreadable { number, why } => format!("{number} unreadable: {why}"),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    1 unreadable: its Effect is neither Allow nor Deny
    2 unreadable: it has both Principal and NotPrincipal
    3 unreadable: its Principal names nobody
    4 unreadable: the AWS of its Principal is no text
    5 unreadable: its Principal is neither * nor an object
    6 unreadable: it has both Action and NotAction
    7 unreadable: its Action is no text
    8 unreadable: its condition StringEquals a:b has no plain values
    9 unreadable: it has a member that we do not know: Prinzipal
    10 unreadable: it is no JSON object
    11 told
    ");
}

#[test]
fn what_is_no_policy_is_unreadable() {
    for (text, why) in [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "no Statement"),
        ("{\"Statement\": 7}", "no list of statements"),
    ] {
        assert!(read(text).unwrap_err().to_string().contains(why), "{text}");
    }
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["*", "Allow", "Deny", "kms:*", "111122223333"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let member = prop::sample::select(
            [&["Statement", "AWS", "Service", "StringEquals", "kms:ViaService", "x"][..], &read::MEMBERS]
                .concat(),
        )
        .prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(member, inner, 0..7).prop_map(|members| json!(members)),
        ]
    })
}

/// A statement that is right, as far as its members go, with how many principals and conditions it has.
fn right() -> impl Strategy<Value = (Value, usize, usize)> {
    let names = prop::collection::vec("[a-zA-Z0-9:/*]{1,20}", 1..4);
    let principals =
        prop::collection::btree_map(prop::sample::select(vec!["AWS", "Service", "Odd"]), names, 1..3);
    let values = prop_oneof![any::<bool>().prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
    let lines = prop::collection::btree_map("[a-z]{1,6}:[a-z]{1,6}", values, 0..3);
    let conditions = prop::collection::btree_map("[A-Za-z]{1,10}", lines, 0..3);
    (principals, conditions, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(principals, conditions, allow, not_who, not_what)| {
            let (people, lines) = (
                principals.values().map(Vec::len).sum(),
                conditions.values().map(std::collections::BTreeMap::len).sum(),
            );
            let statement = json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                (if not_who { "NotPrincipal" } else { "Principal" }): principals,
                (if not_what { "NotAction" } else { "Action" }): "kms:Decrypt",
                "Condition": conditions,
            });
            (statement, people, lines)
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn any_json_is_survived_and_no_statement_passed_over(value in any_json()) {
        if let Ok(policy) = read(&value.to_string()) {
            let wanted = value["Statement"].as_array().map_or(1, Vec::len);
            prop_assert_eq!(policy.statements.len(), wanted);
            for statement in policy.told() {
                prop_assert!(!statement.standings(ACCOUNT).is_empty());
            }
        }
    }

    #[test]
    fn among_any_others_a_right_statement_is_told_with_every_name_and_condition(
        before in prop::collection::vec(any_json(), 0..4), (statement, people, lines) in right(),
    ) {
        let at = before.len();
        let mut statements = before;
        statements.push(statement);
        let policy = read(&json!({ "Statement": statements }).to_string()).unwrap();
        let Entry::Told(told) = &policy.statements[at] else { panic!("{:?}", policy.statements[at]) };
        prop_assert_eq!(told.number, at + 1);
        let (Who::These(named) | Who::AllBut(named)) = &told.who;
        prop_assert_eq!(named.len(), people);
        prop_assert_eq!(told.conditions.len(), lines);
    }

    #[test]
    fn a_policy_reads_back_from_its_own_json(value in any_json()) {
        if let Ok(policy) = read(&value.to_string()) {
            let text = serde_json::to_string(&policy).unwrap();
            prop_assert_eq!(serde_json::from_str::<KeyPolicy>(&text).unwrap(), policy);
        }
    }
}
