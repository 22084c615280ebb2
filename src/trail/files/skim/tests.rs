use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Piece, Splitter};

/// What a text splits into: records as text, garbage with a bang before it; and whether it ended as it should.
fn pieces(text: &[u8], chunk: Option<usize>) -> (Vec<String>, bool) {
    let mut found = Vec::new();
    let mut emit = |piece: Piece<'_>| {
        found.push(match piece {
            Piece::Record(record) => String::from_utf8_lossy(record.text).into_owned(),
            Piece::Garbage(text) => format!("!{}", String::from_utf8_lossy(text)),
        });
    };
    let whole = match chunk {
        None => Splitter::whole(text, &mut emit),
        Some(size) => {
            let mut splitter = Splitter::default();
            for chunk in text.chunks(size) {
                assert!(splitter.push(chunk, &mut emit));
            }
            splitter.finish(&mut emit)
        }
    };
    (found, whole)
}

fn split(text: &str) -> Vec<String> {
    let (found, whole) = pieces(text.as_bytes(), None);
    assert!(whole, "{text}");
    found
}

#[test]
fn trail_files_lookups_arrays_and_lines_give_their_records() {
    let (a, b) = (r#"{"eventID":"a","x":{"y":[1,{"z":"}"}]}}"#, r#"{"eventID":"b"}"#);
    for text in [
        format!(r#"{{"Records":[{a},{b}]}}"#),
        format!("{{ \"Records\" : [\n  {a},\n  {b}\n]\n}}\n"),
        format!(r#"{{"Events":[{a},{b}],"NextToken":"]}}[{{","More":[{{"no":1}}]}}"#),
        format!(r#"{{"NextToken":"x","Meta":{{"n":[{{}}]}},"Events":[{a},{b}]}}"#),
        format!("[{a}, {b}]"),
        format!("{a}\n{b}\n"),
        format!("\u{feff}{a}{b}"),
        format!("{{\"Records\":[{a}]}}\n{{\"Records\":[{b}]}}"),
    ] {
        assert_eq!(split(&text), [a, b], "{text}");
    }
    assert_eq!(split(r#"{"Records":[]}"#), [""; 0]);
    assert_eq!(split(""), [""; 0]);
}

#[test]
fn what_is_no_record_is_handed_on() {
    assert_eq!(
        split(r#"{"Records":[{"a":1}, 7, "x{", [1], null, {"b":2}]}"#),
        [r#"{"a":1}"#, r#"!7, "x{""#, "[1]", "!null", r#"{"b":2}"#]
    );
    assert_eq!(split("hello world\n{\"a\":1}\nbye"), ["!hello world", r#"{"a":1}"#, "!bye"]);
}

#[test]
fn after_a_record_cut_short_the_next_one_is_found() {
    let in_string = "{\"eventID\":\"a\",\"userAgent\":\"cut\n{\"eventID\":\"b\"}\n";
    assert_eq!(split(in_string), ["!{\"eventID\":\"a\",\"userAgent\":\"cut", "{\"eventID\":\"b\"}"]);
    let at_field = "{\"eventID\":\"a\",\"resources\":null\n{\"eventID\":\"b\"}\n";
    assert_eq!(split(at_field), ["!{\"eventID\":\"a\",\"resources\":null\n", "{\"eventID\":\"b\"}"]);
}

#[test]
fn a_text_cut_short_says_so_and_hands_on_what_there_is() {
    let (found, whole) = pieces(br#"{"Records":[{"a":1},{"b":"x"#, None);
    assert_eq!((found.as_slice(), whole), (&[r#"{"a":1}"#.to_owned(), r#"!{"b":"x"#.to_owned()][..], false));
    assert!(!pieces(br#"{"Records":[{"a":1}"#, None).1);
}

#[test]
fn a_glance_sees_a_records_own_fields_and_no_others() {
    let event = memchr::memmem::Finder::new(super::EVENT);
    let rest = r#""eventID":"i","eventTime" : "t""#;
    for (text, name) in [
        (format!(r#"{{"requestParameters":{{"eventName":"no"}},{rest},"eventName":"yes"}}"#), Some("yes")),
        (format!(r#"{{"a":[{{"eventName":"no"}}], "eventName" : "yes", "b":{{}},{rest}}}"#), Some("yes")),
        (format!(r#"{{"a":{{"eventName":"no"}},{rest}}}"#), None),
        (format!(r#"{{"eventName":"with \" in it",{rest}}}"#), None),
        (format!(r#"{{"eventName":7,{rest}}}"#), None),
        (format!(r#"{{"x":"\"eventName\":\"no\"","y":"eventName","eventName":"yes",{rest}}}"#), Some("yes")),
    ] {
        let mut found = Vec::new();
        Splitter::whole(text.as_bytes(), &mut |piece| match piece {
            Piece::Record(record) => found.push(record.glance(&event).map(|seen| seen.name.to_vec())),
            Piece::Garbage(_) => panic!("{text}"),
        });
        assert_eq!(found, [name.map(|name| name.as_bytes().to_vec())], "{text}");
    }
}

/// Any JSON value, with what makes splitting hard in its texts.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        r#"[\\"{}\[\],:é\n a-z]{0,80}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(r#"[\\"{}a-z]{0,6}"#, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn records() -> impl Strategy<Value = Vec<Value>> {
    let fields = prop::collection::hash_map(r#"[\\"{}a-zA-Z]{0,9}"#, any_json(), 0..6);
    prop::collection::vec(fields.prop_map(|map| Value::Object(map.into_iter().collect())), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_record_of_any_json_is_found_whole(records in records(), pretty in any::<bool>(), chunk in 1usize..300) {
        let file = json!({ "Records": records });
        let text = if pretty { serde_json::to_string_pretty(&file) } else { serde_json::to_string(&file) }.unwrap();
        let lines: String = records.iter().flat_map(|record| [record.to_string(), "\n".to_owned()]).collect();
        for (text, chunk) in [(&text, None), (&text, Some(chunk)), (&lines, None), (&lines, Some(chunk))] {
            let (found, whole) = pieces(text.as_bytes(), chunk);
            let found: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert!(whole);
            prop_assert_eq!(&found, &records);
        }
    }

    #[test]
    fn any_bytes_split_alike_in_any_chunks(
        text in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\\n ax1"[..]), 0..400),
        chunk in 1usize..80,
    ) {
        prop_assert_eq!(pieces(&text, None), pieces(&text, Some(chunk)));
    }

    #[test]
    fn no_bytes_make_it_panic_or_lose_any(text in prop::collection::vec(any::<u8>(), 0..600)) {
        pieces(&text, None);
        pieces(&text, Some(7));
    }
}
