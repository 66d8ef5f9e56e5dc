//! Exit codes and streams.

use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn the_version_is_the_package_s() {
    let run = run(["--version"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "glacic 0.1.0\n", ""));
}

#[test]
fn help_goes_to_standard_output_and_is_success() {
    for arguments in [&["--help"][..], &["help"], &["flows", "--help"], &["help", "flows"]] {
        let run = run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}");
        assert!(run.out.starts_with("Usage: glacic") && run.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn nonsense_is_64_and_goes_to_standard_error() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["flows", "--frobnicate"],
        &["flows", "--state", "maybe"],
        &["flows", "--port", "65536"],
        &["allow"],
        &["allow", "twelve"],
        &["allow", "1", "--pending"],
        &["forget", "--all"],
        &["device", "camera"],
        &["learn", "on", "--for", "0s"],
        &["completion", "ash"],
        &["replay"],
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.out.as_str()), (64, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("glacic: "), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn an_argument_that_is_no_text_is_64_and_shown_harmlessly() {
    let run = run([OsStr::from_bytes(b"\xff\x1b[2J")]);
    assert_eq!(run.code, 64);
    assert!(run.err.contains("not UTF-8") && !run.err.contains('\x1b'), "{:?}", run.err);
}

#[test]
fn without_a_daemon_it_is_69_with_the_remedy() {
    let place = Place::new();
    let socket = place.file("control.sock");
    for arguments in [
        &["status"][..],
        &["stats"],
        &["allow", "12"],
        &["deny", "--pending"],
        &["forget", "12"],
        &["device", "camera", "--mode", "block"],
        &["learn", "off"],
        &["monitor"],
    ] {
        let run = run([arguments, &["--socket", text(&socket)]].concat());
        assert_eq!((run.code, run.out.as_str()), (69, ""), "{arguments:?}");
        for part in ["not running", text(&socket), "service glacic start"] {
            assert!(run.err.contains(part), "{arguments:?}: {}", run.err);
        }
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let run = finish_with(command(["man"]), writer);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn output_that_cannot_be_written_is_74() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let run = finish_with(command(["--help"]), full);
    assert_eq!(run.code, 74);
    assert!(run.err.contains("standard output"), "{}", run.err);
}
