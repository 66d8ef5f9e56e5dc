//! Where listings come from: the daemon, or without one a copy of its database.

use super::Context;
use super::exit::Failure;
use crate::control::client::{Client, Fault};
use crate::control::protocol::{DevicePage, DeviceQuery, FlowPage, Request};
use crate::flow::query::Query;

pub enum Source {
    Daemon(Client),
}

impl Source {
    /// The daemon, if it runs; otherwise a copy of the database, which is said on standard error.
    pub fn open(context: &Context) -> Result<Source, Failure> {
        match Client::connect(&context.socket) {
            Ok(client) => Ok(Source::Daemon(client)),
            Err(fault @ Fault::NotRunning { .. }) => copy(context, fault),
            Err(fault) => Err(fault.into()),
        }
    }

    pub fn flows(&mut self, query: &Query) -> Result<FlowPage, Failure> {
        match self {
            Source::Daemon(client) => Ok(client.ask(&Request::FlowList(query.clone()))?),
        }
    }

    pub fn devices(&mut self, query: &DeviceQuery) -> Result<DevicePage, Failure> {
        match self {
            Source::Daemon(client) => Ok(client.ask(&Request::DeviceList(query.clone()))?),
        }
    }
}

fn copy(_context: &Context, fault: Fault) -> Result<Source, Failure> {
    Err(fault.into())
}
