//! What a file means, case by case; the odd ones were compared with libuci.

use proptest::prelude::*;

use super::*;

/// The file in one line a thing: `type name`, then `name=value` or `name+=value`.
fn told(file: &File) -> String {
    let mut out = Vec::new();
    for section in &file.sections {
        out.push(format!("{} {}", section.kind, section.name.as_deref().unwrap_or("-")));
        for entry in &section.options {
            let sign = if entry.list { "+=" } else { "=" };
            out.extend(entry.values.iter().map(|value| format!("{}{sign}{}", entry.name, value.text)));
        }
    }
    out.join(" | ")
}

/// What the lines say within a section.
fn within(lines: &str) -> String {
    match read(format!("config t\n{lines}").as_bytes()) {
        Ok(file) => told(&file).strip_prefix("t -").unwrap().trim_start_matches(" | ").to_owned(),
        Err(error) => format!("error at {error}"),
    }
}

fn fault(text: &str) -> String {
    read(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn sections_options_and_lists() {
    let text = "package glacic\n\nconfig rule_learning 'main'\n\toption enabled '0'\n\tlist zone 'lan'\n\tlist zone 'guest'\n\nconfig device\n\toption name 'x'\n";
    assert_eq!(
        told(&read(text.as_bytes()).unwrap()),
        "rule_learning main | enabled=0 | zone+=lan | zone+=guest | device - | name=x"
    );
}

#[test]
fn quotes_and_escapes() {
    for (line, value) in [
        (r#"option a b"#, "b"),
        (r#"option a 'b c'"#, "b c"),
        (r#"option a "b c""#, "b c"),
        (r#"option a 'it'"'"'s'"#, "it's"),
        (r#"option a 'it'\''s'"#, "it's"),
        (r#"option a b'c'"d"e"#, "bcde"),
        (r#"option a '\n'"#, r"\n"),
        (r#"option a "\n\"\\""#, r#"n"\"#),
        (r#"option a b\ c"#, "b c"),
        (r#"option a 'b # c'"#, "b # c"),
        (r#"option a b#c"#, "b"),
        (r#"option a b # c"#, "b"),
        ("option a 'b\n\tc'", "b\n\tc"),
        ("option a \"b\n\nc\"", "b\n\nc"),
        ("option a \"b\\\nc\"", "bc"),
        ("option a b\\\nc", "bc"),
        ("option a b\\\r\nc", "bc"),
        ("option a \\\n'b'", "b"),
        ("\toption\ta\t b \t\r\n", "b"),
        ("option a 'Küche 🍋'", "Küche 🍋"),
        ("o a b", "b"),
        ("option 'a' b ''", "b"),
    ] {
        assert_eq!(within(line), format!("a={value}"), "{line}");
    }
}

#[test]
fn later_lines() {
    assert_eq!(within("option a 1\noption b 2\noption a 3"), "a=3 | b=2", "replace");
    assert_eq!(within("option a 1\nlist a 2"), "a+=1 | a+=2", "extend");
    assert_eq!(within("list a 1\nlist a 2\noption a 3"), "a=3", "replace a list");
    assert_eq!(within("option a 1\noption a ''\noption b"), "a=1", "say nothing when empty");
    assert_eq!(within("list a ''\nlist a 1"), "a+= | a+=1", "but an empty item is an item");
}

#[test]
fn a_replaced_option_is_remembered() {
    let file = read(b"config t\noption a 1\n option a 2\noption a 3").unwrap();
    let entry = file.sections[0].entry("a").unwrap();
    assert_eq!(entry.at.to_string(), "4:8");
    assert_eq!(entry.replaced.iter().map(At::to_string).collect::<Vec<_>>(), ["2:8", "3:9"]);
}

#[test]
fn a_named_section_goes_on_and_unnamed_ones_do_not() {
    let text = "config t 'n'\noption a 1\nconfig t\noption b 2\nconfig t\nconfig t 'n'\noption a 3\noption c 4";
    assert_eq!(told(&read(text.as_bytes()).unwrap()), "t n | a=3 | c=4 | t - | b=2 | t -");
    assert_eq!(fault("config t n\nconfig u n"), "2:1: section 'n' is a u here and a t at 1:1");
}

#[test]
fn semicolons() {
    assert_eq!(within("option a 'b';option c d"), "a=b | c=d");
    assert_eq!(within("option a b ; option c d"), "a=b | c=d");
    assert_eq!(within("option a b;option c d\noption e f"), "a=b | e=f", "a bare word's takes the line with it");
    assert_eq!(within("option a 'b';\n"), "error at 2:14: a command is missing after ';'");
}

#[test]
fn places_count_characters_from_one() {
    let file = read("config t\n\toption a 'ü' ; option b\t'c\n d' ; option e f".as_bytes()).unwrap();
    let values: Vec<_> = file.sections[0].options.iter().map(|e| format!("{} {}", e.at, e.values[0].at)).collect();
    assert_eq!(values, ["2:9 2:11", "2:24 2:26", "3:14 3:16"]);
}

#[test]
fn errors_say_where_and_what() {
    for (text, expected) in [
        ("option a b", "1:1: this stands before the first config line: of which section is it?"),
        ("confg t", "1:1: 'confg': expected config, option, list or package"),
        ("config", "1:1: config of what? Its name is missing"),
        ("config ''", "1:1: config of what? The section's type is missing"),
        ("config t\n  option\n", "2:3: option of what? Its name is missing"),
        ("config t\noption a-b c", "2:8: option name 'a-b': expected letters, digits and _"),
        ("config t my-name", "1:10: section name 'my-name': expected letters, digits and _"),
        ("config t n x", "1:12: 'x' is one word too many: values with blanks need quotes"),
        ("config t\n\toption a b c\n", "2:13: 'c' is one word too many: values with blanks need quotes"),
        ("config t\n\toption a 'b\n\toption c d\n", "2:11: this ' is never closed: the file ends before the next one"),
        ("config t\n\x1b[2J", "2:1: '\\u{1b}[2J': expected config, option, list or package"),
    ] {
        assert_eq!(fault(text), expected, "{text:?}");
    }
}

#[test]
fn a_missing_quote_is_looked_for_where_it_began() {
    let text = "config t\noption a 'b\noption c 'd'\noption e 'f g'\n";
    assert_eq!(
        fault(text),
        "4:14: this ' is never closed: the file ends before the next one (is a closing quote missing since 2:10?)"
    );
}

#[test]
fn reading_goes_on_after_an_error() {
    let (file, errors) =
        read_all(b"config t\nfoo\noption a 1 2\noption b 3\nconfig t x y\noption c 4\nconfig u\noption d 5");
    assert_eq!(errors.iter().map(|error| error.at.line).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(told(&file), "t - | b=3 | u - | d=5", "what belongs to a broken section is left out");
    let (file, errors) = read_all(b"config t\noption a 'b\noption c d\nfoo\n");
    assert_eq!(errors.iter().map(|error| error.at.line).collect::<Vec<_>>(), [2, 4], "also after an open quote");
    assert_eq!(told(&file), "t - | c=d");
    let (_, errors) = read_all("x\n".repeat(1000).as_bytes());
    assert_eq!(errors.len(), MAX_ERRORS);
}

#[test]
fn refuses_what_is_no_text() {
    assert_eq!(read(b"config t\n\xc3\xbc\0").unwrap_err().to_string(), "2:2: a NUL byte: this is no text file");
    assert_eq!(read(b"config t\noption a '\xfc'").unwrap_err().to_string(), "2:11: this is not UTF-8 text");
    assert_eq!(read(b"\0\xff").unwrap_err().to_string(), "1:1: a NUL byte: this is no text file");
    let mut text = vec![b'#'; MAX_SIZE];
    assert!(read(&text).is_ok());
    text.push(b'\n');
    assert_eq!(read(&text).unwrap_err().to_string(), "1:1: the file is longer than 1048576 bytes");
}

#[test]
fn lists_are_also_options_with_blanks() {
    let file = read(b"config t\noption zone 'lan  guest'\nlist net a\nlist net b").unwrap();
    assert_eq!(file.sections[0].list("zone").collect::<Vec<_>>(), ["lan", "guest"]);
    assert_eq!(file.sections[0].list("net").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(file.sections[0].list("none").count(), 0);
}

/// Writes a value as `uci export` does, or between double quotes.
fn written(value: &str, double: bool) -> String {
    if double {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

type Tree = Vec<(String, Option<String>, Vec<(String, Vec<String>, bool)>)>;

prop_compose! {
    fn entry()(name in "[a-z_][a-z0-9_]{0,6}", values in prop::collection::vec("[^\\x00]{1,12}", 1..4), list: bool)
        -> (String, Vec<String>, bool) {
        if list { (name, values, true) } else { (name, values.into_iter().take(1).collect(), false) }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let options = prop::collection::vec(entry(), 0..6);
    prop::collection::vec(("[!-~&&[^'\"#;\\\\]]{1,8}", prop::option::of("[a-z]{1,8}"), options), 0..6)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = read_all(&bytes);
    }

    /// Text made of what matters to the reader gets further than noise does.
    #[test]
    fn no_text_makes_it_panic(text in "((config|option|list|package|c|o|l|p) |[a-c '\"#;\\\\\t\r\n\u{b}ü]){0,60}") {
        let (file, errors) = read_all(text.as_bytes());
        prop_assert_eq!(read(text.as_bytes()).is_ok(), errors.is_empty());
        for error in errors {
            prop_assert!(error.at.line as usize <= text.matches('\n').count() + 1);
        }
        prop_assert!(file.sections.iter().flat_map(|s| &s.options).all(|entry| !entry.values.is_empty()));
    }

    #[test]
    fn what_is_written_reads_back(tree in tree(), double: bool, crlf: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let (mut text, mut expected) = (String::from("package x") + end, Vec::new());
        let mut names = std::collections::HashSet::new();
        for (kind, name, options) in tree {
            let name = name.filter(|name| names.insert(name.clone()));
            text += &format!("{end}config {kind} {}{end}", written(name.as_deref().unwrap_or(""), double));
            let mut seen = std::collections::HashSet::new();
            let mut kept = Vec::new();
            for (option, values, list) in options.into_iter().filter(|(name, ..)| seen.insert(name.clone())) {
                for value in &values {
                    let word = if list { "list" } else { "option" };
                    text += &format!("\t{word} {option} {}{end}", written(value, double));
                }
                kept.push((option, values, list));
            }
            expected.push((kind, name, kept));
        }
        let file = read(text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
        let found: Tree = file.sections.into_iter().map(|section| {
            let options = section.options.into_iter();
            let options = options.map(|e| (e.name, e.values.into_iter().map(|v| v.text).collect(), e.list)).collect();
            (section.kind, section.name, options)
        }).collect();
        prop_assert_eq!(found, expected);
    }
}
