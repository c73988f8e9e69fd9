//! The plan: all lanes, and what they brought so far.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value as Json;

use super::lane::Lane;
use super::strike::Strike;
use super::{Trouble, TroubleError, TroubleKind};

/// Strikes that a report still shows one by one.
const REMEMBERED: usize = 1_000;

/// Trouble that struck, or will.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Struck {
    /// The kind of occasion.
    pub on: String,
    /// Which one of its kind, counting from 1.
    pub nth: u64,
    /// The kind of trouble.
    pub kind: TroubleKind,
    /// Its details; those of requests and of CometD spelled as one would script them.
    pub what: Json,
}

/// What a plan has brought, and what it will.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TroubleReport {
    /// The trouble in force; `None` if there is none.
    pub trouble: Option<Trouble>,
    /// Occasions so far, by kind.
    pub seen: BTreeMap<String, u64>,
    /// Strikes so far, by kind of trouble.
    pub counts: BTreeMap<TroubleKind, u64>,
    /// The latest thousand strikes, oldest first.
    pub struck: Vec<Struck>,
    /// The next strike on each kind of occasion that was seen.
    pub planned: Vec<Struck>,
}

/// A plan under way.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    trouble: Trouble,
    lanes: BTreeMap<String, Lane>,
    counts: BTreeMap<TroubleKind, u64>,
    struck: VecDeque<Struck>,
}

impl Plan {
    pub(crate) fn new(trouble: Trouble) -> Result<Self, TroubleError> {
        trouble.check()?;
        Ok(Self { trouble, lanes: BTreeMap::new(), counts: BTreeMap::new(), struck: VecDeque::new() })
    }

    /// The next occasion of a kind: what befalls it?
    pub(crate) fn meet(&mut self, on: &str) -> Option<Strike> {
        if !self.lanes.contains_key(on) {
            self.lanes.insert(on.to_owned(), Lane::new(&self.trouble, on));
        }
        let lane = self.lanes.get_mut(on)?;
        let (kind, strike) = lane.step(&self.trouble)?;
        *self.counts.entry(kind).or_default() += 1;
        if self.struck.len() == REMEMBERED {
            self.struck.pop_front();
        }
        self.struck.push_back(told(on, lane.seen, kind, &strike));
        Some(strike)
    }

    /// The next so many strikes on a kind of occasion.
    pub(crate) fn ahead(&self, on: &str, strikes: usize) -> Vec<Struck> {
        let mut lane = self.lanes.get(on).cloned().unwrap_or_else(|| Lane::new(&self.trouble, on));
        let mut ahead = Vec::new();
        while ahead.len() < strikes && !lane.is_silent() {
            if let Some((kind, strike)) = lane.step(&self.trouble) {
                ahead.push(told(on, lane.seen, kind, &strike));
            }
        }
        ahead
    }

    pub(crate) fn report(&self) -> TroubleReport {
        TroubleReport {
            trouble: Some(self.trouble.clone()),
            seen: self.lanes.iter().map(|(name, lane)| (name.clone(), lane.seen)).collect(),
            counts: self.counts.clone(),
            struck: self.struck.iter().cloned().collect(),
            planned: self.lanes.keys().flat_map(|on| self.ahead(on, 1)).collect(),
        }
    }
}

fn told(on: &str, nth: u64, kind: TroubleKind, strike: &Strike) -> Struck {
    let what = serde_json::to_value(strike).unwrap_or_default();
    Struck { on: on.to_owned(), nth, kind, what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kind::possible;
    use super::*;

    const LANES: [&str; 11] = [
        "token",
        "query",
        "create_rows",
        "streaming",
        "handshake",
        "connect",
        "subscribe",
        "replay",
        "delivery",
        "change",
        "late",
    ];

    fn plan(trouble: Trouble) -> Plan {
        Plan::new(trouble).unwrap()
    }

    /// A change of this snapshot means that the trouble of every seed is another from now on.
    #[test]
    fn the_plan_of_seed_7() {
        let plan = plan(Trouble { every: 5, ..Trouble::from_seed(7) });
        let lines: Vec<String> = LANES
            .iter()
            .flat_map(|lane| plan.ahead(lane, 8))
            .map(|Struck { on, nth, what, .. }| format!("{on} {nth}: {what}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_loses_data_strikes_only_by_name() {
        let lossy = |plan: &Plan| plan.ahead("change", 500).iter().filter(|strike| strike.kind.loses_data()).count();
        assert_eq!(lossy(&plan(Trouble::default())), 0);
        let kinds = BTreeMap::from([(TroubleKind::ClockPastRetention, 1), (TroubleKind::TopicDeleted, 1)]);
        assert!(lossy(&plan(Trouble { kinds, ..Trouble::default() })) > 100);
    }

    #[test]
    fn trouble_that_makes_no_sense() {
        let refused = |json: &str| {
            let trouble: Result<Trouble, _> = serde_json::from_str(json);
            trouble
                .map_err(|error| error.to_string())
                .and_then(|trouble| Plan::new(trouble).map(|_| ()).map_err(|error| error.to_string()))
        };
        for (json, expect) in [
            (r#"{"every":0}"#, "'every' must be at least 1"),
            (r#"{"in_a_row":0}"#, "'in_a_row' must be at least 1"),
            (r#"{"slow_ms":18446744073709551615}"#, "'slow_ms' is too large"),
            (r#"{"kinds":{"slow":0}}"#, "the kinds of trouble need a weight above 0"),
        ] {
            assert_eq!(refused(json), Err(expect.to_owned()), "{json}");
        }
        assert!(refused(r#"{"kinds":{"earthquake":1}}"#).is_err() && refused(r#"{"color":1}"#).is_err());
        assert_eq!(refused("{}"), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What befalls the n-th occasion of a kind depends on nothing that happened on other lanes.
        #[test]
        fn same_seed_same_trouble(
            seed: u64, every in 1_u64..20, in_a_row in 1_u64..4,
            order in prop::collection::vec(0..LANES.len(), 0..400),
        ) {
            let trouble = Trouble { every, in_a_row, ..Trouble::from_seed(seed) };
            let mut mixed = plan(trouble.clone());
            let mut met: BTreeMap<&str, Vec<Option<Strike>>> = BTreeMap::new();
            for lane in order {
                met.entry(LANES[lane]).or_default().push(mixed.meet(LANES[lane]));
            }
            for (lane, strikes) in met {
                let mut alone = plan(trouble.clone());
                let again: Vec<_> = strikes.iter().map(|_| alone.meet(lane)).collect();
                prop_assert_eq!(again, strikes, "{}", lane);
            }
        }

        /// There is always room: never more strikes in a row than allowed, and never more hours than allowed.
        #[test]
        fn room_is_left(seed: u64, every in 1_u64..10, in_a_row in 1_u64..4, hours in 0_u64..48) {
            let mut plan = plan(Trouble { every, in_a_row, hours, ..Trouble::from_seed(seed) });
            for lane in LANES {
                let (mut row, mut jumped) = (0, 0);
                for _ in 0..500 {
                    match plan.meet(lane) {
                        None => row = 0,
                        Some(strike) => {
                            row += 1;
                            if let Strike::Org(super::super::strike::Mishap::ClockJump { hours }) = strike {
                                prop_assert!(hours > 0);
                                jumped += hours;
                            }
                        }
                    }
                    prop_assert!(row <= in_a_row, "{} in a row on {}", row, lane);
                }
                prop_assert!(jumped <= hours);
            }
        }

        /// Every kind that can strike somewhere does, sooner or later.
        #[test]
        fn nothing_is_left_out(seed: u64) {
            let plan = plan(Trouble { hours: 1_000_000, ..Trouble::from_seed(seed) });
            for lane in LANES {
                let kinds: Vec<_> = plan.ahead(lane, 400).into_iter().map(|strike| strike.kind).collect();
                for kind in possible(lane).iter().filter(|kind| !kind.loses_data()) {
                    prop_assert!(kinds.contains(kind), "{:?} never strikes {}", kind, lane);
                }
            }
        }
    }
}
