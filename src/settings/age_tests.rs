use std::path::Path;

use crate::model::age::{AgeException, AgePolicies, AgePolicy, AgeRule, ExceptedKeys};
use crate::model::selector::{AliasPattern, KeySelector};
use crate::settings::{Environment, Mistakes, read};

const HEAD: &str = "[environments.prod]\nregions = [\"eu-west-1\"]\n";

fn environment(text: &str) -> Result<Environment, Mistakes> {
    let mut settings = read(Path::new("s.toml"), &format!("{HEAD}{text}"), "/state".into())?;
    Ok(settings.environments.remove("prod").unwrap())
}

fn mistakes(text: &str) -> Vec<String> {
    environment(text).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn tag(name: &str, value: &str) -> KeySelector {
    KeySelector::Tag { name: name.into(), value: value.into() }
}

#[test]
fn rules_keep_the_files_order_and_take_the_grace_that_they_do_not_name() {
    let prod = environment(
        r#"
        estate = [{ tag = { Application = "buzz" } }, { alias = "alias/buzz/*" }]
        [environments.prod.age]
        max_days = 60
        grace_days = 5
        [[environments.prod.age.rules]]
        tag = { DataClass = "pci" }
        max_days = 30
        grace_days = 0
        [[environments.prod.age.rules]]
        alias = "buzz/archive-*"
        max_days = 365
        [[environments.prod.age.exceptions]]
        alias = "buzz/legacy"
        reason = "goes away with the old product"
        expires = 2026-12-31
        [[environments.prod.age.exceptions]]
        key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        reason = "vendor"
        expires = 2027-01-01
        "#,
    )
    .unwrap();
    let days = |max_days, grace_days| AgePolicy { max_days, grace_days };
    assert_eq!(prod.estate, [tag("Application", "buzz"), KeySelector::Alias(AliasPattern::new("buzz/*"))]);
    let AgePolicies { default, rules, exceptions } = prod.age;
    assert_eq!(default, days(60, 5));
    assert_eq!(
        rules,
        [
            AgeRule { keys: tag("DataClass", "pci"), policy: days(30, 0) },
            AgeRule { keys: KeySelector::Alias(AliasPattern::new("buzz/archive-*")), policy: days(365, 5) },
        ]
    );
    assert_eq!(
        exceptions[0],
        AgeException {
            keys: ExceptedKeys::Alias(AliasPattern::new("buzz/legacy")),
            reason: "goes away with the old product".into(),
            expires: jiff::civil::date(2026, 12, 31),
        }
    );
    assert!(matches!(&exceptions[1].keys, ExceptedKeys::Arn(arn) if arn.region() == "eu-west-1"));
}

#[test]
fn each_mistake_is_told_on_its_line() {
    let told = |text: &str, line: usize, words: &str| {
        let told = mistakes(text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("s.toml:{line}: ")) && told[0].contains(words), "{told:?}");
    };
    let rule = "[[environments.prod.age.rules]]\n";
    told(&format!("{rule}max_days = 30\n"), 3, "a tag or an alias");
    told(&format!("{rule}max_days = 30\ntag = {{ a = \"b\" }}\nalias = \"x\"\n"), 3, "one of them");
    told(&format!("{rule}max_days = 30\ntag = {{ a = \"b\", c = \"d\" }}\n"), 5, "one name and value");
    told(&format!("{rule}alias = \"x\"\nmax_days = 0\n"), 5, "1 to 3650");
    told(&format!("{rule}alias = \"\"\nmax_days = 9\n"), 4, "alias is empty");
    told(
        &format!("{rule}alias = \"x\"\nmax_days = 9\n{rule}alias = \"alias/x\"\nmax_days = 8\n"),
        6,
        "never reached",
    );
    told("age = { grace_days = 4000000000 }\n", 3, "0 to 365");
    let exception = "[[environments.prod.age.exceptions]]\n";
    told(&format!("{exception}alias = \"x\"\nreason = \" \"\nexpires = 2026-12-31\n"), 5, "reason is empty");
    told(
        &format!("{exception}key = \"buzz/legacy\"\nreason = \"r\"\nexpires = 2026-12-31\n"),
        4,
        "use alias",
    );
    told(&format!("{exception}reason = \"r\"\nexpires = 2026-12-31\n"), 3, "one of them");
    told(&format!("{exception}alias = \"x\"\nreason = \"r\"\nexpires = 2026-12-31T10:00:00Z\n"), 6, "a day");
    told(&format!("{exception}alias = \"x\"\nreason = \"r\"\n"), 3, "expires");
    told("estate = [{ alias = \"a\" }, {}]\n", 3, "an estate mark");
}
