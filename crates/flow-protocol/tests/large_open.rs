//! An `open` of 50 MiB, in a process of its own so that its memory can be told from that of other tests.

use std::{
    fs, io,
    pin::Pin,
    task::{Context, Poll},
};

use flow_protocol::{capture::Request, stdio::Requests};
use tokio::io::{AsyncRead, ReadBuf};

const BINDINGS: usize = 500;
const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_large_open_takes_little_more_memory_than_its_line() {
    let line = OpenLine { next: 0, current: Vec::new(), schema: schema(), written: 0 };
    let mut requests = Requests::new(line);
    let before = resident_peak();

    let Some(Request::Open(open)) = requests.next().await.unwrap() else { panic!("no open") };

    assert_eq!(open.task.bindings.len(), BINDINGS);
    assert_eq!(open.task.bindings[499].collection.name, "acmeCo/Object499");
    assert_eq!(open.task.bindings[499].state_key, "Object499.v1");
    assert!(requests.next::<Request>().await.unwrap().is_none());
    if let (Some(before), Some(after)) = (before, resident_peak()) {
        let used = (after - before) / MIB;
        assert!((40..80).contains(&used), "the peak grew by {used} MiB");
    }
}

/// A request of 50 MiB, made as it is read, so that reading it is what takes memory.
struct OpenLine {
    next: usize,
    current: Vec<u8>,
    schema: String,
    written: usize,
}

impl OpenLine {
    fn refill(&mut self) {
        let Self { next, schema, .. } = self;
        self.current = match *next {
            0 => r#"{"open":{"capture":{"config":{"a":1},"bindings":["#.to_owned(),
            n if n <= BINDINGS => {
                let n = n - 1;
                let comma = if n == 0 { "" } else { "," };
                format!(
                    r#"{comma}{{"resourceConfig":{{"stream":"Object{n}"}},"resourcePath":["Object{n}"],"stateKey":"Object{n}.v1",
                    "collection":{{"name":"acmeCo/Object{n}","key":["/Id"],"writeSchema":{schema},"readSchema":{schema}}}}}"#
                )
                .replace('\n', "")
            }
            n if n == BINDINGS + 1 => "]}}}\n".to_owned(),
            _ => String::new(),
        }
        .into_bytes();
        *next += 1;
        self.written = 0;
    }
}

impl AsyncRead for OpenLine {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.written == self.current.len() {
            self.refill();
        }
        let size = (self.current.len() - self.written).min(buffer.remaining());
        buffer.put_slice(&self.current[self.written..self.written + size]);
        self.written += size;
        Poll::Ready(Ok(()))
    }
}

/// A schema of some 50 KiB.
fn schema() -> String {
    let fields: Vec<String> = (0..500)
        .map(|n| format!(r#""Field_{n}__c":{{"type":["string","null"],"title":"{}"}}"#, "t".repeat(55)))
        .collect();
    format!(r#"{{"type":"object","properties":{{{}}}}}"#, fields.join(","))
}

/// The most memory this process ever held, where the system says so.
fn resident_peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}
