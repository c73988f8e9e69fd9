//! Events as a file keeps them.

use jiff::Timestamp;
use rusqlite::params;

use super::database::Database;
use crate::org::events::Audience;

/// An event as the file keeps it.
pub(in crate::org) struct KeptEvent {
    pub(in crate::org) stream: u64,
    pub(in crate::org) replay: i64,
    pub(in crate::org) at: Timestamp,
    pub(in crate::org) data: Vec<u8>,
    pub(in crate::org) audience: Audience,
}

impl Database {
    pub(in crate::org) fn keep_event(&self, event: &KeptEvent) -> rusqlite::Result<()> {
        let at = event.at.as_millisecond();
        let stream = event.stream.cast_signed();
        self.connection.prepare_cached("INSERT INTO \"~event\" VALUES(?,?,?,?)")?.execute(params![
            stream,
            event.replay,
            at,
            event.data
        ])?;
        if !event.audience.is_everybody() {
            let sql = "INSERT INTO \"~audience\" VALUES(?,?)";
            self.connection.prepare_cached(sql)?.execute(params![event.replay, event.audience.text()])?;
        }
        Ok(())
    }

    pub(in crate::org) fn kept_events(&self) -> rusqlite::Result<Vec<KeptEvent>> {
        let mut statement = self.connection.prepare(
            "SELECT stream,replay,at,data,owners FROM \"~event\" LEFT JOIN \"~audience\" USING(replay) ORDER BY replay",
        )?;
        let events = statement.query_map([], |row| {
            let at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
            let audience = row.get::<_, Option<String>>(4)?.as_deref().map(Audience::parse).unwrap_or_default();
            let stream = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(KeptEvent { stream, replay: row.get(1)?, at, data: row.get(3)?, audience })
        })?;
        events.collect()
    }

    pub(in crate::org) fn forget_events(&self, before: Timestamp, live: impl Fn(u64) -> bool) -> rusqlite::Result<()> {
        self.connection.execute("DELETE FROM \"~event\" WHERE at<?", [before.as_millisecond()])?;
        let mut statement = self.connection.prepare("SELECT DISTINCT stream FROM \"~event\"")?;
        let streams = statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
        for stream in streams.into_iter().filter(|stream| !live(stream.cast_unsigned())) {
            self.connection.execute("DELETE FROM \"~event\" WHERE stream=?", [stream])?;
        }
        let orphans = "DELETE FROM \"~audience\" WHERE replay NOT IN (SELECT replay FROM \"~event\")";
        self.connection.execute(orphans, [])?;
        Ok(())
    }
}
