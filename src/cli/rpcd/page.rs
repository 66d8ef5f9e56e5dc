//! How long an answer may be: a message on ubus has a limit, and a router little memory.

use serde_json::Value;

/// The longest answer, in bytes of a ubus message: half of what ubus takes, whose messages end at 1 MiB
/// (`UBUS_MAX_MSGLEN`).
pub const MOST: usize = 512 * 1024;

/// Cuts the list of an answer to what fits; whoever reads pages goes on behind what has come. Returns whether the
/// answer fits now.
pub fn fit(answer: &mut Value, list: Option<&str>) -> bool {
    let size = size(answer);
    let Some(mut over) = size.checked_sub(MOST).filter(|over| *over > 0) else { return true };
    let Some(items) = list.and_then(|list| answer.get_mut(list)).and_then(Value::as_array_mut) else { return false };
    while over > 0 {
        let Some(last) = items.pop() else { return false };
        over = over.saturating_sub(HEAD.saturating_add(self::size(&last)));
    }
    true
}

/// The head of a member of an array: the attribute's, and that of an empty name (`struct blobmsg_hdr`).
const HEAD: usize = 8;

/// The bytes of a value in a ubus message, without its head: texts end with a zero, everything is padded to four.
fn size(value: &Value) -> usize {
    let padded = |length: usize| length.saturating_add(3) & !3;
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => padded(text.len().saturating_add(1)),
        Value::Array(items) => items.iter().fold(0, |sum, item| sum.saturating_add(HEAD).saturating_add(size(item))),
        Value::Object(members) => members.iter().fold(0, |sum, (name, value)| {
            // Four bytes of head, two for the length of the name, the name and a zero.
            let head = padded(name.len().saturating_add(3)).saturating_add(4);
            sum.saturating_add(head).saturating_add(size(value))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_cut_to_what_a_message_holds() {
        let flow = json!({"device": "x".repeat(1000)});
        let mut answer = json!({"flows": vec![flow; 2000], "total": 5000});
        assert!(fit(&mut answer, Some("flows")));
        let left = answer["flows"].as_array().unwrap().len();
        assert!((MOST / 1040..MOST / 1000).contains(&left), "{left}");
        assert!(size(&answer) <= MOST);
        assert_eq!(answer["total"], 5000);
    }

    #[test]
    fn what_fits_is_left_alone() {
        let mut answer = json!({"flows": [{"id": 1}], "total": 1});
        assert!(fit(&mut answer, Some("flows")));
        assert_eq!(answer, json!({"flows": [{"id": 1}], "total": 1}));
    }

    #[test]
    fn what_cannot_be_cut_does_not_fit() {
        for list in [None, Some("flows")] {
            assert!(!fit(&mut json!({"text": "x".repeat(MOST)}), list));
        }
    }
}
