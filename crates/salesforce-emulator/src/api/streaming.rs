//! The org as CometD's bus: PushTopics behind `/topic/…`.

use std::sync::Arc;

use tokio::sync::watch;

use crate::cometd::{
    AuthFailure, Bus, Event, Limit, Principal, Refusal, Replay, Start, Stream, SubscribeRequest, Unavailable,
};
use crate::org::{Access, Id, Org, Topic, Unfit};

pub(super) struct OrgBus {
    org: Org,
}

impl OrgBus {
    pub(super) fn new(org: Org) -> Self {
        Self { org }
    }

    /// Whoever is nobody's user sees nothing.
    fn in_the_hands_of(&self, who: &Principal) -> Org {
        let nobody = Id::new("005", *b"00", 0);
        self.org.acting_as(Id::parse(&who.user_id).unwrap_or(nobody))
    }

    fn topic(&self, channel: &str) -> Result<Arc<Topic>, Refusal> {
        let name = channel.strip_prefix("/topic/").ok_or(Refusal::Unknown)?;
        self.org.topic(name).filter(|topic| topic.active).ok_or(Refusal::UnknownChannel)
    }
}

impl Bus for OrgBus {
    fn authenticate(&self, token: &str) -> Result<Principal, AuthFailure> {
        let org = self.org.enter(token).map_err(|unfit| match unfit {
            Unfit::Dead | Unfit::WithoutApi => AuthFailure::Invalid,
            Unfit::ApiOffForUser | Unfit::ApiOffForOrg => AuthFailure::NotEnabled,
        })?;
        Ok(Principal { user_id: org.user_id().to_string(), org_id: org.org_id().to_string() })
    }

    fn subscribe(&self, who: &Principal, request: &SubscribeRequest<'_>) -> Result<Start, Refusal> {
        let topic = self.topic(request.channel)?;
        match self.in_the_hands_of(who).access_to(&topic) {
            Access::Granted => {}
            Access::NoTopics => return Err(Refusal::UserNotEnabled),
            Access::NoObject => return Err(Refusal::NoAccessToEntity),
            Access::NoFilterField => return Err(Refusal::NoAccessToWhereFields),
        }
        let missing = topic.missing_fields(request.filter_fields);
        if !missing.is_empty() {
            return Err(Refusal::UnknownFilterFields(missing));
        }
        let log = self.org.log();
        let after = match request.replay {
            Replay::Tip => log.last_replay(),
            Replay::Earliest => 0,
            Replay::After(id) if log.retains(topic.stream, id, self.org.now()) => id,
            Replay::After(id) => return Err(Refusal::InvalidReplayId(id)),
        };
        Ok(Start { stream: Stream(topic.stream), after })
    }

    fn read(&self, who: &Principal, stream: Stream, after: i64, limit: Limit) -> Result<Vec<Event>, Unavailable> {
        let (mut events, mut bytes) = (0, 0);
        let full = |event: &crate::org::Announced| {
            events += 1;
            bytes += event.data.len();
            events > 1 && (events > limit.events || bytes > limit.bytes)
        };
        let read = self.org.log().read(stream.0, after, self.org.now(), full);
        // Replay ids are numbered over the whole org, so they are the order of commits as well.
        let hearing = self.in_the_hands_of(who).hearing(stream.0);
        let heard = read.into_iter().map(|event| {
            let (replay_id, order) = (event.replay_id, event.replay_id.unsigned_abs());
            Event { replay_id, order, data: hearing.of(event).unwrap_or_default() }
        });
        Ok(heard.collect())
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.org.log().appended()
    }

    fn deliveries_left(&self) -> u64 {
        let used = self.org.usage().deliveries(self.org.now());
        self.org.settings().daily_deliveries.saturating_sub(used)
    }

    fn expire_sessions(&self) {
        self.org.expire_sessions();
    }

    fn delivered(&self, _who: &Principal, count: u64) {
        self.org.usage().deliver(count, self.org.now());
    }
}
