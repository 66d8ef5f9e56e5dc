//! What reaches a terminal, by its width and the owner's wishes.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

use super::*;

/// What a terminal of so many columns is sent, with these variables.
fn shown(columns: u16, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut terminal, mut end) = (-1, -1);
    // SAFETY: both numbers and the size are valid for the call; name and settings may be null.
    let answer = unsafe {
        libc::openpty(&mut terminal, &mut end, std::ptr::null_mut(), std::ptr::null_mut(), &raw const size as *mut _)
    };
    assert_eq!(answer, 0, "a terminal");
    // SAFETY: openpty made both descriptors for us, and nobody else has them.
    let (mut terminal, end) = unsafe { (File::from_raw_fd(terminal), File::from_raw_fd(end)) };
    let mut command = command(arguments);
    command.envs(variables.iter().copied());
    finish_with(command, end);
    let mut text = Vec::new();
    // A terminal without its other end is an error (EIO), not an end.
    let _ = terminal.read_to_end(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn text_fits_the_width() {
    for columns in [60, 80, 200] {
        let help = shown(columns, &["--help"], &[]);
        let widest = help.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
        assert!(
            widest <= usize::from(columns.min(100)) && widest > usize::from(columns.min(100)) - 20,
            "{columns}: {widest}"
        );
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::new();
    let file = place.write("bad", "config rule_learning 'main'\n\toption colour 'red'\n");
    let check = |variables: &[(&str, &str)]| {
        let shown = shown(80, &["check", text(&file)], variables);
        assert!(shown.contains("error"), "{shown}");
        shown.contains('\x1b')
    };
    assert!(check(&[("TERM", "xterm")]));
    assert!(check(&[("TERM", "xterm"), ("NO_COLOR", "")]));
    assert!(!check(&[("TERM", "xterm"), ("NO_COLOR", "1")]));
    assert!(!check(&[("TERM", "dumb")]));
    assert!(!check(&[]));
    assert!(!run(["check", text(&file)]).out.contains('\x1b'));
}
