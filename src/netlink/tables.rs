//! The language of nf_tables, as far as glacic speaks it (linux/netfilter/nf_tables.h): set elements and table names.
//! Rulesets are text and nft's business.

use super::attributes::{Attribute, Attributes, Message, NETFILTER_HEADER};
use super::message::{ACKNOWLEDGE, Body, Builder, CREATE, DUMP, Header, REQUEST, Subsystem};

/// `NFT_MSG_*`.
const NEW_TABLE: u8 = 0;
const GET_TABLE: u8 = 1;
const DELETE_TABLE: u8 = 2;
const DELETE_CHAIN: u8 = 5;
const DELETE_RULE: u8 = 8;
const DELETE_SET: u8 = 11;
const NEW_ELEMENT: u8 = 12;
const GET_ELEMENT: u8 = 13;
const DELETE_ELEMENT: u8 = 14;
const NEW_OBJECT: u8 = 18;
const GET_OBJECT: u8 = 19;

/// `NFTA_TABLE_NAME`, and the same number in whatever belongs to a table.
const TABLE_NAME: u16 = 1;
/// `NFTA_TABLE_USERDATA`.
const TABLE_USERDATA: u16 = 6;
/// nft's own records inside user data: type, length, value. A comment ends with a zero.
const RECORD_COMMENT: u8 = 0;
/// `NFTA_SET_ELEM_LIST_*`.
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
/// `NFTA_LIST_ELEM`.
const ITEM: u16 = 1;
/// `NFTA_SET_ELEM_*`.
const KEY: u16 = 1;
const DATA: u16 = 2;
const EXPIRATION: u16 = 5;
const EXPRESSION: u16 = 7;
const EXPRESSIONS: u16 = 11;
/// `NFTA_OBJ_*` and `NFT_OBJECT_COUNTER`.
const OBJECT_TABLE: u16 = 1;
const OBJECT_NAME: u16 = 2;
const OBJECT_TYPE: u16 = 3;
const OBJECT_DATA: u16 = 4;
const COUNTER: u32 = 1;
/// `NFTA_DATA_*` and `NFTA_VERDICT_*`.
const VALUE: u16 = 1;
const VERDICT: u16 = 2;
const CODE: u16 = 1;
const CHAIN: u16 = 2;
/// `NF_ACCEPT` of linux/netfilter.h, and `NFT_GOTO`.
const ACCEPT: i32 = 1;
const GOTO: i32 = -4;
/// `NFTA_EXPR_*` and `NFTA_COUNTER_*`.
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const COUNTER_BYTES: u16 = 1;
const COUNTER_PACKETS: u16 = 2;

/// The address family of a table (`NFPROTO_*` in linux/netfilter.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TableFamily {
    Inet = 1,
    Ip = 2,
    Arp = 3,
    Netdev = 5,
    Bridge = 7,
    Ip6 = 10,
}

impl TableFamily {
    const ALL: [TableFamily; 6] = [
        TableFamily::Inet,
        TableFamily::Ip,
        TableFamily::Arp,
        TableFamily::Netdev,
        TableFamily::Bridge,
        TableFamily::Ip6,
    ];

    /// As nft writes it.
    pub fn name(self) -> &'static str {
        match self {
            TableFamily::Inet => "inet",
            TableFamily::Ip => "ip",
            TableFamily::Arp => "arp",
            TableFamily::Netdev => "netdev",
            TableFamily::Bridge => "bridge",
            TableFamily::Ip6 => "ip6",
        }
    }

    /// The family of a number; `None` for one that nf_tables does not have.
    pub fn from_number(number: u8) -> Option<TableFamily> {
        TableFamily::ALL.into_iter().find(|family| *family as u8 == number)
    }
}

/// What an element of a verdict map says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    Accept,
    /// The chain must be there; it cannot be deleted while an element leads to it.
    Goto(&'a str),
    /// One that is never put.
    Other,
}

impl<'a> Verdict<'a> {
    fn put(self, body: &mut Body<'_>) {
        let (code, chain) = match self {
            Verdict::Accept => (ACCEPT, None),
            Verdict::Goto(chain) => (GOTO, Some(chain)),
            Verdict::Other => return,
        };
        body.put_be32(CODE, code.cast_unsigned());
        if let Some(chain) = chain {
            body.put_text(CHAIN, chain);
        }
    }

    fn read(verdict: &Attribute<'a>) -> Option<Verdict<'a>> {
        let attributes = verdict.nested();
        Some(match attributes.find(CODE)?.be32()?.cast_signed() {
            ACCEPT => Verdict::Accept,
            GOTO => Verdict::Goto(attributes.find(CHAIN)?.text()?),
            _ => Verdict::Other,
        })
    }
}

/// What becomes of a place in a set or a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// In a set: an element is there.
    Present,
    /// In a map: an element is there that says this.
    Saying(Verdict<'a>),
    /// The same where another was known to be: it is taken out in the same transaction.
    Changed(Verdict<'a>),
    Absent,
}

/// A table, and what messages about it have in common.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub family: TableFamily,
    pub name: String,
}

impl Table {
    /// Brings a place of a set there, in one message or two, with the same sequence number.
    pub fn element(&self, builder: &mut Builder, sequence: u32, set: &str, key: &[u8], to: To<'_>) {
        if matches!(to, To::Changed(_) | To::Absent) {
            self.element_message(builder, self.header(DELETE_ELEMENT, REQUEST, sequence), set, key, None);
        }
        let verdict = match to {
            To::Absent => return,
            To::Present => None,
            To::Saying(verdict) | To::Changed(verdict) => Some(verdict),
        };
        self.element_message(builder, self.header(NEW_ELEMENT, REQUEST | CREATE, sequence), set, key, verdict);
    }

    fn element_message(
        &self,
        builder: &mut Builder,
        header: Header,
        set: &str,
        key: &[u8],
        verdict: Option<Verdict<'_>>,
    ) {
        builder.netfilter(header, self.family as u8, 0, |body| {
            body.put_text(LIST_TABLE, &self.name);
            body.put_text(LIST_SET, set);
            body.nest(LIST_ELEMENTS, |list| {
                list.nest(ITEM, |element| {
                    element.nest(KEY, |data| data.put(VALUE, key));
                    if let Some(verdict) = verdict {
                        element.nest(DATA, |data| data.nest(VERDICT, |body| verdict.put(body)));
                    }
                });
            });
        });
    }

    pub fn list_elements(&self, builder: &mut Builder, sequence: u32, set: &str) {
        builder.netfilter(self.header(GET_ELEMENT, REQUEST | DUMP, sequence), self.family as u8, 0, |body| {
            body.put_text(LIST_TABLE, &self.name);
            body.put_text(LIST_SET, set);
        });
    }

    pub fn get(&self, builder: &mut Builder, sequence: u32) {
        builder.netfilter(self.header(GET_TABLE, REQUEST | ACKNOWLEDGE, sequence), self.family as u8, 0, |body| {
            body.put_text(TABLE_NAME, &self.name);
        });
    }

    /// Asks for a named counter.
    pub fn get_counter(&self, builder: &mut Builder, sequence: u32, name: &str) {
        builder.netfilter(self.header(GET_OBJECT, REQUEST | ACKNOWLEDGE, sequence), self.family as u8, 0, |body| {
            body.put_text(OBJECT_TABLE, &self.name);
            body.put_text(OBJECT_NAME, name);
            body.put_be32(OBJECT_TYPE, COUNTER);
        });
    }

    pub fn delete(&self, builder: &mut Builder, sequence: u32) {
        builder.netfilter(self.header(DELETE_TABLE, REQUEST, sequence), self.family as u8, 0, |body| {
            body.put_text(TABLE_NAME, &self.name);
        });
    }

    fn header(&self, number: u8, flags: u16, sequence: u32) -> Header {
        Header { kind: Subsystem::Tables.kind(number), flags, sequence }
    }
}

/// An element of a set, as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub key: &'a [u8],
    /// What a verdict map says there.
    pub verdict: Option<Verdict<'a>>,
    /// From the element's `counter`; none where the set has no counter.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// Milliseconds the element lives from now on; none where it stays.
    pub expires_ms: Option<u64>,
}

/// The elements in one message of a listing.
pub fn elements<'a>(message: &Message<'a>) -> impl Iterator<Item = Element<'a>> + use<'a> {
    let ours = message.kind == Subsystem::Tables.kind(NEW_ELEMENT);
    let attributes = if ours { message.attributes(NETFILTER_HEADER) } else { Attributes::default() };
    let lists = attributes.filter(|attribute| attribute.kind == LIST_ELEMENTS);
    lists.flat_map(|list| list.nested()).filter(|item| item.kind == ITEM).filter_map(|item| element(&item))
}

fn element<'a>(item: &Attribute<'a>) -> Option<Element<'a>> {
    let mut element = Element { key: &[], verdict: None, packets: None, bytes: None, expires_ms: None };
    let mut key = None;
    for attribute in item.nested() {
        match attribute.kind {
            KEY => key = attribute.nested().find(VALUE).map(|value| value.value),
            DATA => element.verdict = attribute.nested().find(VERDICT).and_then(|verdict| Verdict::read(&verdict)),
            EXPIRATION => element.expires_ms = attribute.be64(),
            EXPRESSION => count(&mut element, &attribute),
            // Where a set has more than one expression.
            EXPRESSIONS => {
                attribute.nested().filter(|item| item.kind == ITEM).for_each(|item| count(&mut element, &item));
            }
            _ => (),
        }
    }
    Some(Element { key: key?, ..element })
}

/// Takes in an expression, if it is a counter.
fn count(element: &mut Element<'_>, expression: &Attribute<'_>) {
    let attributes = expression.nested();
    if attributes.find(EXPRESSION_NAME).and_then(|name| name.text()) != Some("counter") {
        return;
    }
    let Some(counter) = attributes.find(EXPRESSION_DATA) else { return };
    element.packets = counter.nested().find(COUNTER_PACKETS).and_then(|packets| packets.be64());
    element.bytes = counter.nested().find(COUNTER_BYTES).and_then(|bytes| bytes.be64());
}

/// The packets of a named counter.
pub fn counter(message: &Message<'_>) -> Option<u64> {
    if message.kind != Subsystem::Tables.kind(NEW_OBJECT) {
        return None;
    }
    message.attributes(NETFILTER_HEADER).find(OBJECT_DATA)?.nested().find(COUNTER_PACKETS)?.be64()
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice<'a> {
    pub family: TableFamily,
    pub table: &'a str,
    pub what: What,
    /// The socket of whoever did it.
    pub port: u32,
}

/// What happened to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Added,
    Removed,
    /// Rules of it were removed, or something else that rules hold on to.
    RulesRemoved,
    ElementsRemoved,
}

/// A notification of something removed, or of a new table.
pub fn notice<'a>(message: &Message<'a>) -> Option<Notice<'a>> {
    if message.subsystem() != Subsystem::Tables as u8 {
        return None;
    }
    let what = match message.number() {
        NEW_TABLE => What::Added,
        DELETE_TABLE => What::Removed,
        DELETE_CHAIN | DELETE_RULE | DELETE_SET => What::RulesRemoved,
        DELETE_ELEMENT => What::ElementsRemoved,
        _ => return None,
    };
    let table = message.attributes(NETFILTER_HEADER).find(TABLE_NAME)?.text()?;
    Some(Notice { family: TableFamily::from_number(message.family()?)?, table, what, port: message.port })
}

/// The comment of the table in a message, as nft writes it; empty if it has none.
pub fn comment(message: &Message<'_>) -> String {
    let data = message.attributes(NETFILTER_HEADER).find(TABLE_USERDATA);
    let mut records = data.map_or(&[][..], |data| data.value);
    while let [kind, length, rest @ ..] = records {
        let Some((value, next)) = rest.split_at_checked(usize::from(*length)) else { break };
        if *kind == RECORD_COMMENT {
            let text = value.split(|byte| *byte == 0).next().unwrap_or(value);
            return String::from_utf8_lossy(text).into_owned();
        }
        records = next;
    }
    String::new()
}

#[cfg(test)]
mod tests;
