//! Writes rows through the real connector, and prints what that takes: API calls, rows a second, CPU and memory; to an org next door, and
//! to one that takes a quarter of a second for each reply; by calls of 200 rows and by jobs.
//!
//! `cargo bench -p e2e --bench writing`, or with another number of rows `cargo bench -p e2e --bench writing -- 5000`. Linux only: `/proc` is
//! asked for CPU time and memory.

#[path = "../org/door.rs"]
mod door;

use std::{error::Error, io::Write as _, time::Duration};

use demo::{
    binaries,
    runtime::{Connector, Materialization, Target, Transaction},
};
use e2e::measure::{Usage, Wanted, micros, now};
use salesforce_emulator::{Config, Emulator, FaultAction, FaultRule, org::SchemaChange};
use serde_json::{Value, json};
use tokio::{task::block_in_place, time::timeout};

/// How the pieces fail: whatever it is, the benchmark ends with it.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const OBJECT: &str = "Lead";
const MATCH: &str = "Source_Id__c";
/// Rows of a transaction, unless another number is asked for.
const ROWS: usize = 20_000;
/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// Under which conditions rows are written.
#[derive(Clone, Copy)]
struct Conditions {
    name: &'static str,
    latency: Duration,
    /// Rows waiting from which a job takes them; 0: never.
    bulk_threshold: u64,
}

const CONDITIONS: [Conditions; 4] = [
    Conditions { name: "calls, no latency", latency: Duration::ZERO, bulk_threshold: 0 },
    Conditions { name: "calls, 250 ms", latency: Duration::from_millis(250), bulk_threshold: 0 },
    Conditions { name: "jobs, no latency", latency: Duration::ZERO, bulk_threshold: 2_000 },
    Conditions { name: "jobs, 250 ms", latency: Duration::from_millis(250), bulk_threshold: 2_000 },
];

/// What a transaction took.
struct Taken {
    calls: u64,
    time: Duration,
    usage: Usage,
}

fn main() -> Result<()> {
    let Some(wanted) = Wanted::here() else { return Ok(()) };
    let rows = wanted.number_or(ROWS, 10);
    tokio::runtime::Runtime::new()?.block_on(async {
        let connector = Connector::new(binaries::build("materialize-salesforce")?);
        let mut out = std::io::stdout();
        writeln!(out, "{rows} new rows of {OBJECT} in one transaction, then the same rows changed")?;
        writeln!(out, "{:<28}{:>8}{:>12}{:>14}{:>12}", "", "calls", "rows/s", "CPU, µs/row", "VmHWM, MiB")?;
        for conditions in CONDITIONS {
            for (what, taken) in
                ["new", "changed"].iter().zip(timeout(PATIENCE, written(&connector, conditions, rows)).await??)
            {
                let Taken { calls, time, usage } = taken;
                let (rate, cpu) = (rows as f64 / time.as_secs_f64(), micros(usage.cpu, rows));
                let name = format!("{}, {what}", conditions.name);
                writeln!(out, "{name:<28}{calls:>8}{rate:>12.0}{cpu:>14.2}{:>12.1}", usage.peak as f64 / 1024.0)?;
            }
        }
        Ok(())
    })
}

/// Writes the rows to an org of their own, twice.
async fn written(connector: &Connector, conditions: Conditions, rows: usize) -> Result<Vec<Taken>> {
    let emulator = Emulator::start(Config::default()).await?;
    let definition = json!({ "type": "string", "length": 18, "external_id": true, "unique": true });
    let field = json!({ "add_field": { "object": OBJECT, "field": MATCH, "definition": definition } });
    let field: SchemaChange = serde_json::from_value(field)?;
    block_in_place(|| emulator.org().change_schema([field]))?;
    let mut config = door::config(&emulator);
    config["advanced"]["bulk_threshold"] = json!(conditions.bulk_threshold);

    let resource = json!({ "object": OBJECT, "match_field": MATCH });
    let schema: Value = FIELDS.iter().map(|field| ((*field).to_owned(), json!({ "type": "string" }))).collect();
    let target = Target::captured(resource, "bench/Lead", &json!({ "properties": schema }));
    let mut task = Materialization::new("bench/to-salesforce", config, vec![target]);
    task.validate(connector).await?;
    if !conditions.latency.is_zero() {
        let ms = u64::try_from(conditions.latency.as_millis())?;
        let action = FaultAction::Delay { ms };
        emulator.add_fault(FaultRule { method: None, path: None, kind: None, nth: 1, count: None, action });
    }
    let mut delivery = task.open(connector).await?;
    let calls = || emulator.org().calls().values().sum::<u64>();
    let mut all = Vec::new();
    for turn in 0..2 {
        let mut transaction = Transaction::default();
        (0..rows).for_each(|row| transaction.add(task.targets(), 0, document(row, turn)));
        let pid = delivery.process().id().ok_or("the connector runs")?;
        let (calls_before, used_before, begun) = (calls(), Usage::of(pid)?, now());
        let patch = delivery.store(task.targets(), &transaction).await?;
        task.committed(patch);
        let usage = Usage::of(pid)?;
        all.push(Taken {
            calls: calls() - calls_before,
            time: begun.elapsed(),
            usage: Usage { cpu: usage.cpu - used_before.cpu, peak: usage.peak },
        });
        delivery.acknowledge().await?;
    }
    delivery.close().await?;
    emulator.shutdown().await;
    Ok(all)
}

/// What documents have, beside their key.
const FIELDS: [&str; 11] = [
    "Id",
    "LastName",
    "FirstName",
    "Company",
    "Title",
    "Phone",
    "Street",
    "City",
    "Country",
    "Description",
    "AnnualRevenue",
];

fn document(row: usize, turn: usize) -> Value {
    json!({
        "_meta": { "op": "u" },
        "Id": format!("00Q{row:012}AAA"),
        "LastName": format!("Ngo {row}"),
        "FirstName": "Mai",
        "Company": format!("Acme {}", row % 1_000),
        "Title": "Head of Purchase",
        "Phone": format!("+1 555 {row:07}"),
        "Street": "42 Elm Avenue",
        "City": "San Francisco",
        "Country": "USA",
        "Description": format!("met at the fair, wants to hear of prices: turn {turn}"),
        "AnnualRevenue": row as f64 + 0.5,
    })
}
