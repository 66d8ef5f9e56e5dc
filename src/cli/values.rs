//! Values of options: words, spans of time, ports.

use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::config::value::duration;
use crate::flow::{Port, Unreadable};

/// A word that stands for a value of the control protocol, with dashes for its underscores. The error lists the words.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.replace('-', "_"))).map_err(|error| {
        // serde says "unknown variant `x`, expected one of `a`, `b`"; what was given is told already.
        let told = error.to_string();
        let (_, words) = told.split_once(", expected ").unwrap_or(("", &told));
        format!("expected {}", words.replace('`', "").replace('_', "-"))
    })
}

/// `on` or `off`.
pub fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// A span of time as in the configuration, such as `30s`, `15m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Span, Unreadable> {
        const EXPECTED: Unreadable = Unreadable { expected: "a time such as 30s, 15m, 24h or 7d" };
        duration(text).map(Span).ok_or(EXPECTED)
    }
}

/// A port's number, or `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortChoice(pub Port);

impl FromStr for PortChoice {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<PortChoice, Unreadable> {
        const EXPECTED: Unreadable = Unreadable { expected: "a port from 0 to 65535, or any" };
        if text == "any" {
            return Ok(PortChoice(Port::Any));
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EXPECTED);
        }
        text.parse().map(|number| PortChoice(Port::Number(number))).map_err(|_| EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::State;
    use crate::flow::query::Sort;

    #[test]
    fn words_are_those_of_the_protocol() {
        assert_eq!(word("pending"), Ok(State::Pending));
        assert_eq!(word("first-seen"), Ok(Sort::FirstSeen));
        assert_eq!(word::<State>("maybe"), Err("expected one of pending, allowed, denied".to_owned()));
        assert!(word::<Sort>("age").unwrap_err().contains("first-seen"), "words are told as they are typed");
    }

    #[test]
    fn spans_are_those_of_the_configuration() {
        assert_eq!("7d".parse(), Ok(Span(Duration::from_secs(604_800))));
        assert_eq!("7w".parse::<Span>().unwrap_err().to_string(), "expected a time such as 30s, 15m, 24h or 7d");
    }

    #[test]
    fn a_port_is_a_number_or_any() {
        assert_eq!("443".parse(), Ok(PortChoice(Port::Number(443))));
        assert_eq!("any".parse(), Ok(PortChoice(Port::Any)));
        for text in ["", "65536", "-1", "+1", "https"] {
            assert!(text.parse::<PortChoice>().is_err(), "{text:?}");
        }
    }
}
