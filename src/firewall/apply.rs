//! Brings a plan and its elements into the kernel, and takes them out again.
//!
//! There is never a moment with hooks but without elements, nor, on a restart, one without rules:
//!
//! | what is loaded | what happens |
//! |---|---|
//! | nothing | table and sets; elements by netlink; chains, hooks last |
//! | our table with the same sets | what differs in the sets by netlink; chains, flushed and refilled in one transaction |
//! | our table with other sets, or none that can be filled | one transaction: table deleted, everything anew, elements as text |
//!
//! Elements as text are the exception because nft needs memory for them: with 20,000 elements it was seen to hold
//! 28 MB as text, and 5.4 MB for the swap of chains (nft 1.0.6 on x86_64; `tests::memory` measures it).
//!
//! # What stays when glacic is gone
//!
//! | placement | `fail_mode` | after a stop | after a crash, until the restart |
//! |---|---|---|---|
//! | guard | open | nothing: fw4 alone | everything; queue: undecided pass (`bypass`); log: as loaded |
//! | guard | closed | the table, as after a crash | everything; queue: undecided are dropped; log: as loaded |
//! | fallback | open | nothing: fw4 refuses what it refuses | table and includes; undecided meet fw4's refusal |
//! | fallback | closed | the table: what is denied stays denied, the rest meets fw4 | the same; queue: undecided are dropped |
//!
//! "As loaded" in log mode: learning, undecided flows pass; enforcing, they are dropped. In fallback placement includes go
//! with every stop: what glacic allowed is refused again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::settings::{FailMode, Placement};
use crate::flow::{DeviceMode, Key, Mac, State};
use crate::netlink::sets::{self, KeyBytes, Sets, TableFamily, To, Verdict};
use crate::netlink::{Cause, Error};

use super::delta::Delta;
use super::drops::Drops;
use super::elements::{self, Element, Place};
use super::includes::includes;
use super::known::Known;
use super::message::{Failure, LoadError, SetSizes, Subject};
use super::nft::Tools;
use super::plan::Plan;
use super::publish;
use super::ruleset::{ruleset, sets as sets_text, swap, whole};
use super::set::{Answer, Set, Shape, TABLE, schema};

mod asking;
mod ended;

/// How often a listing is begun anew because the ruleset changed meanwhile.
const LISTINGS: usize = 4;

/// What of ours is in the kernel, as far as we know.
pub struct Kernel {
    tools: Tools,
    sets: Sets,
    loaded: Option<Plan>,
    /// The placement that the elements in the sets are of.
    placement: Placement,
    known: Known,
    /// The numbers of the rules that were loaded.
    rules: BTreeSet<u64>,
    /// Connections read from counters that a new table has ended, not reported yet.
    carried: Counted,
    no_mac: NoMac,
    /// What was told last of fw4.
    fw4_lacks: Vec<String>,
    drops: Drops,
}

/// What counters have shown since they were last read.
#[derive(Debug, Default)]
pub struct Counted {
    /// Connections that began, by flow.
    pub flows: Vec<(Key, u64)>,
    /// Packets of what is denied.
    pub denied: Vec<(Subject, u64)>,
}

/// Packets without a hardware address: as counted by tables that are gone, and by the one that is there.
#[derive(Debug, Clone, Copy, Default)]
struct NoMac {
    gone: u64,
    last: u64,
}

/// How a load went.
#[derive(Debug, Default)]
pub struct Loaded {
    pub warnings: Vec<String>,
    pub failed: Vec<Failure>,
    /// Something of it went unguarded until now: connections may have begun that would not have been let through.
    pub gap: bool,
}

impl Kernel {
    pub fn new(tools: Tools) -> Result<Kernel, Error> {
        let sets = Sets::open(TableFamily::Inet, TABLE)?;
        Ok(Kernel {
            tools,
            sets,
            loaded: None,
            placement: Placement::Guard,
            known: Known::default(),
            rules: BTreeSet::new(),
            carried: Counted::default(),
            no_mac: NoMac::default(),
            fw4_lacks: Vec::new(),
            drops: Drops::default(),
        })
    }

    pub fn loaded(&self) -> Option<&Plan> {
        self.loaded.as_ref()
    }

    /// Brings the plan and these decisions into the kernel. If that fails, what was loaded before stays as it was,
    /// except that elements may have become as they are wanted.
    pub fn load(
        &mut self,
        plan: Plan,
        flows: &[(Key, State)],
        devices: &[(Mac, DeviceMode)],
    ) -> Result<Loaded, LoadError> {
        self.tools.check("the ruleset", &ruleset(&plan))?;
        // The rules that are there are about to be replaced, and their counters with them.
        self.drops();
        let (wanted, mut failed) = fit(elements::wanted(flows, devices), &plan);
        let schema = schema(&plan);
        let present = self.sets.table_comment().map_err(kernel("to show its tables"))?;
        if present.is_none() {
            self.tools.load("the sets", &sets_text(&plan))?;
        }
        let guarded = self.loaded.as_ref().filter(|_| present.is_some()).map(|loaded| &loaded.guarded);
        let gap = guarded.is_none_or(|before| plan.guarded.iter().any(|wanted| !before.contains(wanted)));
        let refilled = match present {
            Some(comment) if comment != schema => None,
            // A table that lacks a set of ours, because somebody has deleted it, is replaced too.
            _ => self.refill(&plan, &wanted)?,
        };
        match refilled {
            Some(more) => failed.extend(more),
            None => self.replace(&plan, wanted)?,
        }
        self.rules = self.sets.rules().unwrap_or_default();
        // The table is loaded from here on; what goes wrong with fw4 is told and does not undo it.
        let includes = includes(&plan);
        let warnings = match publish::publish(&self.tools, &includes) {
            Ok(changed) => publish::announce(&self.tools, &includes, changed),
            Err(error) => vec![error.to_string()],
        };
        self.loaded = Some(plan);
        self.fw4_lacks.clone_from(&warnings);
        Ok(Loaded { warnings, failed, gap })
    }

    /// Has fw4, which was started anew, take in what it lacks, and tells what it lacks now where that has changed. Guard
    /// placement needs nothing of it.
    pub fn announce_again(&mut self) -> Option<Vec<String>> {
        let plan = self.loaded.as_ref().filter(|plan| plan.placement == Placement::Fallback)?;
        let lacks = publish::announce(&self.tools, &includes(plan), false);
        (lacks != self.fw4_lacks).then(|| self.fw4_lacks.clone_from(&lacks)).map(|()| lacks)
    }

    /// Into a table that has our sets: elements first, then the chains. `None`: it lacks some of them. What fails for another
    /// reason (no time, no memory, no program) would fail the more with all elements as text: it is left for later.
    fn refill(&mut self, plan: &Plan, wanted: &[Element]) -> Result<Option<Vec<Failure>>, LoadError> {
        self.placement = plan.placement;
        let Some(failed) = self.fill(wanted)? else { return Ok(None) };
        match self.tools.load("the ruleset", &swap(plan)) {
            Ok(()) => {}
            // It was checked with sets of its own: those in the kernel are not like them.
            Err(LoadError::Invalid { why, .. }) if !why.contains("memory") => return Ok(None),
            Err(error) => return Err(error),
        }
        self.drops.begin();
        Ok(Some(failed))
    }

    /// In place of whatever table of ours is there: everything in one transaction.
    fn replace(&mut self, plan: &Plan, wanted: Vec<Element>) -> Result<(), LoadError> {
        // What cannot be read is lost: the old table is not as it should be.
        self.carried = self.counters().unwrap_or_default();
        self.tools.load("the ruleset", &whole(plan, &wanted))?;
        self.drops.begin();
        self.placement = plan.placement;
        self.known = Known::default();
        wanted.into_iter().for_each(|element| self.known.put(element));
        Ok(())
    }

    /// Makes the sets hold what is wanted, and nothing else. `None`: one of them is not there.
    fn fill(&mut self, wanted: &[Element]) -> Result<Option<Vec<Failure>>, LoadError> {
        let mut present = HashMap::new();
        for set in Set::ALL {
            // What a listing misses because somebody changed another table meanwhile would stay for good.
            let complete = (0..LISTINGS).any(|_| {
                let take = |shown: sets::Element<'_>| {
                    if let Some(place) = Place::from_key(set, shown.key) {
                        let answer = shown.verdict.and_then(|verdict| answer(verdict, self.placement));
                        present.insert(Element { place, answer }, reading(&shown));
                    }
                };
                !matches!(self.sets.elements(set.name(), take), Ok(sets::Listing { interrupted: true, .. }) | Err(_))
            });
            if !complete {
                match self.sets.elements(set.name(), |_| ()) {
                    Ok(_) => {}
                    Err(Error { cause: Cause::Gone, .. }) => return Ok(None),
                    Err(error) => return Err(kernel("to list a set")(error)),
                }
            }
        }
        // An element that was there before we were: its connections were somebody else's to count.
        let before = std::mem::take(&mut self.known);
        for (element, now) in present {
            self.known.insert(element, before.last(&element).unwrap_or(now));
        }
        Ok(Some(self.change(&Delta::between(&self.known.elements(), wanted))))
    }

    /// Carries out a change of elements. What fails is told, the rest done. What goes makes room for what comes.
    pub fn change(&mut self, delta: &Delta) -> Vec<Failure> {
        let removals = delta.remove.iter().copied().map(Step::Remove);
        let steps: Vec<Step> = removals.chain(delta.put.iter().copied().map(Step::Put)).collect();
        let failed = self.apply(&steps);
        failed.iter().map(|(step, error)| Failure { what: subject(step.place()), why: explain(error) }).collect()
    }

    /// Takes these steps; returns those that failed.
    fn apply(&mut self, steps: &[Step]) -> Vec<(Step, Error)> {
        let change = |step: &Step| sets::Change {
            set: step.place().set.name(),
            key: key_bytes(step.place()),
            to: match step {
                Step::Remove(_) => To::Absent,
                Step::Put(Element { answer: None, .. }) => To::Present,
                Step::Put(element @ Element { answer: Some(answer), .. }) => {
                    let verdict = verdict(*answer, self.placement);
                    if self.known.contradicts(element) { To::Changed(verdict) } else { To::Saying(verdict) }
                }
            },
        };
        let applied = self.sets.apply(&steps.iter().map(change).collect::<Vec<_>>());
        let mut failed: BTreeMap<usize, Error> = applied.failed.into_iter().collect();
        let mut failures = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            match (failed.remove(&index), step) {
                (Some(error), _) => failures.push((*step, error)),
                (None, Step::Put(element)) => self.known.put(*element),
                (None, Step::Remove(place)) => self.known.remove(place),
            }
        }
        failures
    }

    /// Elements in each set.
    pub fn sizes(&self) -> SetSizes {
        self.known.sizes()
    }

    /// Leaves the kernel as the table at the head of this module says, whether what is there was loaded by us, by one before
    /// us, or by a load that was broken off.
    pub fn unload(&mut self, placement: Placement, fail_mode: FailMode) -> Result<(), LoadError> {
        let withdrawn = publish::withdraw(&self.tools);
        self.loaded = None;
        if fail_mode == FailMode::Open {
            self.sets.delete_table().map_err(kernel("to delete the table"))?;
            self.known = Known::default();
        }
        if placement == Placement::Fallback && withdrawn? {
            // fw4 takes seconds, a daemon that stops has none; until then nobody sets the mark that its rules look for.
            self.tools.start_reload_of_fw4();
        }
        Ok(())
    }
}

fn kernel(what: &'static str) -> impl Fn(Error) -> LoadError {
    move |error| LoadError::Kernel { what, why: error.to_string() }
}

/// One change of one place.
#[derive(Debug, Clone, Copy)]
enum Step {
    Remove(Place),
    Put(Element),
}

impl Step {
    fn place(&self) -> &Place {
        match self {
            Step::Remove(place) | Step::Put(Element { place, .. }) => place,
        }
    }
}

/// An answer in the kernel's words, and back.
fn verdict(answer: Answer, placement: Placement) -> Verdict<'static> {
    answer.chain(placement).map_or(Verdict::Accept, Verdict::Goto)
}

fn answer(said: Verdict<'_>, placement: Placement) -> Option<Answer> {
    [Answer::Deny, Answer::Allow].into_iter().find(|answer| verdict(*answer, placement) == said)
}

fn subject(place: &Place) -> Subject {
    place.flow().map_or(Subject::Device(place.mac), Subject::Flow)
}

fn explain(error: &Error) -> String {
    match error.cause {
        Cause::Full => full(),
        _ => error.to_string(),
    }
}

fn full() -> String {
    "the kernel's set is full: forget flows that nobody uses, or raise option max_flows".to_owned()
}

/// A counter as it is remembered. It stops at its end: 4 billion connections.
fn reading(shown: &sets::Element<'_>) -> u32 {
    u32::try_from(shown.packets.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// What fits into the sets, and what does not: a transaction with one element too many would fail as a whole. A denial is
/// the last to go: whoever has few flows must not pass because others have many.
fn fit(wanted: Vec<Element>, plan: &Plan) -> (Vec<Element>, Vec<Failure>) {
    let mut room: HashMap<Set, u32> = Set::ALL.iter().map(|set| (*set, set.size(plan.limits))).collect();
    let (denials, others): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|element| element.answer == Some(Answer::Deny));
    let (mut fits, rest): (Vec<_>, Vec<_>) = denials.into_iter().chain(others).partition(|element| {
        let left = room.entry(element.place.set).or_default();
        let fits = *left > 0;
        *left = left.saturating_sub(1);
        fits
    });
    fits.sort_unstable();
    (fits, rest.iter().map(|element| Failure { what: subject(&element.place), why: full() }).collect())
}

fn key_bytes(place: &Place) -> KeyBytes {
    let mac = KeyBytes::new().ether_addr(place.mac);
    let number = place.number.get();
    match place.set.shape() {
        Shape::Mac => mac,
        Shape::Service => mac.inet_proto(place.protocol).inet_service(number),
        // `of_flow` makes no element of a larger type.
        Shape::IcmpType => mac.icmp_type(u8::try_from(number).unwrap_or(u8::MAX)),
        Shape::Protocol => mac.inet_proto(place.protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::plan;
    use super::*;
    use crate::flow::{Port, Protocol};

    /// Addresses that sort low are anybody's to choose.
    #[test]
    fn a_denial_has_its_place_however_much_others_have_learned() {
        let plan = plan();
        let most = Set::FlowsProto.size(plan.limits);
        let mac = |number: u32| Mac::from_u64(0x0200_0000_0000 + u64::from(number)).unwrap();
        let flow = |number, state| (Key::service(mac(number), Protocol(47), Port::Any), state);
        let victim = most + 7;
        let flows: Vec<_> =
            (0..most + 5).map(|number| flow(number, State::Allowed)).chain([flow(victim, State::Denied)]).collect();
        let (fits, failed) = fit(elements::wanted(&flows, &[]), &plan);
        assert_eq!((fits.len() as u32, failed.len()), (most, 6));
        assert!(fits.is_sorted());
        assert!(fits.iter().any(|element| element.place.mac == mac(victim)));
        assert_eq!(failed[5].what, Subject::Flow(flow(most + 4, State::Allowed).0));

        let denied: Vec<_> = (0..most + 1).map(|number| flow(number, State::Denied)).collect();
        assert_eq!(fit(elements::wanted(&denied, &[]), &plan).0.len() as u32, most);
    }
}
