//! Notices when somebody changes tables: `service firewall stop` takes away all of them.

use std::os::fd::{AsFd, BorrowedFd};

use super::Error;
use super::sets::TableFamily;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    TableAdded {
        family: TableFamily,
        name: String,
    },
    TableRemoved {
        family: TableFamily,
        name: String,
    },
    /// Notifications were lost: look for yourself what is there.
    Lost,
}

/// A subscription to what changes in nf_tables.
pub struct Watch {}

impl Watch {
    pub fn open() -> Result<Watch, Error> {
        todo!()
    }
    /// Hands over what happened since the last call; returns at once.
    pub fn read(&mut self, _take: impl FnMut(Event)) -> Result<(), Error> {
        todo!()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        todo!()
    }
}
