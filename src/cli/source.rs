//! Where listings come from: the daemon, or without one a copy of its database.

use serde::de::DeserializeOwned;

use super::Context;
use super::exit::{Exit, Failure};
use super::screen::{remark, visible};
use crate::control::client::{Client, Fault};
use crate::control::protocol::{DevicePage, DeviceQuery, Error, FlowPage, Request};
use crate::flow::query::Query;
use crate::flow::{Monotonic, Now};
use crate::store::{self, Reply, Store};

pub enum Source {
    Daemon(Client),
    Copy { store: Box<Store>, now: Now },
}

impl Source {
    /// The daemon, if it runs; otherwise a copy of the database, which is said on standard error.
    pub fn open(context: &Context) -> Result<Source, Failure> {
        let fault = match Client::connect(&context.socket) {
            Ok(client) => return Ok(Source::Daemon(client)),
            Err(fault @ Fault::NotRunning { .. }) => fault,
            Err(fault) => return Err(fault.into()),
        };
        let database = context.settings()?.database;
        // Nothing expires while one looks: the time since boot does not matter.
        let now = Now { mono: Monotonic::default(), wall: context.now };
        match store::read_copy(&database, now) {
            Ok(store) => {
                remark(&format!(
                    "the daemon is not running: this is from its database, {}",
                    visible(&database.to_string_lossy())
                ));
                Ok(Source::Copy { store: Box::new(store), now })
            }
            Err(trouble) => Err(Failure::new(
                Exit::Unavailable,
                visible(&format!("{fault}; and its database cannot be read: {trouble}")),
            )),
        }
    }

    pub fn flows(&mut self, query: &Query) -> Result<FlowPage, Failure> {
        match self {
            Source::Daemon(client) => Ok(client.ask(&Request::FlowList(query.clone()))?),
            Source::Copy { store, now } => {
                ask(store, *now, store::Request::List { ticket: 0, query: query.clone() }, |reply| match reply {
                    Reply::Listed { result, .. } => Some(result),
                    _ => None,
                })
            }
        }
    }

    pub fn devices(&mut self, query: &DeviceQuery) -> Result<DevicePage, Failure> {
        match self {
            Source::Daemon(client) => Ok(client.ask(&Request::DeviceList(query.clone()))?),
            Source::Copy { store, now } => {
                let request = store::Request::Devices { ticket: 0, query: query.clone(), modes: Vec::new() };
                ask(store, *now, request, |reply| match reply {
                    Reply::Devices { result, .. } => Some(result),
                    _ => None,
                })
            }
        }
    }
}

/// Asks the copy; its answer is JSON, as it would stand on the line.
fn ask<T: DeserializeOwned>(
    store: &mut Store,
    now: Now,
    request: store::Request,
    answer: fn(Reply) -> Option<Result<String, Error>>,
) -> Result<T, Failure> {
    let mut answered = None;
    store.handle(request, now, &mut |reply| answered = answer(reply).or(answered.take()));
    match answered {
        Some(Ok(json)) => serde_json::from_str::<serde_json::Value>(&json)
            .and_then(serde_json::from_value)
            .map_err(|error| Failure::internal(error.to_string())),
        Some(Err(error)) => Err(Fault::Refused(error).into()),
        None => Err(Failure::internal("the copy of the database gave no answer")),
    }
}
