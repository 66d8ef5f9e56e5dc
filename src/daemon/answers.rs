//! Requests of the control socket. Most go on to the store; what it replies is followed in `replies`.

use std::time::Duration;

use super::control::Client;
use super::errands::Errand;
use super::house::House;
use crate::config::settings::Device;
use crate::control::protocol::{Code, DeviceSet, Error, LearningSet, Request};
use crate::firewall;
use crate::flow::DeviceMode;
use crate::flow::query::{Decision, Query, Selection};
use crate::store;

/// Counters that are younger are fresh enough for a listing.
const FRESH: Duration = Duration::from_secs(2);

/// The longest span of `learning_set`, in seconds: ten years.
const LONGEST_SPAN: u64 = 10 * 366 * 86_400;

impl House {
    /// Begins to answer a request; many are answered at once.
    pub fn request(&mut self, client: Client, request: Request) {
        match request {
            Request::Status => {
                // Whoever looks at this looks again: what the rules have dropped is known better then.
                self.due.drops = self.due.drops.min(self.now.mono.after(FRESH));
                self.tell_status(client);
            }
            Request::Stats => self.control.answer(client, &self.stats()),
            Request::FlowList(query) => self.list(client, query),
            Request::FlowGet(get) => {
                self.ask_store(client, Errand::Store, |ticket| store::Request::Get { ticket, id: get.id })
            }
            Request::FlowAllow(selection) => self.decide(client, selection, Decision::Allow),
            Request::FlowDeny(selection) => self.decide(client, selection, Decision::Deny),
            Request::FlowForget(selection) => self.decide(client, selection, Decision::Forget),
            Request::DeviceList(query) => {
                let modes = self.settings.devices.iter().map(|device| (device.mac, device.mode));
                let modes = modes.filter(|(_, mode)| *mode != DeviceMode::Default).collect();
                self.ask_store(client, Errand::Store, |ticket| store::Request::Devices { ticket, query, modes })
            }
            Request::DeviceSet(set) => self.set_device(client, set),
            Request::LearningSet(set) => self.set_learning(client, set),
            Request::Activity => self.activity(client),
            Request::EventList(asked) => self.control.answer(client, &self.chronicle.page(&asked)),
            // The control room turns the connection into a stream by itself.
            Request::Events => {}
        }
    }

    pub fn ask_store(&mut self, client: Client, errand: Errand, request: impl FnOnce(u32) -> store::Request) {
        let ticket = self.errands.begin(client, errand);
        match self.store.handle.try_send(request(ticket)) {
            Ok(()) => drop(self.store.asked.get_or_insert(self.now.mono)),
            Err(_) => self.refuse(ticket, Error::new(Code::Busy, "the store is busy: ask again in a moment")),
        }
    }

    pub fn refuse(&mut self, ticket: u32, error: Error) {
        if let Some((client, _)) = self.errands.end(ticket) {
            self.control.fail(client, error);
        }
    }

    /// A page of flows, after the kernel has said how often they were used.
    fn list(&mut self, client: Client, query: Query) {
        let stale = self.now.mono.since(self.counted) >= FRESH;
        if stale {
            // Of what is undecided the kernel knows nothing: the engine has seen it itself.
            self.engine.report();
            self.settle(None);
            self.send_seen();
        }
        if !stale || !self.kernel.is_loaded() {
            return self.ask_store(client, Errand::Store, |ticket| store::Request::List { ticket, query });
        }
        let ticket = self.errands.begin(client, Errand::Counters { query });
        self.kernel.request(firewall::Request::Counters { ticket: Some(ticket) });
    }

    /// What went on lately, after the kernel has said how often flows were used.
    fn activity(&mut self, client: Client) {
        if !self.kernel.is_loaded() || self.now.mono.since(self.counted) < FRESH {
            return self.tell_activity(client);
        }
        let ticket = self.errands.begin(client, Errand::Activity);
        self.kernel.request(firewall::Request::Drops);
        self.kernel.request(firewall::Request::Counters { ticket: Some(ticket) });
    }

    pub fn tell_activity(&mut self, client: Client) {
        let names = &self.names;
        let activity = self.record.show(self.now, |mac| names.of(mac).map(str::to_owned));
        self.control.answer(client, &activity);
    }

    pub fn tell_status(&mut self, client: Client) {
        let status = self.status();
        self.control.answer(client, &status);
    }

    fn decide(&mut self, client: Client, selection: Selection, decision: Decision) {
        let fault = match &selection {
            Selection::Ids(ids) if ids.is_empty() => Some("no flow was named"),
            Selection::Filter(filter) if *filter == Default::default() => {
                Some("an empty filter would mean every flow: name a state, device, protocol or port")
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return self.control.fail(client, Error::new(Code::InvalidParams, fault));
        }
        let fresh = self.engine.reserve_id();
        self.ask_store(client, Errand::Decision, |ticket| store::Request::Decide {
            ticket,
            selection,
            decision,
            fresh,
        });
    }

    fn set_device(&mut self, client: Client, set: DeviceSet) {
        let configured = |device: &&Device| {
            crate::flow::query::as_mac(&set.device) == Some(device.mac)
                || device.name.as_deref() == Some(set.device.as_str())
        };
        if let Some(section) = self.settings.devices.iter().find(configured) {
            let what = match section {
                Device { name: Some(_), .. } if set.name.is_some() => Some("name"),
                Device { mode: said, .. } if set.mode.is_some() && *said != DeviceMode::Default => Some("mode"),
                _ => None,
            };
            if let Some(what) = what {
                let message = format!(
                    "the {what} of {} is set by a device section in the configuration: change it there",
                    section.mac
                );
                return self.control.fail(client, Error::new(Code::InvalidParams, message));
            }
        }
        let DeviceSet { device, name, mode } = set;
        self.ask_store(client, Errand::Device { name: name.clone() }, |ticket| store::Request::DeviceSet {
            ticket,
            device,
            name,
            mode,
        });
    }

    fn set_learning(&mut self, client: Client, set: LearningSet) {
        if set.seconds.is_some_and(|seconds| seconds == 0 || seconds > LONGEST_SPAN) {
            return self.control.fail(client, Error::new(Code::InvalidParams, "a span is 1 second to 10 years"));
        }
        let changed = self.learning.is_on() != set.on;
        self.learning.set(set.on, set.seconds.map(Duration::from_secs), self.now.mono);
        let ticket = self.errands.begin(client, Errand::Learning { changed });
        let taken = self.keep_learning(store::When::Now { ticket });
        if changed {
            // It begins at once, whatever becomes of its being kept.
            self.learning_changed();
        }
        if !taken {
            self.learning_kept(ticket, Err(store::Trouble("the store is busy, and is asked again".to_owned())));
        }
    }

    /// Answers whoever has said something about learning, once it is on the flash and in the kernel: what the owner does next
    /// meets the new mode.
    pub fn learning_kept(&mut self, ticket: u32, saved: Result<(), store::Trouble>) {
        let Some((client, Errand::Learning { changed })) = self.errands.end(ticket) else { return };
        match saved {
            Err(trouble) => {
                let message = format!("it holds until the next restart, but could not be saved: {trouble}");
                self.control.fail(client, Error::new(Code::NotSaved, message));
            }
            Ok(()) if !changed || self.kernel.is_loaded() => self.tell_status(client),
            Ok(()) => self.awaiting_ruleset.push(client),
        }
    }
}
