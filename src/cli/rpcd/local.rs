//! What is answered without the daemon: the options there are, and whether a configuration is good.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config::{self, Info, Outcome, Shape};

/// Every option with its shape, for forms.
pub fn settings() -> Value {
    json!({ "options": config::options().iter().map(option).collect::<Vec<_>>() })
}

fn option(info: &Info) -> Value {
    let default = match (info.list, info.default) {
        (true, values) => json!(values),
        (false, [value]) => json!(value),
        (false, _) => Value::Null,
    };
    json!({
        "section": info.section,
        "name": info.name,
        "shape": shape(&info.shape),
        "list": info.list,
        "required": info.required,
        "default": default,
        "help": info.help,
        "asleep": info.asleep,
    })
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Switch => json!({"kind": "switch"}),
        Shape::Choice(values) => json!({"kind": "choice", "values": values}),
        Shape::Number { min, max } => json!({"kind": "number", "min": min, "max": max}),
        Shape::Mask => json!({"kind": "mask"}),
        Shape::Duration { none, min, max } => {
            json!({"kind": "duration", "zero": none, "min": min.as_secs(), "max": max.as_secs()})
        }
        Shape::Rate => json!({"kind": "rate"}),
        Shape::Network => json!({"kind": "networks"}),
        Shape::Zone => json!({"kind": "zones"}),
        Shape::Interface => json!({"kind": "interfaces"}),
        Shape::Mac => json!({"kind": "mac"}),
        Shape::Protocol => json!({"kind": "proto"}),
        Shape::Port => json!({"kind": "port"}),
        Shape::Path => json!({"kind": "path"}),
        Shape::Name => json!({"kind": "text", "max": config::value::LONGEST_NAME}),
    }
}

/// The problems of the configuration in `config`, or of the file where it is not given. `Err`: asked wrongly.
pub fn check(arguments: &Map<String, Value>, file: &Path) -> Result<Value, String> {
    let outcome = match arguments.get("config") {
        Some(Value::String(text)) => config::read(text.as_bytes(), &file.display().to_string()),
        Some(_) => return Err("config: expected a text".to_owned()),
        None => match config::load(file) {
            Ok(outcome) => outcome,
            Err(error) => {
                return Ok(super::call::unreadable(file, &error));
            }
        },
    };
    let Outcome { settings, problems, .. } = outcome;
    Ok(json!({ "ok": settings.is_some(), "problems": problems }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_learns_everything_about_an_option() {
        let settings = settings();
        let options = settings["options"].as_array().unwrap();
        assert_eq!(options.len(), config::options().len());
        let find = |name: &str| options.iter().find(|option| option["name"] == name).unwrap();
        assert_eq!(find("max_flows")["shape"], json!({"kind": "number", "min": 100, "max": 100_000}));
        assert_eq!(find("max_flows")["default"], "20000");
        assert_eq!(find("hold")["shape"], json!({"kind": "duration", "zero": true, "min": 1, "max": 30}));
        assert_eq!(find("ignore_network")["default"], json!(["224.0.0.0/4", "ff00::/8", "255.255.255.255"]));
        assert_eq!((&find("zone")["list"], &find("zone")["default"]), (&json!(true), &json!([])));
        assert_eq!((&find("mac")["required"], &find("mac")["default"]), (&json!(true), &Value::Null));
        assert_eq!((&find("reverse_dns")["asleep"], &find("enabled")["asleep"]), (&json!(true), &json!(false)));
    }

    #[test]
    fn a_configuration_is_checked_before_it_is_a_file() {
        let ask = |text: &str| {
            let arguments = json!({ "config": text });
            check(arguments.as_object().unwrap(), Path::new("glacic")).unwrap()
        };
        assert_eq!(ask("config rule_learning 'main'\n"), json!({"ok": true, "problems": []}));
        let answer = ask("config rule_learning 'main'\n\toption fail_mode 'maybe'\n");
        assert_eq!(answer["ok"], false);
        let problem = &answer["problems"][0];
        assert_eq!((&problem["severity"], &problem["line"]), (&json!("error"), &json!(2)));
        assert_eq!((&problem["section"], &problem["option"]), (&json!("main"), &json!("fail_mode")));
        let wrong = json!({ "config": 3 });
        assert!(check(wrong.as_object().unwrap(), Path::new("glacic")).is_err());
    }
}
