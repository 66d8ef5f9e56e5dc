//! Listings: filtered, sorted and cut into pages in SQL. Only numbers are bound into statements: text is looked up first,
//! among the distinct devices and services, by the same words they are shown with.

use rusqlite::{Connection, Result, Row, params_from_iter};

use super::decide::internal;
use super::{Store, devices, flows, value};
use crate::control::protocol::{Code, DevicePage, DeviceQuery, DeviceSort, Error, FlowPage};
use crate::flow::query::{self, Filter, Query, Sort};
use crate::flow::view::{DeviceView, FlowView};
use crate::flow::{DeviceMode, FlowId, Mac, State, Wall, service_name};

/// [`flows::TABLES`] with the names that devices are shown by.
const NAMED: &str = "LEFT JOIN names n ON n.mac = d.mac";
const NAME: &str = "ifnull(d.name, n.name)";

impl Store {
    pub(super) fn list(&self, query: &Query, now: Wall) -> std::result::Result<String, Error> {
        json(&self.page(query, now).map_err(internal)?)
    }

    fn page(&self, query: &Query, now: Wall) -> Result<FlowPage> {
        let Chosen { conditions, values } = Chosen::new(&self.tables, &query.filter, now)?;
        let (columns, tables, order) = (flows::COLUMNS, flows::TABLES, order(query));
        if query.sort == Sort::Device {
            rank_devices(&self.tables)?;
        }
        let total: i64 = self.tables.query_row(
            &format!("SELECT count(*) FROM flows f {conditions}"),
            params_from_iter(&values),
            |row| row.get(0),
        )?;
        // The page is chosen by numbers alone: what is shown is looked up for its flows, and not for those before it.
        let mut statement = self.tables.prepare(&format!(
            "SELECT {columns}, {NAME}, d.zone, f.decided
             FROM (SELECT f.id AS chosen FROM flows f {conditions} ORDER BY {order} LIMIT ? OFFSET ?)
             CROSS JOIN {tables} {NAMED} WHERE f.id = chosen ORDER BY {order}"
        ))?;
        let page = [i64::from(query.page_size()), i64::from(query.offset)];
        let mut rows = statement.query(params_from_iter(values.iter().chain(&page)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.extend(view(row)?);
        }
        Ok(FlowPage { flows: found, total: total.unsigned_abs() })
    }

    pub(super) fn get(&self, id: FlowId) -> std::result::Result<String, Error> {
        let (columns, tables) = (flows::COLUMNS, flows::TABLES);
        let sql = format!("SELECT {columns}, {NAME}, d.zone, f.decided FROM {tables} {NAMED} WHERE f.id = ?1");
        let mut statement = self.tables.prepare_cached(&sql).map_err(internal)?;
        let mut rows = statement.query([id.0]).map_err(internal)?;
        match rows.next().map_err(internal)?.map(view).transpose().map_err(internal)?.flatten() {
            Some(view) => json(&view),
            None => Err(Error::new(Code::NotFound, format!("there is no flow {}", id.0))),
        }
    }

    pub(super) fn devices(
        &self,
        query: &DeviceQuery,
        modes: &[(Mac, DeviceMode)],
    ) -> std::result::Result<String, Error> {
        json(&self.device_page(query, modes).map_err(internal)?)
    }

    fn device_page(&self, query: &DeviceQuery, modes: &[(Mac, DeviceMode)]) -> Result<DevicePage> {
        let mode_in_force = mode_in_force(modes);
        let mut conditions = "WHERE 1".to_owned();
        let mut values = Vec::new();
        if let Some(mode) = query.mode {
            conditions += &format!(" AND {mode_in_force} = ?");
            values.push(devices::mode_number(mode));
        }
        if let Some(search) = &query.search {
            find_devices(&self.tables, &search.to_lowercase())?;
            conditions += " AND d.id IN (SELECT device FROM found_devices)";
        }
        let total: i64 = self.tables.query_row(
            &format!("SELECT count(*) FROM devices d {conditions}"),
            params_from_iter(&values),
            |row| row.get(0),
        )?;
        let order = device_order(query);
        let mut statement = self.tables.prepare(&format!(
            "SELECT d.mac, {NAME} AS called, {mode_in_force} AS mode, d.zone, d.first_seen,
                    max(ifnull(max(f.last_seen), 0), d.first_seen) AS last_seen,
                    count(*) FILTER (WHERE f.standing >> 2 = 1) AS allowed,
                    count(*) FILTER (WHERE f.standing >> 2 = 0) AS pending,
                    count(*) FILTER (WHERE f.standing >> 2 = 2) AS denied
             FROM devices d {NAMED} LEFT JOIN flows f ON f.device = d.id {conditions}
             GROUP BY d.id ORDER BY {order} LIMIT ? OFFSET ?"
        ))?;
        let page = Query { offset: query.offset, limit: query.limit, ..Query::default() };
        let page = [i64::from(page.page_size()), i64::from(page.offset)];
        let mut rows = statement.query(params_from_iter(values.iter().chain(&page)))?;
        let mut devices = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(mac) = value::mac(row.get(0)?) else { continue };
            devices.push(DeviceView {
                mac,
                name: row.get(1)?,
                randomised: mac.is_local(),
                mode: devices::mode(row.get(2)?),
                zone: row.get(3)?,
                first_seen: Wall { seconds: row.get(4)? },
                last_seen: Wall { seconds: row.get(5)? },
                allowed: row.get(6)?,
                pending: row.get(7)?,
                denied: row.get(8)?,
            });
        }
        Ok(DevicePage { devices, total: total.unsigned_abs() })
    }
}

/// The numbers of all flows that match, in their order.
pub fn matching(tables: &Connection, filter: &Filter, now: Wall) -> Result<Vec<FlowId>> {
    let Chosen { conditions, values } = Chosen::new(tables, filter, now)?;
    let mut statement = tables.prepare(&format!("SELECT f.id FROM {} {conditions} ORDER BY f.id", flows::TABLES))?;
    let ids = statement.query_map(params_from_iter(values), |row| row.get(0).map(FlowId))?;
    ids.collect()
}

fn json<T: serde::Serialize>(page: &T) -> std::result::Result<String, Error> {
    serde_json::to_string(page).map_err(|fault| Error::new(Code::Internal, fault.to_string()))
}

/// A row of [`flows::COLUMNS`], the device's name and its zone, and when it was decided.
fn view(row: &Row) -> Result<Option<FlowView>> {
    let Some(record) = flows::read(row) else { return Ok(None) };
    let mut view = FlowView::new(&record);
    if let Ok(name) = row.get_ref(4)?.as_str() {
        view.destination = name.to_owned();
    }
    view.device = row.get(9)?;
    view.zone = row.get(10)?;
    view.decided = row.get::<_, Option<i64>>(11)?.map(|seconds| Wall { seconds });
    Ok(Some(view))
}

fn order(query: &Query) -> String {
    let direction = if query.descending { "DESC" } else { "ASC" };
    let by: &[&str] = match query.sort {
        Sort::Id => return format!("f.id {direction}"),
        Sort::Device => &["(SELECT rank FROM ranks WHERE device = f.device)"],
        Sort::Service => &["f.service"],
        Sort::State => &["f.standing >> 2"],
        Sort::FirstSeen => &["f.first_seen"],
        Sort::LastSeen => &["f.last_seen"],
        Sort::Connections => &["f.connections"],
    };
    terms(by, direction) + "f.id"
}

fn device_order(query: &DeviceQuery) -> String {
    let direction = if query.descending { "DESC" } else { "ASC" };
    let by: &[&str] = match query.sort {
        DeviceSort::Mac => return format!("d.mac {direction}"),
        DeviceSort::Name => &["called IS NULL", "called COLLATE NOCASE"],
        DeviceSort::Mode => &["mode"],
        DeviceSort::Zone => &["d.zone"],
        DeviceSort::FirstSeen => &["d.first_seen"],
        DeviceSort::LastSeen => &["last_seen"],
        DeviceSort::Allowed => &["allowed"],
        DeviceSort::Pending => &["pending"],
        DeviceSort::Denied => &["denied"],
    };
    terms(by, direction) + "d.mac"
}

/// A device's mode as SQL: where the configuration says one, that.
fn mode_in_force(modes: &[(Mac, DeviceMode)]) -> String {
    if modes.is_empty() {
        return "d.mode".to_owned();
    }
    let case = |(mac, mode): &(Mac, DeviceMode)| format!(" WHEN {} THEN {}", mac.to_u64(), devices::mode_number(*mode));
    format!("CASE d.mac{} ELSE d.mode END", modes.iter().map(case).collect::<String>())
}

/// Terms of an order in one direction, to be followed by what makes it total.
fn terms(by: &[&str], direction: &str) -> String {
    by.iter().map(|term| format!("{term} {direction}, ")).collect()
}

/// Puts the place of each device among all into `ranks`. Those without a name come last, in the order of their
/// addresses.
fn rank_devices(tables: &Connection) -> Result<()> {
    let together = tables.unchecked_transaction()?;
    tables.execute("DELETE FROM ranks", [])?;
    let mut rank = tables.prepare_cached("INSERT INTO ranks VALUES (?1, ?2)")?;
    let mut statement = tables.prepare(&format!(
        "SELECT d.id FROM devices d {NAMED} ORDER BY {NAME} IS NULL, {NAME} COLLATE NOCASE, d.mac"
    ))?;
    let mut rows = statement.query([])?;
    for place in 0i64.. {
        let Some(row) = rows.next()? else { break };
        rank.execute([row.get(0)?, place])?;
    }
    together.commit()
}

/// A filter as SQL: conditions with a `?` for each value.
struct Chosen {
    conditions: String,
    values: Vec<i64>,
}

impl Chosen {
    fn new(tables: &Connection, filter: &Filter, now: Wall) -> Result<Chosen> {
        let Filter { state, origin, device, proto, port, newer_than, idle_for, search } = filter;
        let mut terms: Vec<&str> = Vec::new();
        let mut values = Vec::new();
        let mut add = |term, value| {
            terms.push(term);
            values.extend(value);
        };
        let ago = |seconds: u64| now.seconds.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX));
        if let Some(state) = state {
            add("f.standing >> 2 = ?", Some(flows::state_number(*state)));
        }
        if let Some(origin) = origin {
            add("f.standing & 3 = ?", Some(flows::origin_number(*origin)));
        }
        if let Some(proto) = proto {
            add("f.service >> 17 = ?", Some(i64::from(proto.0)));
        }
        if let Some(port) = port {
            add("f.service & 0x1ffff = ?", Some(i64::from(*port)));
        }
        if let Some(seconds) = newer_than {
            add("f.first_seen >= ?", Some(ago(*seconds)));
        }
        if let Some(seconds) = idle_for {
            add("f.last_seen <= ?", Some(ago(*seconds)));
        }
        if let Some(device) = device {
            find_device(tables, device)?;
            add("f.device IN (SELECT device FROM named)", None);
        }
        if let Some(search) = search {
            find_text(tables, search)?;
            let state = STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(search));
            // No flow has a state below 0.
            let state = state.map_or(-1, |(_, state)| flows::state_number(*state));
            add(
                "(f.device IN (SELECT device FROM found_devices) OR f.service IN (SELECT service FROM found_services)
                 OR f.standing >> 2 = ?)",
                Some(state),
            );
        }
        let conditions = if terms.is_empty() { String::new() } else { format!("WHERE {}", terms.join(" AND ")) };
        Ok(Chosen { conditions, values })
    }
}

/// Puts the devices of an address or a name into `named`.
fn find_device(tables: &Connection, device: &str) -> Result<()> {
    tables.execute("DELETE FROM named", [])?;
    let macs = match query::as_mac(device) {
        Some(mac) => vec![mac],
        None => devices::by_name(tables, device)?,
    };
    for mac in macs {
        if let Some(id) = devices::find(tables, mac)? {
            tables.prepare_cached("INSERT OR IGNORE INTO named VALUES (?1)")?.execute([id])?;
        }
    }
    Ok(())
}

/// States as a search may name them.
const STATES: [(&str, State); 3] =
    [("pending", State::Pending), ("allowed", State::Allowed), ("denied", State::Denied)];

/// Puts the devices in whose words the text, in lower case, occurs into `found_devices`.
fn find_devices(tables: &Connection, text: &str) -> Result<()> {
    tables.execute("DELETE FROM found_devices", [])?;
    let mut found = tables.prepare_cached("INSERT INTO found_devices VALUES (?1)")?;
    let mut statement = tables.prepare(&format!("SELECT d.id, d.mac, {NAME} FROM devices d {NAMED}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mac = value::mac(row.get(1)?).map(|mac| mac.to_string());
        let name: Option<String> = row.get(2)?;
        if [mac, name].into_iter().flatten().any(|word| word.to_lowercase().contains(text)) {
            found.execute([row.get::<_, i64>(0)?])?;
        }
    }
    Ok(())
}

/// Puts the devices and services in whose words the text occurs, case ignored, into `found_devices` and
/// `found_services`.
fn find_text(tables: &Connection, text: &str) -> Result<()> {
    let text = text.to_lowercase();
    let together = tables.unchecked_transaction()?;
    find_devices(tables, &text)?;
    tables.execute("DELETE FROM found_services", [])?;
    let mut found = tables.prepare_cached("INSERT INTO found_services VALUES (?1)")?;
    let mut statement = tables.prepare("SELECT DISTINCT service FROM flows")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let service: i64 = row.get(0)?;
        let Some((protocol, port)) = flows::protocol_and_port(service) else { continue };
        let name = service_name(protocol, port).unwrap_or_default();
        if format!("{protocol}/{port} {name}").contains(&text) {
            found.execute([service])?;
        }
    }
    together.commit()
}
