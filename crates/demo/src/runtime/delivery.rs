//! An open materialization: transactions of documents to be stored.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Connector, Patch, Process, materialization::Target, process::Exit, tuple::pack};
use crate::error::Error;

/// A running materialization session. Dropping it kills the connector.
#[derive(Debug)]
pub struct Delivery {
    process: Process,
    dialect: Dialect,
}

/// How keys and values are sent: the runtimes in use differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As packed tuples only.
    Packed,
    /// As JSON arrays only.
    Arrays,
    /// Both ways.
    #[default]
    Both,
}

/// The documents of one transaction, reduced by key.
#[derive(Debug, Default, Clone)]
pub struct Transaction {
    stores: BTreeMap<(usize, Vec<u8>), (Vec<Value>, Value)>,
}

impl Transaction {
    /// Adds a document: the last one of a key is the one that is stored.
    pub fn add(&mut self, targets: &[Target], binding: usize, document: Value) {
        let at = |pointer: &String| document.pointer(pointer).cloned().unwrap_or(Value::Null);
        let key: Vec<Value> = targets[binding].key.iter().map(at).collect();
        self.stores.insert((binding, pack(&key)), (key, document));
    }

    /// Documents to be stored.
    pub fn len(&self) -> usize {
        self.stores.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// The requests that store the documents: by binding, then by packed key.
    pub fn requests(&self, targets: &[Target], dialect: Dialect) -> impl Iterator<Item = Value> {
        self.stores.iter().map(move |((binding, packed), (key, document))| {
            let target = &targets[*binding];
            let at = |field: &String| document.pointer(target.pointer(field)).cloned().unwrap_or(Value::Null);
            let values: Vec<Value> = target.validated.values.iter().map(at).collect();
            let is_deleted = document["_meta"]["op"] == "d";
            let mut store = json!({ "binding": binding });
            if dialect != Dialect::Arrays {
                store["keyPacked"] = BASE64.encode(packed).into();
                store["valuesPacked"] = BASE64.encode(&pack(&values)).into();
            }
            if dialect != Dialect::Packed {
                store["key"] = key.clone().into();
                store["values"] = values.into();
            }
            if target.validated.document.is_some() {
                store["doc"] = document.clone();
            }
            if is_deleted {
                store["delete"] = true.into();
            }
            json!({ "store": store })
        })
    }
}

impl Delivery {
    /// Starts a connector, sends `spec` and an `open` request, and awaits `opened`.
    ///
    /// # Errors
    /// When the connector does not open the session.
    pub async fn open(connector: &Connector, request: &Value) -> Result<Self, Error> {
        let (process, _) = connector.start().await?;
        let mut delivery = Self { process, dialect: Dialect::default() };
        let sent = delivery.process.send(request).await;
        delivery.answer("opened").await?;
        sent?;
        Ok(delivery)
    }

    /// From now on keys and values are sent in that way.
    pub fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Delivers a transaction up to the point at which it can be committed: flush, stores, the start of the commit. Answers
    /// what it changes in the state; it is to be committed, and then [acknowledged](Self::acknowledge).
    ///
    /// # Errors
    /// When the connector does not take it.
    pub async fn store(&mut self, targets: &[Target], transaction: &Transaction) -> Result<Patch, Error> {
        self.flush().await?;
        for request in transaction.requests(targets, self.dialect) {
            // A connector that has failed takes no more; how it ended says more than the broken pipe.
            if self.process.send(&request).await.is_err() {
                break;
            }
        }
        self.start_commit().await
    }

    /// Tells the connector that the last transaction is durable, and awaits that it has noted it.
    ///
    /// # Errors
    /// When the connector breaks the protocol or ends.
    pub async fn acknowledge(&mut self) -> Result<Patch, Error> {
        let sent = self.process.send(&json!({ "acknowledge": {} })).await;
        let answer = self.answer("acknowledged").await?;
        sent?;
        Patch::of(&answer)
    }

    /// Asks for what was loaded: nothing, where documents are written as deltas.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge).
    pub async fn flush(&mut self) -> Result<(), Error> {
        let sent = self.process.send(&json!({ "flush": {} })).await;
        self.answer("flushed").await?;
        sent
    }

    /// Starts the commit: once this is answered, all that was stored is safe.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge).
    pub async fn start_commit(&mut self) -> Result<Patch, Error> {
        let sent = self.process.send(&json!({ "startCommit": { "runtimeCheckpoint": {} } })).await;
        let answer = self.answer("startedCommit").await?;
        sent?;
        Patch::of(&answer)
    }

    /// Ends the connector's stdin, the sign to finish, and waits for its end.
    ///
    /// # Errors
    /// When it says more, or its end cannot be awaited.
    pub async fn close(&mut self) -> Result<Exit, Error> {
        self.process.close_stdin();
        if let Some(line) = self.process.line().await? {
            return Err(Error::protocol("output after the last answer", &line));
        }
        self.process.ended().await
    }

    /// Kills the connector.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(self) -> Result<Exit, Error> {
        self.process.kill().await
    }

    /// The process behind the session.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    async fn answer(&mut self, awaited: &'static str) -> Result<Value, Error> {
        match self.process.message().await? {
            Some((kind, answer)) if kind == awaited => Ok(answer),
            Some((kind, answer)) => {
                Err(Error::protocol("an answer of another kind", &json!({ kind: answer }).to_string()))
            }
            None => Err(Error::Ended { awaited, exit: self.process.ended().await? }),
        }
    }
}
