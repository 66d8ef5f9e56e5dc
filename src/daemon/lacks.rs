//! Modules that the kernel lacks: told at once, and better as soon as the background has looked what the router has of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::background::Task;
use super::house::House;
use super::warnings::Subject;
use crate::firewall::{Module, modules};
use crate::netlink::{Cause, Error};

/// What is missing, and the sentence about it.
pub type Lacks = BTreeMap<Module, String>;

impl House {
    /// Notes that a module is missing.
    pub fn lacks(&mut self, module: Module) {
        if let Entry::Vacant(place) = self.lacking.entry(module) {
            place.insert(modules::told(module, &modules::Shelf::default()));
            self.tell_lacks();
        }
        // Where too many tasks wait, the first sentence will do.
        let _ = self.background.ask(Task::Module(module));
    }

    /// Notes what can be done about it; one that has come meanwhile stays forgotten.
    pub fn remedy(&mut self, module: Module, sentence: String) {
        if let Some(known) = self.lacking.get_mut(&module) {
            *known = sentence;
            self.tell_lacks();
        }
    }

    /// Notes that a module is there.
    pub fn has(&mut self, module: Module) {
        if self.lacking.remove(&module).is_some() {
            self.tell_lacks();
        }
    }

    fn tell_lacks(&mut self) {
        self.warnings.set(Subject::Modules, self.lacking.values().cloned().collect());
    }
}

/// The module that an error is about.
pub fn missing(error: &Error) -> Option<Module> {
    match error.cause {
        Cause::MissingModule("nfnetlink_queue") => Some(Module::Queue),
        Cause::MissingModule("nfnetlink_log") => Some(Module::Log),
        Cause::MissingModule("nf_conntrack_netlink") => Some(Module::Conntrack),
        _ => None,
    }
}
