//! Sessions from the replies of servers written by others, as they came from `cometd-nodejs-server` 1.2.1 and `faye`
//! 1.4.3. `tests/foreign` talks to the servers themselves, where there is Node.

use insta::assert_snapshot;

use super::{
    exchange::{Input, Line},
    script::Script,
};
use crate::ReplayFrom::Tip;

const X: &str = "/topic/X";
const Y: &str = "/topic/Y";

/// Its session lives in a cookie and the client's id. No reply but those to handshakes and first connects has advice,
/// and that of a lost session does not say which subscription it refuses.
#[test]
fn a_session_with_cometd() {
    let mut script = Script::start(&[(X, Tip), (Y, Tip)]);
    script.feed(Input::SignedIn);
    script.reply(Line::Other, r#"[{"id":"1","channel":"/meta/handshake","successful":true,"clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","version":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"reconnect":"retry","timeout":3000,"interval":0}}]"#);
    script.reply(Line::Connect, r#"[{"id":"2","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","timeout":3000,"interval":0}}]"#);
    script.reply(Line::Other, r#"[{"id":"3","channel":"/meta/subscribe","subscription":"/topic/X","successful":true},{"id":"4","channel":"/meta/subscribe","subscription":"/topic/Y","successful":false,"error":"403::subscribe_denied"}]"#);
    script.reply(Line::Connect, r#"[{"channel":"/topic/X","data":{"event":{"createdDate":"2024-01-02T03:04:05.678Z","replayId":3,"type":"created"},"sobject":{"Id":"001D000000IRFmaIAH"}}},{"id":"5","channel":"/meta/connect","successful":true}]"#);
    script.reply(Line::Connect, r#"[{"id":"6","channel":"/meta/connect","successful":true}]"#);
    script.written(X, 3);
    script.subscribe(Y, Tip);
    script.reply(
        Line::Other,
        r#"[{"id":"8","channel":"/meta/subscribe","successful":false,"error":"402::session_unknown"}]"#,
    );
    assert_snapshot!(script.log(), @r#"
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"1","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"2","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"3","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","subscription":"/topic/X","ext":{"replay":{"/topic/X":-1}}},{"channel":"/meta/subscribe","id":"4","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":-1}}}]
    subscribed /topic/X from the tip
    refused /topic/Y (Other, rests): 403::subscribe_denied
    connected
    connect> [{"channel":"/meta/connect","id":"5","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","connectionType":"long-polling"}]
    delivered /topic/X 3
    connect> [{"channel":"/meta/connect","id":"6","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","connectionType":"long-polling"}]
    alive
    connect> [{"channel":"/meta/connect","id":"7","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","connectionType":"long-polling"}]
    other> [{"channel":"/meta/subscribe","id":"8","clientId":"a61510203022ba6ea92d7f0a6f86805db58a88ac","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":-1}}}]
    hang up
    lost: a subscription is refused: 402::session_unknown; next attempt in 0 s
    sign in
    "#);
}

/// Events follow the reply to the connect and carry an id of the one who made them, which is no answer to ours.
#[test]
fn a_session_with_faye() {
    let mut script = Script::start(&[(X, Tip), (Y, Tip)]);
    script.feed(Input::SignedIn);
    script.reply(Line::Other, r#"[{"id":"1","channel":"/meta/handshake","successful":true,"version":"1.0","supportedConnectionTypes":["long-polling","cross-origin-long-polling","callback-polling","websocket","eventsource","in-process"],"clientId":"3qyksq057xe5l059xnaabplg0iz81p5","advice":{"reconnect":"retry","interval":0,"timeout":3000}}]"#);
    script.reply(Line::Connect, r#"[{"id":"2","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","interval":0,"timeout":3000}}]"#);
    script.reply(Line::Other, r#"[{"id":"3","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","channel":"/meta/subscribe","successful":true,"subscription":"/topic/X"},{"id":"4","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","channel":"/meta/subscribe","error":"403:/topic/Y:Forbidden channel","successful":false,"subscription":"/topic/Y"}]"#);
    script.reply(Line::Connect, r#"[{"id":"5","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","interval":0,"timeout":3000}},{"channel":"/topic/X","data":{"event":{"createdDate":"2024-01-02T03:04:05.678Z","replayId":3,"type":"created"},"sobject":{"Id":"001D000000IRFmaIAH"}},"id":"3"}]"#);
    script.reply(Line::Connect, r#"[{"id":"6","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","interval":0,"timeout":3000}}]"#);
    script.written(X, 3);
    script.reply(Line::Connect, r#"[{"id":"7","channel":"/meta/connect","successful":false,"error":"401:3qyksq057xe5l059xnaabplg0iz81p5:Unknown client","advice":{"reconnect":"handshake"}}]"#);
    assert_snapshot!(script.log(), @r#"
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"1","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"2","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"3","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","subscription":"/topic/X","ext":{"replay":{"/topic/X":-1}}},{"channel":"/meta/subscribe","id":"4","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":-1}}}]
    subscribed /topic/X from the tip
    refused /topic/Y (Other, rests): 403:/topic/Y:Forbidden channel
    connected
    connect> [{"channel":"/meta/connect","id":"5","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","connectionType":"long-polling"}]
    delivered /topic/X 3
    connect> [{"channel":"/meta/connect","id":"6","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","connectionType":"long-polling"}]
    alive
    connect> [{"channel":"/meta/connect","id":"7","clientId":"3qyksq057xe5l059xnaabplg0iz81p5","connectionType":"long-polling"}]
    lost: the connect is refused: 401:3qyksq057xe5l059xnaabplg0iz81p5:Unknown client; next attempt in 0 s
    sign in
    "#);
}
