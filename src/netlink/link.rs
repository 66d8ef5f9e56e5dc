//! Interfaces by number and name, and the neighbour table.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use super::Error;
use crate::flow::Mac;

/// All interfaces, kept up to date by the kernel's notifications: asking costs no system call.
pub struct Links {}

impl Links {
    pub fn open() -> Result<Links, Error> {
        todo!()
    }
    pub fn name(&self, _index: u32) -> Option<&str> {
        todo!()
    }
    pub fn index(&self, _name: &str) -> Option<u32> {
        todo!()
    }
    /// Takes in what changed, when the descriptor is readable; says whether anything did.
    pub fn update(&mut self) -> Result<bool, Error> {
        todo!()
    }
    /// The addresses the neighbour table knows for `mac`.
    pub fn addresses_of(&mut self, _mac: Mac) -> Result<Vec<IpAddr>, Error> {
        todo!()
    }
}

impl AsFd for Links {
    fn as_fd(&self) -> BorrowedFd<'_> {
        todo!()
    }
}
