//! Bulk loads, as an administrator's tool makes them: many rows at once, of which no topic tells.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::org::Org;

/// Sign-ins until a load gets through: trouble may end all sessions, also this one's.
const TRIES: usize = 20;

impl Org {
    /// Writes rows by an ingest job, and waits for its end. `operation` is `insert`, `update`, `delete` or `hardDelete`; the first
    /// line of `csv` names the columns. Rows that the org refuses stay as they are.
    pub(crate) async fn load(&self, operation: &str, object: &str, csv: &str) {
        let client = Client::builder().no_proxy().build().expect("a client");
        for _ in 0..TRIES {
            if self.order(&client, operation, object, csv).await.is_some() {
                let jobs = block_in_place(|| self.emulator().org().bulk_jobs());
                let job = jobs.last().expect("the job is known");
                assert_eq!(job.state, "JobComplete", "{job:?}");
                return;
            }
        }
        panic!("no load gets through");
    }

    /// Does something to a query job behind its maker's back.
    pub(crate) async fn at_job(&self, method: Method, job: &str, body: Option<Value>) {
        let client = Client::builder().no_proxy().build().expect("a client");
        let session = self.sign_in(&client).await.expect("a session");
        let url = format!("{}/services/data/v62.0/jobs/query/{job}", self.emulator().url());
        let mut request = client.request(method, url).bearer_auth(session);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let reply = request.send().await.expect("the org answers");
        assert!(reply.status().is_success(), "{}", reply.status());
    }

    /// Has a job done, unless the session ends before it is ordered.
    async fn order(&self, client: &Client, operation: &str, object: &str, csv: &str) -> Option<()> {
        let session = self.sign_in(client).await?;
        let jobs = format!("{}/services/data/v62.0/jobs/ingest", self.emulator().url());
        let send = async |request: RequestBuilder| {
            let reply = request.bearer_auth(&session).send().await.ok()?;
            reply.status().is_success().then_some(reply)
        };
        let order = json!({ "operation": operation, "object": object, "contentType": "CSV", "lineEnding": "LF" });
        let with = |request: RequestBuilder, body: &Value| {
            request.header("content-type", "application/json").body(body.to_string())
        };
        let job = send(with(client.post(&jobs), &order)).await?.bytes().await.ok()?;
        let job: Value = serde_json::from_slice(&job).ok()?;
        let job = format!("{jobs}/{}", job["id"].as_str()?);
        let rows = client.put(format!("{job}/batches")).header("content-type", "text/csv");
        send(rows.body(csv.to_owned())).await?;
        send(with(client.patch(&job), &json!({ "state": "UploadComplete" }))).await.map(drop)
    }

    /// A session of its own: the connector's way to sign in stays the connector's.
    async fn sign_in(&self, client: &Client) -> Option<String> {
        let known = self.emulator().credentials();
        let envelope = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><login xmlns='urn:partner.soap.sforce.com'>\
             <username>{}</username><password>{}{}</password></login></e:Body></e:Envelope>",
            known.username, known.password, known.security_token,
        );
        let request = client.post(format!("{}/services/Soap/u/62.0", self.emulator().login_url()));
        let request = request.header("content-type", "text/xml").header("SOAPAction", "login").body(envelope);
        let reply = request.send().await.ok()?.text().await.ok()?;
        let session = reply.split_once("<sessionId>")?.1.split_once("</sessionId>")?.0;
        Some(session.to_owned())
    }
}
