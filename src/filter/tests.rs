//! What is typed is read as it is meant.

use proptest::prelude::*;

use super::{Bounds, Expr, Field, Kind, Language, Loose, Term, Test};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    State,
    Age,
    Since,
    Cmk,
    Tag,
    Severity,
    Bytes,
    Count,
}

const fn field(id: Of, name: &'static str, kind: Kind) -> Field<Of> {
    Field { id, name, kind, help: "" }
}

const LANGUAGE: Language<Of> = Language {
    fields: &[
        field(Of::State, "state", Kind::Words(&["enabled", "disabled", "deletion", "due"])),
        field(Of::Age, "age", Kind::Days(&["unknown"])),
        field(Of::Since, "since", Kind::Span(&["never"])),
        field(Of::Cmk, "cmk", Kind::Text),
        field(Of::Tag, "tag", Kind::Named),
        field(Of::Severity, "severity", Kind::Level(&["info", "notice", "high"])),
        field(Of::Bytes, "bytes", Kind::Size),
        field(Of::Count, "count", Kind::Number),
    ],
};

type Read = Expr<Term<Of>>;

fn read(text: &str) -> Read {
    LANGUAGE.parse(text).unwrap()
}

fn word(text: &str) -> Read {
    Expr::Is(Term::Word { text: text.to_owned(), quoted: false })
}

fn quoted(text: &str) -> Read {
    Expr::Is(Term::Word { text: text.to_owned(), quoted: true })
}

fn is(field: Of, test: Test) -> Read {
    Expr::Is(Term::Field { field, test })
}

fn text(text: &str) -> Test {
    Test::Text { text: text.to_owned(), whole: false }
}

fn within(least: i64, most: i64) -> Test {
    Test::Within(Bounds { least, most })
}

fn not(expr: Read) -> Read {
    Expr::Not(Box::new(expr))
}

#[test]
fn words_stand_beside_one_another() {
    assert_eq!(read("  Foo and bar "), Expr::All(vec![word("foo"), word("bar")]));
    assert_eq!(read("foo"), word("foo"));
    assert!(read("   ").is_everything());
}

#[test]
fn or_binds_weaker_and_brackets_stronger() {
    assert_eq!(read("a b or c"), Expr::Any(vec![Expr::All(vec![word("a"), word("b")]), word("c")]));
    assert_eq!(read("a (b OR c)"), Expr::All(vec![word("a"), Expr::Any(vec![word("b"), word("c")])]));
    assert_eq!(read("(a or b"), read("(a or b)"));
    assert_eq!(read("(f(x) y)"), Expr::All(vec![word("f(x)"), word("y")]));
    assert_eq!(read("a) b"), Expr::All(vec![word("a)"), word("b")]));
}

#[test]
fn not_and_minus_negate() {
    assert_eq!(read("not a -b"), Expr::All(vec![not(word("a")), not(word("b"))]));
    assert_eq!(read("-(a or b)"), not(Expr::Any(vec![word("a"), word("b")])));
    assert_eq!(read("not not a"), word("a"));
    assert_eq!(read("user-data"), word("user-data"));
    assert_eq!(read("notes order android"), Expr::All(vec![word("notes"), word("order"), word("android")]));
}

#[test]
fn what_is_half_typed_asks_for_nothing() {
    for half in [
        "age:", "age:>", "age:>=", "not", "-", "not age:", "a or", "or", "cmk:\"", "\"", "(", "()", "since:<",
    ] {
        let read = read(half);
        assert!(read.is_everything() || read == word("a"), "{half}: {read:?}");
    }
    assert_eq!(read("a or age:> b"), Expr::Any(vec![word("a"), word("b")]));
    assert_eq!(read("is:"), word("is:"), "no field of this language");
}

#[test]
fn values_are_read_by_kind() {
    assert_eq!(read("age:>80"), is(Of::Age, within(81, i64::MAX)));
    assert_eq!(read("age:<=12w"), is(Of::Age, within(i64::MIN, 84)));
    assert_eq!(read("age:7"), is(Of::Age, within(7, 7)));
    assert_eq!(read("age:unk"), is(Of::Age, Test::Words(vec!["unknown"])));
    assert_eq!(read("since:2h"), is(Of::Since, within(i64::MIN, 7200)));
    assert_eq!(read("since:>30"), is(Of::Since, within(1801, i64::MAX)));
    assert_eq!(read("since:=2h"), is(Of::Since, within(7200, 10_799)));
    assert_eq!(read("since:never"), is(Of::Since, Test::Words(vec!["never"])));
    assert_eq!(read("bytes:>=64k"), is(Of::Bytes, within(65_536, i64::MAX)));
    assert_eq!(read("count:<4"), is(Of::Count, within(i64::MIN, 3)));
    assert_eq!(read("state:d"), is(Of::State, Test::Words(vec!["disabled", "deletion", "due"])));
    assert_eq!(read("STATE:Dis,due,"), is(Of::State, Test::Words(vec!["disabled", "due"])));
    assert_eq!(read("severity:notice"), is(Of::Severity, Test::Words(vec!["notice", "high"])));
    assert_eq!(read("severity:=notice"), is(Of::Severity, Test::Words(vec!["notice"])));
    assert_eq!(read("severity:<n"), is(Of::Severity, Test::Words(vec!["info"])));
    assert_eq!(read("severity:>high"), is(Of::Severity, Test::Words(vec![])));
}

#[test]
fn texts_take_quotes_and_whole_values() {
    assert_eq!(read("cmk:\"My Key\""), is(Of::Cmk, text("my key")));
    assert_eq!(
        read("cmk:=\"My Key\" x"),
        Expr::All(vec![is(Of::Cmk, Test::Text { text: "my key".into(), whole: true }), word("x")])
    );
    assert_eq!(read("cmk:\"say \"\"hi\"\"\""), is(Of::Cmk, text("say \"hi\"")));
    assert_eq!(read("\"age:>80 or\""), quoted("age:>80 or"));
    assert_eq!(
        read("tag:DataClass=PCI"),
        is(Of::Tag, Test::Named { name: "dataclass".into(), value: Some("pci".into()) })
    );
    assert_eq!(read("tag:DataClass="), is(Of::Tag, Test::Named { name: "dataclass".into(), value: None }));
    assert_eq!(
        read("tag:Team=\"on call\""),
        is(Of::Tag, Test::Named { name: "team".into(), value: Some("on call".into()) })
    );
}

#[test]
fn an_arn_can_be_pasted() {
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab";
    assert_eq!(read(arn), word(arn));
    assert_eq!(read(&format!("cmk:{arn}")), is(Of::Cmk, text(arn)));
}

#[test]
fn a_wrong_value_is_told_with_what_the_field_takes() {
    let told = |text: &str| LANGUAGE.parse(text).unwrap_err().to_string();
    assert_eq!(told("x age:>abc"), "`age:>abc`: `age:` takes days, e.g. >80, <=12w, or unknown");
    assert_eq!(told("state:nonsense"), "`state:nonsense`: `state:` takes enabled, disabled, deletion, due");
    assert_eq!(told("since:2q"), "`since:2q`: `since:` takes a time, e.g. 2h, >7d, <30m, or never");
    assert!(told("age:99999999999").contains("takes days"));
    assert_eq!(LANGUAGE.parse("x age:>abc y").unwrap_err().at, 2..10);
    assert!(told(&"(".repeat(100)).contains("16"));
    assert!(told("age:\u{1b}[2J").contains('␛'), "what was typed is made visible");
}

#[test]
fn conditions_come_in_the_order_typed() {
    let read = read("a (b or -c) d");
    let told: Vec<_> = read
        .conditions()
        .map(|term| match term {
            Term::Word { text, .. } => text.as_str(),
            Term::Field { .. } => "",
        })
        .collect();
    assert_eq!(told, ["a", "b", "c", "d"]);
    let mut wanted = Vec::new();
    let _ = read.map(&mut |_, want| wanted.push(want));
    assert_eq!(wanted, [true, true, false, true]);
}

#[test]
fn help_is_made_of_the_declaration() {
    let lines: Vec<_> = LANGUAGE.help().collect();
    assert_eq!(lines.len(), LANGUAGE.fields.len());
    assert!(lines.iter().any(|(name, takes)| name == "age:" && takes.contains(">80")));
}

#[test]
fn typos_and_short_forms_are_close() {
    let distance = |word: &str, text: &str| Loose::new(word).unwrap().distance(text);
    assert_eq!(distance("user", "buzz-tutor/user-data"), Some(0));
    assert_eq!(distance("uesr", "buzz-tutor/user-data"), Some(1), "two letters the other way round");
    assert_eq!(distance("paymnets", "buzz-tutor/payments"), Some(1));
    assert_eq!(distance("usrdat", "buzz-tutor/user-data"), Some(2));
    assert_eq!(distance("legcy", "cek_legacy"), Some(1));
    assert_eq!(distance("pymts", "payments"), Some(5), "its letters in their order");
    assert_eq!(distance("usrdat", "buzz-tutor/payments"), None);
    assert!(Loose::new("ab").is_none());
    assert!(Loose::new(&"a".repeat(65)).is_none());
}

/// The table that the bit-vectors stand for, letter by letter.
fn fewest_edits(word: &[u8], text: &[u8]) -> u32 {
    let mut rows = vec![vec![0_u32; text.len() + 1]; word.len() + 1];
    for i in 1..=word.len() {
        rows[i][0] = u32::try_from(i).unwrap();
        for j in 1..=text.len() {
            let other = u32::from(word[i - 1] != text[j - 1]);
            let mut least = (rows[i - 1][j - 1] + other).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && word[i - 1] == text[j - 2] && word[i - 2] == text[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[word.len()].iter().copied().min().unwrap()
}

fn exprs() -> impl Strategy<Value = String> {
    let leaf = prop_oneof!["[a-z]{1,5}", Just("age:>8".to_owned()), Just("cmk:\"a b\"".to_owned())];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|x| format!("not {x}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} {b})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        if let Err(mistake) = LANGUAGE.parse(&text) {
            prop_assert!(text.get(mistake.at).is_some());
        }
    }

    #[test]
    fn any_text_of_its_own_letters_is_read(text in "([-()\"=<>:, ]|age:|or|not|cmk:|8|a){0,40}") {
        let _ = LANGUAGE.parse(&text);
    }

    #[test]
    fn to_negate_twice_is_nothing(text in exprs()) {
        prop_assert_eq!(read(&format!("not not {text}")), read(&text));
        prop_assert_eq!(read(&format!("--{text}")), read(&text));
        prop_assert_eq!(read(&format!("({text})")), read(&text));
    }

    #[test]
    fn every_beginning_of_a_filter_is_one(text in exprs(), cut in 0..60_usize) {
        let cut: String = text.chars().take(cut).collect();
        prop_assert!(LANGUAGE.parse(&cut).is_ok(), "{}", cut);
    }

    /// In alphabetical order or not, with texts passed over or not: what is in common is only gone through once.
    #[test]
    fn a_walk_finds_what_each_text_alone_is_found_to_be(
        word in "[abc]{3,9}",
        mut texts in prop::collection::vec("[abc\t]{0,14}", 0..20),
        sorted in any::<bool>(),
        passed in prop::collection::vec(any::<bool>(), 20),
    ) {
        if sorted {
            texts.sort();
        }
        let loose = Loose::new(&word).unwrap();
        let (mut walk, mut before) = (loose.walk(), String::new());
        for (text, pass) in texts.into_iter().zip(passed) {
            let common = text.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            if pass {
                walk.pass(common);
            } else {
                prop_assert_eq!(walk.distance(&text, common), loose.distance(&text), "{}", text);
                let parts = text.split('\t').filter_map(|part| loose.distance(part));
                prop_assert_eq!(loose.distance(&text), parts.min(), "{}", text);
            }
            before = text;
        }
    }

    #[test]
    fn the_bits_count_as_the_table_does(word in "[abc]{3,9}", text in "[abc]{0,20}") {
        let loose = Loose::new(&word).unwrap();
        prop_assert_eq!(loose.edits_of(&text), fewest_edits(word.as_bytes(), text.as_bytes()));
    }
}
