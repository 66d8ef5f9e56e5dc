//! What rpcd hands over: one JSON object on standard input, bounded in length, depth and time.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Map, Value};

/// The longest input, in bytes: rpcd writes once into a pipe, and what does not fit into it is lost.
pub const MOST: usize = 64 * 1024;

/// Reads the arguments of a call. Whatever feeds `from`, this ends after `patience`.
pub fn read(from: impl Read + Send + 'static, patience: Duration) -> Result<Map<String, Value>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Reading may block for ever; the thread ends with the process.
    let reader = move || {
        let mut text = Vec::new();
        let limit = u64::try_from(MOST).unwrap_or(u64::MAX).saturating_add(1);
        let read = from.take(limit).read_to_end(&mut text).map(|_| text);
        let _ = sender.send(read);
    };
    std::thread::Builder::new().name("input".into()).spawn(reader).map_err(|error| error.to_string())?;
    match receiver.recv_timeout(patience) {
        Ok(Ok(text)) => arguments(&text),
        Ok(Err(error)) => Err(format!("cannot read standard input: {error}")),
        Err(_) => Err("standard input does not end".to_owned()),
    }
}

/// The arguments in a text; none where it is empty. rpcd adds the session that asks, which is not ours to judge.
fn arguments(text: &[u8]) -> Result<Map<String, Value>, String> {
    if text.len() > MOST {
        return Err(format!("the arguments are longer than {MOST} bytes"));
    }
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(mut arguments)) => {
            if let Some(session) = arguments.remove("ubus_rpc_session")
                && !session.is_string()
            {
                return Err("ubus_rpc_session is no text".to_owned());
            }
            // Programs that have nothing to say about an argument may say so.
            arguments.retain(|_, argument| !argument.is_null());
            Ok(arguments)
        }
        Ok(_) => Err("the arguments are no JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are no JSON object: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_text(text: &str) -> Result<Value, String> {
        read(std::io::Cursor::new(text.to_owned().into_bytes()), Duration::from_secs(20)).map(Value::Object)
    }

    #[test]
    fn the_session_is_taken_out_and_nothing_else() {
        assert_eq!(read_text(""), Ok(json!({})));
        assert_eq!(read_text(" \n"), Ok(json!({})));
        assert_eq!(read_text(r#"{"id":3,"ubus_rpc_session":"00"}"#), Ok(json!({"id": 3})));
        assert_eq!(read_text(r#"{"limit":null,"service":{"port":null}}"#), Ok(json!({"service": {"port": null}})));
        assert_eq!(read_text(r#"{"ubus_session":"00"}"#), Ok(json!({"ubus_session": "00"})));
        assert!(read_text(r#"{"ubus_rpc_session":{}}"#).is_err());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "3", "null", "{", "{}{}", "{\"a\":1}x", "\u{0}", "{\"a\":\"\\ud800\"}"] {
            assert!(read_text(text).is_err(), "{text:?}");
        }
        assert!(read(&b"{\"a\":\"\xff\"}"[..], Duration::from_secs(20)).is_err());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{{\"filter\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(read_text(&deep).unwrap_err().contains("recursion"), "deep");
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(read_text(&long(MOST)).is_ok());
        assert!(read_text(&long(MOST + 1)).unwrap_err().contains("longer"), "long");
        assert!(read(std::io::repeat(b'{'), Duration::from_secs(20)).unwrap_err().contains("longer"), "endless");
    }

    #[test]
    fn an_input_that_never_ends_is_waited_for_only_so_long() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(read(reader, Duration::from_millis(50)), Err("standard input does not end".to_owned()));
        drop(writer);
    }
}
