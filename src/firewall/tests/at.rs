//! A firewall thread at work, and who asks it.

use std::sync::mpsc;

use super::house::{CLIENT, PATIENCE};
use super::support::{must, plan};
use crate::firewall::message::{Change, Load, Report, Request};
use crate::firewall::nft::Tools;
use crate::firewall::plan::Plan;
use crate::firewall::worker::{Config, Worker, spawn};
use crate::flow::{Key, Port, Protocol, State};

pub fn udp(port: u16) -> Key {
    Key::service(CLIENT, Protocol(17), Port::Number(port))
}

pub fn enforcing() -> Plan {
    Plan { learning: false, ..plan() }
}

/// A worker and the reports it makes.
pub struct At {
    pub worker: Worker,
    pub reports: mpsc::Receiver<Report>,
}

impl At {
    pub fn work(tools: &Tools) -> At {
        let (sender, reports) = mpsc::sync_channel(8);
        let config = Config { tools: tools.clone() };
        At { worker: spawn(config, sender, || {}).unwrap(), reports }
    }

    pub fn next(&self) -> Report {
        self.reports.recv_timeout(PATIENCE).expect("a report")
    }

    pub fn ask(&self, request: Request) -> Report {
        self.worker.try_send(request).unwrap();
        self.next()
    }

    pub fn load(&self, plan: &Plan, elements: &[(Key, State)]) -> Report {
        let load = Load { plan: plan.clone(), elements: elements.to_vec(), devices: Vec::new() };
        self.ask(Request::Load(Box::new(load)))
    }

    /// A load of which nothing is to be said; it may end connections.
    pub fn loads(&self, plan: &Plan, elements: &[(Key, State)]) {
        let mut report = self.load(plan, elements);
        while matches!(report, Report::Cut { trouble: None, .. }) {
            report = self.next();
        }
        match report {
            Report::Loaded { warnings, failed, .. } => {
                assert!(warnings.is_empty() && failed.is_empty(), "{warnings:?} {failed:?}")
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn change(&self, key: Key, before: Option<State>, after: Option<State>) -> Report {
        self.ask(Request::Change { ticket: Some(7), changes: vec![Change { key, before, after }] })
    }

    /// The same, when it is done; it may end connections.
    pub fn changes(&self, request: Request) {
        let mut report = self.ask(request);
        while matches!(report, Report::Cut { trouble: None, .. }) {
            report = self.next();
        }
        assert!(matches!(&report, Report::Applied { failed, .. } if failed.is_empty()), "{report:?}");
    }

    pub fn counters(&self) -> Vec<(Key, u64)> {
        match self.ask(Request::Counters { ticket: None }) {
            Report::Counters { mut flows, .. } => {
                flows.sort_unstable();
                flows
            }
            other => panic!("{other:?}"),
        }
    }
}

pub fn table() -> String {
    must("nft", &["list", "table", "inet", "glacic"], "")
}
