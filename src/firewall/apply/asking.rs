//! What can be asked of the table that is loaded.

use std::net::IpAddr;

use super::{Counted, Kernel, reading, subject};
use crate::firewall::drops;
use crate::firewall::elements::Place;
use crate::firewall::known::Known;
use crate::firewall::message::Damage;
use crate::firewall::set::{NO_MAC, Set};
use crate::flow::Mac;
use crate::netlink::Error;

impl Kernel {
    /// What elements have counted since the last call.
    pub fn counters(&mut self) -> Result<Counted, Error> {
        let mut counted = std::mem::take(&mut self.carried);
        if self.loaded.is_none() {
            return Ok(counted);
        }
        for set in Set::ALL.into_iter().filter(|set| set.decides()) {
            let known = &mut self.known;
            let listed = self.sets.elements(set.name(), |shown| {
                let Some(place) = Place::from_key(set, shown.key) else { return };
                let began = u64::from(known.began(&place, reading(&shown)));
                if began == 0 {
                    return;
                }
                if known.denies(&place) {
                    counted.denied.push((subject(&place), began));
                }
                counted.flows.extend(place.flow().map(|key| (key, began)));
            });
            if let Err(error) = listed {
                self.carried = counted;
                return Err(error);
            }
        }
        Ok(counted)
    }

    /// Packets that the rules have dropped since this began. What cannot be read now is read the next time.
    pub fn drops(&mut self) -> u64 {
        let mut chains = drops::CHAINS.iter().map(|chain| self.sets.counted_by(chain));
        if let Ok(shown) = chains.try_fold(0u64, |sum, packets| packets.map(|packets| sum.saturating_add(packets))) {
            self.drops.read(shown);
        }
        self.drops.total()
    }

    /// Packets of guarded interfaces that carried no hardware address, since this began.
    pub fn no_mac(&mut self) -> u64 {
        if let Ok(Some(packets)) = self.sets.counter(NO_MAC) {
            if packets < self.no_mac.last {
                // A new table counts from nothing.
                self.no_mac.gone = self.no_mac.gone.saturating_add(self.no_mac.last);
            }
            self.no_mac.last = packets;
        }
        self.no_mac.gone.saturating_add(self.no_mac.last)
    }

    /// By which the kernel's notifications name our own changes of elements.
    pub fn port(&self) -> u32 {
        self.sets.port()
    }

    /// What of that which was loaded is there no longer; elements are looked at where that is asked for. Where the table
    /// is gone, everything about it is forgotten.
    pub fn damage(&mut self, elements: bool) -> Option<Damage> {
        self.loaded.as_ref()?;
        if !self.sets.table_exists().unwrap_or(true) {
            self.loaded = None;
            self.known = Known::default();
            return Some(Damage::Table);
        }
        if !self.sets.rules().is_ok_and(|rules| rules.is_superset(&self.rules)) {
            return Some(Damage::Rules);
        }
        let sizes = self.sizes();
        let missing = Set::ALL.into_iter().filter(|_| elements).any(|set| {
            let known = sizes.get(set.name()).copied().unwrap_or_default() as usize;
            // A listing that was disturbed is taken again with the next notice.
            self.sets.elements(set.name(), |_| ()).is_ok_and(|listing| listing.elements < known && !listing.interrupted)
        });
        missing.then_some(Damage::Elements)
    }

    /// Addresses that a device used lately, as far as packets showed them.
    pub fn addresses(&mut self, mac: Mac) -> Result<Vec<IpAddr>, Error> {
        let mut addresses = Vec::new();
        let own = |key: &[u8]| key.get(..6) == Some(&mac.0[..]);
        self.sets.elements("dev4", |shown| {
            if let (true, Some(address)) = (own(shown.key), shown.key.get(8..).and_then(<[u8]>::first_chunk::<4>)) {
                addresses.push((*address).into());
            }
        })?;
        self.sets.elements("dev6", |shown| {
            if let (true, Some(address)) = (own(shown.key), shown.key.get(8..).and_then(<[u8]>::first_chunk::<16>)) {
                addresses.push((*address).into());
            }
        })?;
        Ok(addresses)
    }
}
