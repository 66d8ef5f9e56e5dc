//! One call: what it asks is checked here by the same reader as in the daemon, asked of it, and the answer is printed.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::vendors::Vendors;
use super::methods::{self, Method, Who};
use super::{enrich, input, local, page};
use crate::control::client::{Client, Fault};
use crate::control::protocol::{Code, Error, Request};

/// How long everything may take that changes nothing: whoever looks at a page wants to know soon that nobody answers.
const SOON: Duration = Duration::from_millis(800);

/// How long the arguments may take. rpcd hands them over at once; this is for whoever never closes standard input.
const INPUT: Duration = Duration::from_secs(5);

/// How long a change may take once the daemon has shown that it lives: flash memory can be slow, and so can be a new
/// ruleset. LuCI gives up after 20 s.
const CHANGE: Duration = Duration::from_secs(10);

/// Answers one call of rpcd.
pub fn run(method: &str, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = match methods::find(method) {
        Some(method) => given().and_then(|arguments| answer(method, arguments, context)),
        None => Err(format!("there is no method {method:?}")),
    };
    match answer {
        Ok(mut answer) => {
            enrich::enrich(&mut answer, &mut Vendors::open());
            let list = methods::find(method).and_then(|method| method.list);
            if !page::fit(&mut answer, list) {
                answer = error("internal", ubus::UNKNOWN_ERROR, "the answer is too long for ubus");
            }
            writeln!(out, "{answer}")?;
            match answer.get("error") {
                None => Ok(()),
                Some(error) => Err(Failure::Silent(exit(error))),
            }
        }
        // No object: rpcd makes it the status "invalid argument".
        Err(wrong) => {
            writeln!(out, "{}", json!(wrong))?;
            Err(Failure::Silent(Exit::Data))
        }
    }
}

/// The arguments; none where somebody tries it by hand and gives none.
fn given() -> Result<Map<String, Value>, String> {
    match std::io::stdin().is_terminal() {
        true => Ok(Map::new()),
        false => input::read(std::io::stdin(), INPUT),
    }
}

/// The answer to a call; the error says what was asked wrongly.
fn answer(method: &Method, arguments: Map<String, Value>, context: &Context) -> Result<Value, String> {
    if let Some(unknown) = arguments.keys().find(|name| !method.arguments.iter().any(|(known, _)| known == name)) {
        return Err(format!("{} takes no {unknown:?}", method.name));
    }
    match method.name {
        "settings" => return Ok(local::settings()),
        "check" => return local::check(&arguments, &context.config),
        _ => {}
    }
    let line = json!({ "method": method.name, "params": arguments }).to_string();
    let request = Request::parse(&line).map_err(|error| error.message)?;
    Ok(ask(&context.socket, &request, method.who == Who::Writer).unwrap_or_else(|fault| told(&fault)))
}

fn ask(socket: &Path, request: &Request, change: bool) -> Result<Value, Fault> {
    let started = Instant::now();
    let mut client = Client::connect_within(socket, SOON)?.waiting(SOON.saturating_sub(started.elapsed()));
    if change {
        // A daemon that answers this lives: a change is then waited for, so that its outcome is known.
        client.ask_json(&Request::Status)?;
        client = client.waiting(CHANGE);
    }
    client.ask_json(request)
}

/// A fault as an answer.
fn told(fault: &Fault) -> Value {
    let (code, status) = match fault {
        Fault::NotRunning { .. } | Fault::Closed | Fault::Io(_) => ("unavailable", ubus::CONNECTION_FAILED),
        Fault::NoAnswer { .. } => ("unavailable", ubus::TIMEOUT),
        Fault::NoPermission { .. } => ("denied", ubus::PERMISSION_DENIED),
        Fault::TooLong | Fault::Unreadable(_) => ("internal", ubus::UNKNOWN_ERROR),
        Fault::Refused(refused) => return of_daemon(refused),
    };
    error(code, status, &fault.to_string())
}

fn of_daemon(refused: &Error) -> Value {
    let status = match refused.code {
        Code::InvalidRequest | Code::InvalidParams => ubus::INVALID_ARGUMENT,
        Code::UnknownMethod => ubus::METHOD_NOT_FOUND,
        Code::NotFound => ubus::NOT_FOUND,
        Code::Denied => ubus::PERMISSION_DENIED,
        Code::Busy => ubus::TIMEOUT,
        Code::NotSaved => ubus::SYSTEM_ERROR,
        Code::Internal => ubus::UNKNOWN_ERROR,
    };
    json!({ "error": { "code": refused.code, "status": status, "message": refused.message } })
}

/// An error as an answer: `status` is what ubus would call it.
fn error(code: &str, status: u8, message: &str) -> Value {
    json!({ "error": { "code": code, "status": status, "message": message } })
}

/// The answer about a file that cannot be read.
pub fn unreadable(file: &Path, why: &std::io::Error) -> Value {
    let (code, status) = match why.kind() {
        ErrorKind::NotFound => ("not_found", ubus::NOT_FOUND),
        ErrorKind::PermissionDenied => ("denied", ubus::PERMISSION_DENIED),
        _ => ("internal", ubus::SYSTEM_ERROR),
    };
    error(code, status, &format!("cannot read {}: {why}", file.display()))
}

fn exit(error: &Value) -> Exit {
    match error.get("status").and_then(Value::as_u64).and_then(|status| u8::try_from(status).ok()) {
        Some(ubus::INVALID_ARGUMENT) => Exit::Data,
        Some(ubus::NOT_FOUND) => Exit::NoInput,
        Some(ubus::PERMISSION_DENIED) => Exit::NoPermission,
        Some(ubus::TIMEOUT | ubus::CONNECTION_FAILED) => Exit::Unavailable,
        Some(ubus::SYSTEM_ERROR) => Exit::Io,
        _ => Exit::Internal,
    }
}

/// The numbers of `enum ubus_msg_status` (ubusmsg.h).
mod ubus {
    pub const INVALID_ARGUMENT: u8 = 2;
    pub const METHOD_NOT_FOUND: u8 = 3;
    pub const NOT_FOUND: u8 = 4;
    pub const PERMISSION_DENIED: u8 = 6;
    pub const TIMEOUT: u8 = 7;
    pub const UNKNOWN_ERROR: u8 = 9;
    pub const CONNECTION_FAILED: u8 = 10;
    pub const SYSTEM_ERROR: u8 = 13;
}
