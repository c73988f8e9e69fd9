//! Reads an object with 40 columns through Bulk API 2.0 with one HTTP client, and prints how many rows a second come through.
//!
//! A job has two halves. It *reads*: rows become CSV, which is set aside. It is *delivered*: the CSV goes out page by page. Each
//! half is put beside a floor measured in the same run: the `csv` crate writing the same cells to memory, and a bare HTTP server
//! sending the same bytes from memory.
//!
//! `cargo bench -p salesforce-emulator --bench bulk`, or with another number of rows … `--bench bulk -- 1000000`.

#![expect(clippy::unwrap_used, reason = "whatever fails, the benchmark ends with it")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use csv::{ByteRecord, QuoteStyle, ReaderBuilder, WriterBuilder};
use reqwest::{Client, RequestBuilder};
use salesforce_emulator::{Config, Emulator};
use serde_json::{Value as Json, json};

/// Rows, unless another number is asked for.
const ROWS: u64 = 200_000;
/// How often they are read.
const RUNS: usize = 3;
/// Rows on a page.
const PAGE: u64 = 50_000;
const OBJECT: &str = "Lead";
const COLUMNS: usize = 40;
const QUERY: &str = "/services/data/v62.0/jobs/query";

fn main() {
    // `cargo bench` says so; `cargo test --all-targets` starts benchmarks too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let rows = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROWS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(rows));
}

async fn run(rows: u64) {
    let org = Org::start(rows).await;
    let mut out = std::io::stdout();
    for number in 1..=RUNS {
        let (reading, job) = org.read().await;
        let (delivering, pages) = org.deliver(&job).await;
        let bytes: usize = pages.iter().map(Bytes::len).sum();
        let writing = write_floor(&pages);
        let sending = send_floor(pages).await;
        if number == 1 {
            writeln!(out, "{OBJECT}: {rows} rows, {COLUMNS} columns, {} bytes a row", bytes as u64 / rows).unwrap();
        }
        let line = |name: &str, took: Duration, floor: Option<Duration>| {
            let per_second = rows as f64 / took.as_secs_f64();
            let ratio = floor.map(|floor| format!("   {:5.1} × the floor", took.as_secs_f64() / floor.as_secs_f64()));
            format!("  {name:<34} {per_second:>12.0} rows/s{}", ratio.unwrap_or_default())
        };
        writeln!(out, "run {number}").unwrap();
        writeln!(out, "{}", line("read and delivered", reading + delivering, Some(writing + sending))).unwrap();
        writeln!(out, "{}", line("  read: rows to CSV", reading, Some(writing))).unwrap();
        writeln!(out, "{}", line("    floor: the csv crate writes", writing, None)).unwrap();
        writeln!(out, "{}", line("  delivered: CSV to the client", delivering, Some(sending))).unwrap();
        writeln!(out, "{}", line("    floor: bytes over HTTP", sending, None)).unwrap();
    }
    org.emulator.shutdown().await;
}

/// An org with rows, and a client of it.
struct Org {
    emulator: Emulator,
    http: Client,
    token: String,
    soql: String,
}

impl Org {
    async fn start(rows: u64) -> Self {
        let config = Config { rows: vec![(OBJECT.to_owned(), rows)], ..Config::default() };
        let emulator = Emulator::start(config).await.unwrap();
        let http = Client::builder().gzip(false).build().unwrap();
        let credentials = emulator.credentials();
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &credentials.refresh_token),
            ("client_id", &credentials.client_id),
            ("client_secret", &credentials.client_secret),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = http.post(format!("{}/services/oauth2/token", emulator.url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let reply: Json = serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap();
        let token = reply["access_token"].as_str().unwrap().to_owned();
        let object = emulator.org().object(OBJECT).unwrap();
        let plain = object.fields.iter().filter(|field| field.is_stored()).map(|field| field.name.as_str());
        let columns: Vec<&str> = plain.take(COLUMNS).collect();
        assert_eq!(columns.len(), COLUMNS);
        let soql = format!("SELECT {} FROM {OBJECT}", columns.join(", "));
        Self { emulator, http, token, soql }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.token)
    }

    /// From the order to the end of the job.
    async fn read(&self) -> (Duration, String) {
        let began = Instant::now();
        let order = json!({"operation": "query", "query": self.soql}).to_string();
        let request = self.http.post(format!("{}{QUERY}", self.emulator.url())).body(order);
        let reply = self.signed(request).send().await.unwrap().bytes().await.unwrap();
        let job = serde_json::from_slice::<Json>(&reply).unwrap()["id"].as_str().unwrap().to_owned();
        let org = self.emulator.org().clone();
        let jobs = tokio::task::spawn_blocking(move || org.bulk_jobs()).await.unwrap();
        assert_eq!(jobs.last().unwrap().state, "JobComplete");
        (began.elapsed(), job)
    }

    /// All pages, one after the other.
    async fn deliver(&self, job: &str) -> (Duration, Vec<Bytes>) {
        let began = Instant::now();
        let mut pages = Vec::new();
        let mut locator = None;
        while locator.as_deref() != Some("null") {
            let place = locator.map(|locator| format!("&locator={locator}")).unwrap_or_default();
            let url = format!("{}{QUERY}/{job}/results?maxRecords={PAGE}{place}", self.emulator.url());
            let page = self.signed(self.http.get(url)).send().await.unwrap();
            locator = Some(page.headers()["sforce-locator"].to_str().unwrap().to_owned());
            pages.push(page.bytes().await.unwrap());
        }
        (began.elapsed(), pages)
    }
}

/// The same cells, written to memory.
fn write_floor(pages: &[Bytes]) -> Duration {
    let mut took = Duration::ZERO;
    for page in pages {
        let mut reader = ReaderBuilder::new().has_headers(false).from_reader(&page[..]);
        let records: Vec<ByteRecord> = reader.byte_records().map(Result::unwrap).collect();
        let began = Instant::now();
        let mut writer = WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(Vec::new());
        for record in &records {
            writer.write_byte_record(record).unwrap();
        }
        assert_eq!(writer.into_inner().unwrap().len(), page.len());
        took += began.elapsed();
    }
    took
}

/// The same bytes, sent from memory to the same client.
async fn send_floor(pages: Vec<Bytes>) -> Duration {
    let count = pages.len();
    let router = pages.into_iter().enumerate().fold(Router::new(), |router, (number, page)| {
        router.route(&format!("/{number}"), get(async move || page.clone()))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async { axum::serve(listener, router).await });
    let http = Client::builder().gzip(false).build().unwrap();
    let began = Instant::now();
    for number in 0..count {
        http.get(format!("{url}/{number}")).send().await.unwrap().bytes().await.unwrap();
    }
    let took = began.elapsed();
    serving.abort();
    took
}
