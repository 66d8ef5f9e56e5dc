//! `glacic devices`: the list of devices.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::Failure;
use super::screen::{Screen, print_json, remark};
use super::source::Source;
use super::table::{self, Cell, Column, number, render};
use super::vendors::Vendors;
use super::when;
use crate::control::protocol::{DevicePage, DeviceQuery};
use crate::flow::Wall;
use crate::flow::query::Query;
use crate::flow::view::DeviceView;

/// Lists the devices, and how many flows of each are allowed, pending and denied.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "devices", example = "glacic devices", example = "glacic devices --json")]
pub struct Devices {
    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Devices {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let mut source = Source::open(context)?;
        let mut all = DevicePage { devices: Vec::new(), total: 0 };
        loop {
            let offset = u32::try_from(all.devices.len()).unwrap_or(u32::MAX);
            let page = source.devices(&DeviceQuery { offset, limit: Query::MAX_LIMIT, ..DeviceQuery::default() })?;
            all.total = page.total;
            let end = page.devices.is_empty();
            all.devices.extend(page.devices);
            if end || all.devices.len() as u64 >= all.total {
                break;
            }
        }
        if self.json {
            return print_json(out, &all);
        }
        if all.devices.is_empty() {
            remark("no device was seen yet");
            return Ok(());
        }
        let mut vendors = Vendors::open();
        for device in all.devices.iter_mut().filter(|device| device.name.is_none()) {
            device.name = vendors.of_device(device.mac).map(|vendor| format!("({vendor})"));
        }
        Ok(out.write_all(listing(&all.devices, context.now, context.screen).as_bytes())?)
    }
}

const COLUMNS: &[Column] = &[
    table::text("DEVICE", 8, 0),
    table::text("ADDRESS", 17, 0),
    table::text("MODE", 7, 0),
    table::text("ZONE", 4, 3),
    number("ALLOWED", 1),
    number("PENDING", 1),
    number("DENIED", 1),
    table::text("SEEN", 8, 2),
];

fn listing(devices: &[DeviceView], now: Wall, screen: Screen) -> String {
    let rows: Vec<Vec<Cell>> = devices
        .iter()
        .map(|device| {
            let (mode, tone) = describe::mode(device.mode);
            let random = if device.randomised { " (random)" } else { "" };
            vec![
                Cell::new(device.name.as_deref().unwrap_or("-")),
                Cell::new(format!("{}{random}", device.mac)),
                Cell::toned(mode, tone),
                Cell::new(device.zone.as_deref().unwrap_or("-")),
                Cell::new(device.allowed.to_string()),
                Cell::new(device.pending.to_string()),
                Cell::new(device.denied.to_string()),
                Cell::new(when::ago(device.last_seen, now)),
            ]
        })
        .collect();
    render(COLUMNS, &rows, screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{DeviceMode, Mac};

    #[test]
    fn a_device_is_a_line() {
        let now = Wall { seconds: 1_795_336_868 };
        let camera = DeviceView {
            mac: Mac([0xb8, 0x27, 0xeb, 0, 0, 1]),
            name: Some("camera\n".into()),
            randomised: false,
            mode: DeviceMode::Enforce,
            zone: Some("lan".into()),
            first_seen: now,
            last_seen: now,
            allowed: 12,
            pending: 3,
            denied: 0,
        };
        let phone =
            DeviceView { mac: Mac([2, 0, 0, 0, 0, 1]), name: None, randomised: true, zone: None, ..camera.clone() };
        assert_eq!(
            listing(&[camera, phone], now, Screen::PLAIN),
            "\
DEVICE    ADDRESS                     MODE     ZONE  ALLOWED  PENDING  DENIED  SEEN
camera\\n  b8:27:eb:00:00:01           enforce  lan        12        3       0  just now
-         02:00:00:00:00:01 (random)  enforce  -          12        3       0  just now
"
        );
    }
}
