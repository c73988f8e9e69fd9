//! The least that anyone must do: parse each reply once, and write what it says. Told twice: with each record taken as one value,
//! and with its fields apart, as somebody needs them who respells some.

use std::{
    fmt,
    io::{PipeWriter, Read as _, Write as _},
    time::Duration,
};

use e2e::measure::{cpu_of_this_thread, with_pipe};
use flate2::read::GzDecoder;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Result;

/// How often all is gone through. The median counts: a pass is as noisy as the machine.
const PASSES: usize = 5;

/// What the least took, as CPU time of one thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// Parsing the replies, with each record as one value, and writing them.
    pub(crate) records: Duration,
    /// Parsing the replies, with each field as one value, and writing them.
    pub(crate) fields: Duration,
    /// Unpacking the replies before that.
    pub(crate) unpacking: Duration,
    pub(crate) events: usize,
    /// Bytes of the replies, unpacked.
    pub(crate) bytes: usize,
}

#[derive(Deserialize)]
#[serde(bound = "S: Deserialize<'de>")]
struct Message<'a, S> {
    #[serde(borrow)]
    data: Option<Data<'a, S>>,
}

#[derive(Deserialize)]
#[serde(bound = "S: Deserialize<'de>")]
struct Data<'a, S> {
    #[serde(borrow)]
    event: &'a RawValue,
    sobject: S,
}

/// What a record is parsed into.
trait Sobject<'a>: Deserialize<'a> {
    fn write(&self, line: &mut Vec<u8>);
}

impl<'a> Sobject<'a> for &'a RawValue {
    fn write(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self.get().as_bytes());
    }
}

/// The fields of a record.
struct Fields<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'a> Sobject<'a> for Fields<'a> {
    fn write(&self, line: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            for part in [",\"", name, "\":", value.get()] {
                line.extend_from_slice(part.as_bytes());
            }
        }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

impl Floor {
    /// Goes through the replies in the same order and pieces as the connector.
    pub(crate) fn measure(replies: &[Vec<u8>]) -> Result<Self> {
        with_pipe(|out| Self::measure_here(replies, out))?
    }

    fn measure_here(replies: &[Vec<u8>], mut out: PipeWriter) -> Result<Self> {
        let bodies = replies.iter().map(|reply| unpacked(reply)).collect::<Result<Vec<_>>>()?;
        // Buffers are used again: memory that is fresh each time would cost more than the work, and not the same each time.
        let mut buffer = Vec::new();
        let (mut unpacking, mut records, mut fields, mut events) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..PASSES {
            let start = cpu_of_this_thread()?;
            replies.iter().try_for_each(|reply| unpack(reply, &mut buffer))?;
            let is_unpacked = cpu_of_this_thread()?;
            events = write::<&RawValue>(&bodies, &mut buffer, &mut out)?;
            let has_records = cpu_of_this_thread()?;
            write::<Fields<'_>>(&bodies, &mut buffer, &mut out)?;
            unpacking.push(is_unpacked - start);
            records.push(has_records - is_unpacked);
            fields.push(cpu_of_this_thread()? - has_records);
        }
        let bytes = bodies.iter().map(Vec::len).sum();
        Ok(Self { unpacking: median(unpacking), records: median(records), fields: median(fields), events, bytes })
    }
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

/// Writes the events of all replies, and tells how many there are.
fn write<'a, S: Sobject<'a>>(bodies: &'a [Vec<u8>], lines: &mut Vec<u8>, out: &mut PipeWriter) -> Result<usize> {
    let mut events = 0;
    for body in bodies {
        lines.clear();
        events += documents::<S>(body, lines)?;
        out.write_all(lines)?;
    }
    Ok(events)
}

/// How many events a reply brings.
pub(crate) fn events(body: &[u8]) -> Result<usize> {
    documents::<&RawValue>(body, &mut Vec::new())
}

/// Adds the events of a reply as lines, and tells how many there are.
fn documents<'a, S: Sobject<'a>>(body: &'a [u8], lines: &mut Vec<u8>) -> Result<usize> {
    let messages: Vec<Message<'a, S>> = serde_json::from_slice(body)?;
    let mut count = 0;
    for Data { event, sobject } in messages.into_iter().filter_map(|message| message.data) {
        lines.extend_from_slice(event.get().as_bytes());
        sobject.write(lines);
        lines.push(b'\n');
        count += 1;
    }
    Ok(count)
}

/// A reply as it was before it was compressed.
pub(crate) fn unpacked(reply: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    unpack(reply, &mut body)?;
    Ok(body)
}

fn unpack(reply: &[u8], body: &mut Vec<u8>) -> Result<()> {
    body.clear();
    GzDecoder::new(reply).read_to_end(body)?;
    Ok(())
}
