//! What the firewall thread and the background thread have to say, and what follows.

use super::background::{Asked, Beside, News};
use super::errands::Errand;
use super::house::House;
use super::warnings::Subject;
use crate::control::protocol::{Code, Error};
use crate::engine::events::What;
use crate::firewall::{LoadError, Module, Report};
use crate::flow::Key;
use crate::store::{self, Seen};

impl House {
    /// Follows what the firewall thread says.
    pub fn firewall_report(&mut self, report: Report) {
        match report {
            Report::Loaded { warnings, failed, sizes } => {
                let as_wanted = self.kernel.loaded(sizes);
                self.warnings.clear(Subject::Ruleset);
                self.warnings.set(Subject::Fw4, warnings);
                match failed.is_empty() {
                    true => self.warnings.clear(Subject::SetFull),
                    false => self.failed(&failed),
                }
                if as_wanted {
                    self.close_unfed_sources();
                    for client in std::mem::take(&mut self.awaiting_ruleset) {
                        self.tell_status(client);
                    }
                }
            }
            Report::Refused(error) => {
                // What nobody wants any more may be refused.
                let Some(again) = self.kernel.refused(self.now.mono) else { return };
                if error == LoadError::NoQueue {
                    self.fall_back(None);
                    return self.apply();
                }
                if error == LoadError::NoLog {
                    self.lacks(Module::Log);
                }
                let again = again.as_secs();
                for client in std::mem::take(&mut self.awaiting_ruleset) {
                    let message =
                        format!("kept, but the ruleset could not be loaded: {error}; trying again in {again} s");
                    self.control.fail(client, Error::new(Code::Internal, message));
                }
                self.warnings.set(Subject::Ruleset, vec![format!("the ruleset is not loaded: {error}")]);
                log::warn!("the ruleset is tried again in {again} s; what was in the kernel before stays");
            }
            Report::Applied { ticket, failed, sizes } => {
                self.kernel.sizes = sizes;
                self.failed(&failed);
                if let Some((client, Errand::Kernel { answer })) = ticket.and_then(|ticket| self.errands.end(ticket)) {
                    match failed.first() {
                        None => self.control.reply(client, &answer),
                        Some(first) => {
                            let message = format!("saved, but not in the kernel: {}: {}", first.what, first.why);
                            self.control.fail(client, Error::new(Code::Internal, message));
                        }
                    }
                }
            }
            Report::Counters { ticket, flows, denied, no_mac } => {
                self.stats.no_mac = no_mac;
                for (subject, packets) in denied {
                    self.record.denied(subject, packets, self.now.mono);
                }
                self.counted(flows);
                self.send_seen();
                match ticket.and_then(|ticket| self.errands.end(ticket)) {
                    Some((client, Errand::Counters { query })) => {
                        self.ask_store(client, Errand::Store, |ticket| store::Request::List { ticket, query });
                    }
                    Some((client, Errand::Activity)) => self.tell_activity(client),
                    Some(_) | None => {}
                }
            }
            Report::Cut { what, connections, trouble } => match trouble {
                None => log::info!("{what}: running connections ended: {connections}"),
                Some(trouble) => log::warn!("{what}: running connections may go on: {trouble}"),
            },
            Report::Fw4 { warnings } => self.warnings.set(Subject::Fw4, warnings),
            Report::Damaged(damage) => {
                self.alert("ruleset", damage.to_string());
                self.kernel.again();
            }
            Report::Drops(total) => self.record.dropped_by_kernel(total, self.now.mono),
            Report::Unloaded { .. } => {}
        }
    }

    /// Notes connections that the kernel has counted.
    pub fn counted(&mut self, flows: Vec<(Key, u64)>) {
        self.counted = self.now.mono;
        for (key, connections) in flows {
            let connections = u32::try_from(connections).unwrap_or(u32::MAX);
            self.seen(Seen { key, at: self.now.wall, connections });
        }
    }

    /// Follows what the background thread found.
    pub fn background_news(&mut self, news: News) {
        match news {
            News::Config(resolved) => {
                let was = self.learning.is_on();
                if self.configure(*resolved) {
                    self.tell(What::ConfigReloaded);
                }
                if self.learning.is_on() != was {
                    self.tell(What::LearningChanged { learning: !was });
                }
            }
            // The settings may have changed while it was being found out.
            News::Guarded { asked, .. } if asked != Asked::of(&self.settings) => {
                self.due.resolve = Some(self.now.mono);
            }
            News::Guarded { interfaces, .. } => {
                if self.interfaces(interfaces) {
                    log::info!("other interfaces are guarded now");
                    self.apply();
                }
            }
            News::Refused(message) => {
                // A sentence for each problem: one with line ends would be shown with them escaped.
                let sentence = |line| format!("the configuration is not applied, the old one stays: {line}");
                self.warnings.set(Subject::ConfigRefused, message.lines().map(sentence).collect());
                self.tell(What::ConfigRefused { message });
            }
            News::Beside(Beside { offload, conntrack }) => {
                self.warnings.set(Subject::Offload, offload.into_iter().collect());
                match conntrack {
                    true => self.has(Module::Conntrack),
                    false => self.lacks(Module::Conntrack),
                }
            }
            News::Module(module, sentence) => self.remedy(module, sentence),
            News::Queues(counts) => self.queues_counted(counts),
            News::Names(names) => {
                self.names.hear(&names);
                // Read again in a minute.
                let _ = self.store.handle.try_send(store::Request::Names(names));
            }
        }
    }
}
