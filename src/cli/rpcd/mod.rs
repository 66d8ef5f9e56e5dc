//! `glacic rpcd`: the ubus object `glacic`, as a plugin of rpcd.
//!
//! rpcd runs `/usr/libexec/rpcd/glacic`, which is this program under another name: `list` tells the methods with the
//! types of their arguments, `call METHOD` reads one JSON object and prints one. rpcd does not look at exit codes: an
//! object is an answer, anything else is the ubus status "invalid argument". So whoever asks wrongly gets a JSON
//! text that says why, and what a well-formed call could not do is told inside an answer, as `error`.

mod call;
mod enrich;
mod input;
mod local;
mod methods;
mod page;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::word;

/// Answers rpcd, which makes it the ubus object glacic.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "rpcd",
    example = "glacic rpcd list",
    example = "echo '{}' | glacic rpcd call status",
    note = "Called as /usr/libexec/rpcd/glacic the word rpcd is left out: so rpcd runs it."
)]
pub struct Rpcd {
    /// list the methods, or call one with the JSON object on standard input
    #[argh(positional, arg_name = "list|call", from_str_fn(word))]
    pub verb: Verb,

    /// the method to call
    #[argh(positional, arg_name = "method")]
    pub method: Option<String>,
}

/// What rpcd asks a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    List,
    Call,
}

impl Rpcd {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        match (self.verb, self.method) {
            (Verb::List, None) => Ok(writeln!(out, "{}", methods::list())?),
            (Verb::List, Some(_)) => Err(Failure::usage("rpcd list takes no method")),
            (Verb::Call, Some(method)) => call::run(&method, context, out),
            (Verb::Call, None) => Err(Failure::usage("say which method to call: glacic rpcd list names them")),
        }
    }
}

/// The arguments after the program's name, with `rpcd` in front where rpcd has called.
pub fn arguments(program: Option<&OsStr>, given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    program.is_some_and(is_plugin).then(|| OsString::from("rpcd")).into_iter().chain(given)
}

/// Whether this is the path of a plugin: something in a folder `libexec/rpcd`.
fn is_plugin(program: &OsStr) -> bool {
    Path::new(program).parent().is_some_and(|folder| folder.ends_with("libexec/rpcd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpcd_is_known_by_the_path_it_calls() {
        for (program, plugin) in [
            ("/usr/libexec/rpcd/glacic", true),
            ("/opt/libexec/rpcd/glacic", true),
            ("/usr/sbin/glacic", false),
            ("glacic", false),
            ("rpcd/glacic", false),
            ("/usr/libexec/rpcd", false),
        ] {
            assert_eq!(is_plugin(OsStr::new(program)), plugin, "{program}");
        }
        let told = arguments(Some(OsStr::new("/usr/libexec/rpcd/glacic")), [OsString::from("list")].into_iter());
        assert_eq!(told.collect::<Vec<_>>(), ["rpcd", "list"]);
        assert_eq!(arguments(None, [OsString::from("flows")].into_iter()).collect::<Vec<_>>(), ["flows"]);
    }
}
