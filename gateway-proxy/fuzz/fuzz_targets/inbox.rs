//! No peer makes a tunnel's inbox panic, hold two flows' bytes as one, or take bytes after a FIN.
#![no_main]

use gateway_proxy::frame::{FlowNumber, Parser};
use gateway_proxy::tunnel::inbox::{End, Inbox};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, mut bytes)) = bytes.split_first() else {
        return;
    };
    let end = if choice & 1 == 0 {
        End::Core
    } else {
        End::Edge
    };
    let mut inbox = Inbox::new(end);
    if end == End::Edge {
        assert_eq!(inbox.begin(), Some(FlowNumber(1)));
    }
    let mut parser = Parser::default();
    while let Ok(Some(item)) = parser.next(&mut bytes) {
        if inbox.put(item).is_err() {
            return;
        }
        if end == End::Core && choice & 2 != 0 {
            // The number is of no use here: what matters is that the flow is taken.
            drop(inbox.accept());
        }
        if let Some(flow) = inbox.flow() {
            assert!(flow.data.len() as u64 <= flow.received);
            if flow.fin && choice & 4 != 0 {
                inbox.end();
            }
        }
    }
});
