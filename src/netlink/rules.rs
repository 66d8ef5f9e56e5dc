//! Which rules there are, by number, and what their counters show. Their text is nft's business.

use super::attributes::{Attribute, Message, NETFILTER_HEADER};
use super::message::{Builder, DUMP, Header, REQUEST, Subsystem};
use super::tables::Table;

/// `NFT_MSG_*`.
const NEW_RULE: u8 = 6;
const GET_RULE: u8 = 7;
/// `NFTA_RULE_*`.
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
/// `NFTA_LIST_ELEM`.
const ITEM: u16 = 1;
/// `NFTA_EXPR_*` and `NFTA_COUNTER_PACKETS`.
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const COUNTER_PACKETS: u16 = 2;

/// Asks for the rules of a table or of one chain; kernels that do not know the question list all rules there are.
pub(super) fn ask(table: &Table, builder: &mut Builder, sequence: u32, chain: Option<&str>) {
    let header = Header { kind: Subsystem::Tables.kind(GET_RULE), flags: REQUEST | DUMP, sequence };
    builder.netfilter(header, table.family as u8, 0, |body| {
        body.put_text(RULE_TABLE, &table.name);
        if let Some(chain) = chain {
            body.put_text(RULE_CHAIN, chain);
        }
    });
}

/// The number of a rule of this table; none is given twice.
pub(super) fn number(message: &Message<'_>, table: &Table) -> Option<u64> {
    let rule = message.kind == Subsystem::Tables.kind(NEW_RULE) && message.family() == Some(table.family as u8);
    let attributes = if rule { message.attributes(NETFILTER_HEADER) } else { return None };
    let ours = attributes.find(RULE_TABLE)?.text() == Some(&table.name);
    if ours { attributes.find(RULE_HANDLE)?.be64() } else { None }
}

/// The packets that the counters of a rule have counted, if it is one of this chain.
pub(super) fn packets(message: &Message<'_>, table: &Table, chain: &str) -> Option<u64> {
    let rule = message.kind == Subsystem::Tables.kind(NEW_RULE) && message.family() == Some(table.family as u8);
    let attributes = if rule { message.attributes(NETFILTER_HEADER) } else { return None };
    let is = |kind, name: &str| attributes.find(kind).and_then(|found| found.text()) == Some(name);
    if !is(RULE_TABLE, &table.name) || !is(RULE_CHAIN, chain) {
        return None;
    }
    let expressions = attributes.find(RULE_EXPRESSIONS)?.nested().filter(|item| item.kind == ITEM);
    Some(expressions.filter_map(|item| counter(&item)).fold(0, u64::saturating_add))
}

/// The packets of an expression, if it is a counter.
fn counter(expression: &Attribute<'_>) -> Option<u64> {
    let attributes = expression.nested();
    if attributes.find(EXPRESSION_NAME)?.text() != Some("counter") {
        return None;
    }
    attributes.find(EXPRESSION_DATA)?.nested().find(COUNTER_PACKETS)?.be64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::messages;
    use crate::netlink::message::Body;
    use crate::netlink::tables::TableFamily;

    /// What is counted by a rule that the kernel shows with this table, chain and expressions.
    fn counted(table: &str, chain: &str, expressions: impl FnOnce(&mut Body<'_>)) -> Option<u64> {
        let mut builder = Builder::default();
        let header = Header { kind: Subsystem::Tables.kind(NEW_RULE), flags: 0, sequence: 0 };
        builder.netfilter(header, TableFamily::Inet as u8, 0, |body| {
            body.put_text(RULE_TABLE, table);
            body.put_text(RULE_CHAIN, chain);
            body.nest(RULE_EXPRESSIONS, expressions);
        });
        let ours = Table { family: TableFamily::Inet, name: "glacic".to_owned() };
        packets(&messages(builder.bytes().unwrap()).next().unwrap().unwrap(), &ours, "deny")
    }

    fn put(list: &mut Body<'_>, packets: u64) {
        list.nest(ITEM, |item| {
            item.put_text(1, "counter");
            item.nest(2, |data| data.put(2, &packets.to_be_bytes()));
        });
    }

    #[test]
    fn counters_of_the_chain_are_summed_and_no_others() {
        let two = |list: &mut Body<'_>| {
            list.nest(ITEM, |item| item.put_text(1, "meta"));
            put(list, 7);
            put(list, 5);
        };
        assert_eq!(counted("glacic", "deny", two), Some(12));
        assert_eq!(counted("glacic", "refuse", two), None);
        assert_eq!(counted("fw4", "deny", two), None);
        assert_eq!(counted("glacic", "deny", |_| ()), Some(0));
        let many = |list: &mut Body<'_>| [u64::MAX, 9].into_iter().for_each(|packets| put(list, packets));
        assert_eq!(counted("glacic", "deny", many), Some(u64::MAX));
    }
}
