use super::*;
use crate::netlink::attributes::messages;
use crate::netlink::message::Body;

/// Key, packets, bytes, expiration.
type Seen = (Vec<u8>, [Option<u64>; 3]);

fn listed(fill: impl FnOnce(&mut Body<'_>)) -> Vec<Seen> {
    let mut builder = Builder::default();
    let header = Header { kind: Subsystem::Tables.kind(NEW_ELEMENT), flags: 0, sequence: 0 };
    builder.netfilter(header, 1, 0, fill);
    let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
    let seen = |element: Element<'_>| (element.key.to_vec(), [element.packets, element.bytes, element.expires_ms]);
    elements(&message).map(seen).collect()
}

fn counter(body: &mut Body<'_>) {
    body.put_text(EXPRESSION_NAME, "counter");
    body.nest(EXPRESSION_DATA, |data| {
        data.put(COUNTER_BYTES, &840u64.to_be_bytes());
        data.put(COUNTER_PACKETS, &10u64.to_be_bytes());
    });
}

#[test]
fn an_element_has_a_key_and_perhaps_a_counter_and_an_end() {
    let elements = listed(|body| {
        body.nest(LIST_ELEMENTS, |list| {
            list.nest(ITEM, |element| element.nest(KEY, |data| data.put(VALUE, &[1])));
            list.nest(ITEM, |element| {
                element.nest(KEY, |data| data.put(VALUE, &[2]));
                element.nest(EXPRESSION, counter);
                element.put(EXPIRATION, &5000u64.to_be_bytes());
            });
            list.nest(ITEM, |element| {
                element.nest(EXPRESSIONS, |all| {
                    all.nest(ITEM, |other| other.put_text(EXPRESSION_NAME, "limit"));
                    all.nest(ITEM, counter);
                });
                element.nest(KEY, |data| data.put(VALUE, &[3]));
            });
        });
    });
    let expected = [
        (vec![1], [None, None, None]),
        (vec![2], [Some(10), Some(840), Some(5000)]),
        (vec![3], [Some(10), Some(840), None]),
    ];
    assert_eq!(elements, expected);
}

#[test]
fn what_is_said_of_an_element_is_read_as_it_was_put() {
    let table = Table { family: TableFamily::Inet, name: "glacic".to_owned() };
    for verdict in [Verdict::Accept, Verdict::Goto("deny")] {
        let mut builder = Builder::default();
        table.element(&mut builder, 7, "flows", &[1, 2], To::Changed(verdict));
        let messages: Vec<_> = messages(builder.bytes().unwrap()).map(Result::unwrap).collect();
        assert_eq!(messages.iter().map(|message| message.sequence).collect::<Vec<_>>(), [7, 7]);
        assert_eq!(messages[0].number(), DELETE_ELEMENT);
        let element = elements(&messages[1]).next().unwrap();
        assert_eq!((element.key, element.verdict), (&[1, 2][..], Some(verdict)));
    }
    let drop = |data: &mut Body<'_>| data.nest(VERDICT, |verdict| verdict.put_be32(CODE, 0));
    let mut builder = Builder::default();
    builder.netfilter(Header { kind: Subsystem::Tables.kind(NEW_ELEMENT), flags: 0, sequence: 0 }, 1, 0, |body| {
        body.nest(LIST_ELEMENTS, |list| {
            list.nest(ITEM, |element| {
                element.nest(KEY, |data| data.put(VALUE, &[1]));
                element.nest(DATA, drop);
            });
        });
    });
    let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
    assert_eq!(elements(&message).next().unwrap().verdict, Some(Verdict::Other));
}

#[test]
fn a_table_tells_its_comment() {
    let told = |user_data: &[u8]| {
        let mut builder = Builder::default();
        let header = Header { kind: Subsystem::Tables.kind(NEW_TABLE), flags: 0, sequence: 0 };
        builder.netfilter(header, 1, 0, |body| body.put(TABLE_USERDATA, user_data));
        comment(&messages(builder.bytes().unwrap()).next().unwrap().unwrap())
    };
    assert_eq!(told(b"\x00\x03hi\x00"), "hi");
    assert_eq!(told(b"\x07\x01?\x00\x03hi\x00"), "hi", "other records are passed over");
    for nonsense in [&b""[..], b"\x00", b"\x00\x09hi", b"\x07\x01?"] {
        assert_eq!(told(nonsense), "", "{nonsense:?}");
    }
}

#[test]
fn what_has_no_key_is_no_element() {
    assert_eq!(listed(|_| ()), []);
    assert_eq!(listed(|body| body.nest(LIST_ELEMENTS, |list| list.nest(ITEM, |_| ()))), []);
    assert_eq!(listed(|body| body.nest(LIST_ELEMENTS, |list| list.nest(ITEM, |element| element.put(KEY, &[1])))), []);
}
