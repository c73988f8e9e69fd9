//! Rows of the org as the connector asks for them, compressed as they came.

use reqwest::{
    Client,
    header::{ACCEPT_ENCODING, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::{
    Result, Way, floor,
    org::{OBJECT, Org},
    token,
};

/// Where the API's resources are.
const API: &str = "/services/data/v62.0";

/// Replies that bring rows.
pub(crate) enum Sample {
    /// Pages of a query.
    Pages(Vec<Vec<u8>>),
    /// The results of a Bulk job, and of each column whether its values are texts in JSON.
    Results(Vec<u8>, Vec<bool>),
}

impl Sample {
    /// So many rows.
    pub(crate) async fn take(org: &Org, way: Way, rows: usize) -> Result<Self> {
        let http = Client::builder().gzip(false).build()?;
        let door = Door { token: token::access_token(&http, org.emulator()).await?, http, org };
        let soql = format!("SELECT {} FROM {OBJECT} ORDER BY Id LIMIT {rows}", org.select());
        match way {
            Way::Rest => door.pages(&soql).await,
            Way::Bulk => door.results(&soql, rows).await,
        }
    }
}

struct Door<'a> {
    http: Client,
    org: &'a Org,
    token: String,
}

impl Door<'_> {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.org.emulator().url()), query)?;
        let request = self.http.get(url).bearer_auth(&self.token).header(ACCEPT_ENCODING, "gzip");
        Ok(request.send().await?.error_for_status()?.bytes().await?.into())
    }

    async fn pages(&self, soql: &str) -> Result<Sample> {
        let mut pages = Vec::new();
        let mut page = self.get(&format!("{API}/query"), &[("q", soql)]).await?;
        loop {
            let reply: Value = serde_json::from_slice(&floor::unpacked(&page)?)?;
            pages.push(page);
            match reply["nextRecordsUrl"].as_str() {
                Some(next) => page = self.get(next, &[]).await?,
                None => return Ok(Sample::Pages(pages)),
            }
        }
    }

    async fn results(&self, soql: &str, rows: usize) -> Result<Sample> {
        let jobs = format!("{API}/jobs/query");
        let request = self.http.post(format!("{}{jobs}", self.org.emulator().url())).bearer_auth(&self.token);
        let order = json!({ "operation": "query", "query": soql }).to_string();
        let reply = request.header(CONTENT_TYPE, "application/json").body(order).send().await?.error_for_status()?;
        let job: Value = serde_json::from_slice(&reply.bytes().await?)?;
        let id = job["id"].as_str().ok_or("the job has no id")?;
        // The org answers when its jobs have done what they can.
        block_in_place(|| self.org.emulator().org().bulk_jobs());
        let results = self.get(&format!("{jobs}/{id}/results"), &[("maxRecords", &rows.to_string())]).await?;
        Ok(Sample::Results(results, self.org.fields.iter().map(|(_, is_text)| *is_text).collect()))
    }
}
