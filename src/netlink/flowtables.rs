//! Flowtables of nf_tables: where connections leave the firewall after their first packets (flow offload).

use super::attributes::{Message, NETFILTER_HEADER};
use super::exchange::Exchange;
use super::message::{Builder, DUMP, Header, REQUEST, Subsystem};
use super::tables::TableFamily;
use super::{Error, Family};

/// `NFT_MSG_*`.
pub(super) const NEW_FLOWTABLE: u8 = 22;
const GET_FLOWTABLE: u8 = 23;
/// `NFTA_FLOWTABLE_*`.
const TABLE: u16 = 1;
const NAME: u16 = 2;
const FLAGS: u16 = 7;
/// `NFT_FLOWTABLE_HW_OFFLOAD`.
const HARDWARE: u32 = 1;

/// A flowtable, whether or not anything is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flowtable {
    pub family: TableFamily,
    pub table: String,
    pub name: String,
    /// Whether what is in it is left to hardware.
    pub hardware: bool,
}

/// Every flowtable of this network.
pub fn flowtables() -> Result<Vec<Flowtable>, Error> {
    let mut found = Vec::new();
    Exchange::open(Family::Netfilter)?.ask("list flowtables", request, |message| found.extend(flowtable(&message)))?;
    Ok(found)
}

fn request(builder: &mut Builder, sequence: u32) {
    let header = Header { kind: Subsystem::Tables.kind(GET_FLOWTABLE), flags: REQUEST | DUMP, sequence };
    builder.netfilter(header, libc::AF_UNSPEC as u8, 0, |_| ());
}

/// The flowtable in a message of a listing.
pub(super) fn flowtable(message: &Message<'_>) -> Option<Flowtable> {
    if message.kind != Subsystem::Tables.kind(NEW_FLOWTABLE) {
        return None;
    }
    let attributes = message.attributes(NETFILTER_HEADER);
    Some(Flowtable {
        family: TableFamily::from_number(*message.body.first()?)?,
        table: attributes.find(TABLE)?.text()?.to_owned(),
        name: attributes.find(NAME)?.text()?.to_owned(),
        hardware: attributes.find(FLAGS).and_then(|flags| flags.be32()).is_some_and(|flags| flags & HARDWARE != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::super::attributes::messages;
    use super::super::namespace::{Namespace, run};
    use super::*;

    #[test]
    fn a_flowtable_is_read_as_the_kernel_shows_it() {
        let shown = |flags: Option<u32>| {
            let mut builder = Builder::default();
            let header = Header { kind: Subsystem::Tables.kind(NEW_FLOWTABLE), flags: 0, sequence: 1 };
            builder.netfilter(header, TableFamily::Inet as u8, 0, |body| {
                body.put_text(TABLE, "fw4");
                body.put_text(NAME, "ft");
                flags.into_iter().for_each(|flags| body.put_be32(FLAGS, flags));
            });
            flowtable(&messages(builder.bytes().unwrap()).next().unwrap().unwrap()).unwrap()
        };
        let expected = |hardware| Flowtable {
            family: TableFamily::Inet,
            table: "fw4".to_owned(),
            name: "ft".to_owned(),
            hardware,
        };
        assert_eq!(shown(None), expected(false));
        assert_eq!(shown(Some(0)), expected(false));
        assert_eq!(shown(Some(HARDWARE)), expected(true));
    }

    #[test]
    fn the_kernel_lists_what_there_is() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            assert_eq!(flowtables(), Ok(vec![]));
            run("ip link add port0 type veth peer name port1");
            let script = "table inet fw4 { flowtable ft { hook ingress priority 0; devices = { port0 }; }; }";
            let made = std::process::Command::new("nft").arg(script).output().unwrap();
            if !made.status.success() {
                return eprintln!("not tested: this kernel has no flowtables");
            }
            let found = flowtables().unwrap();
            assert!(
                matches!(&found[..], [Flowtable { table, name, hardware: false, .. }] if table == "fw4" && name == "ft")
            );
        });
    }
}
