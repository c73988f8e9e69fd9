//! Changes by which records become others: merges and conversions.

use std::sync::Arc;

use serde_json::Map;

use super::{Changer, Known};
use crate::org::{Conversion, Id, Refusal};

impl Changer {
    /// Merges one record, sometimes two, into another.
    pub(super) fn merge(&mut self, at: usize) -> Result<bool, Refusal> {
        let Known { object, live, .. } = &self.objects[at];
        let losers = 1 + usize::from(self.draw.percent(25));
        if object.field("MasterRecordId").is_none() || live.len() <= losers {
            return Ok(false);
        }
        let object = Arc::clone(object);
        let mut taken: Vec<Id> = Vec::new();
        while taken.len() <= losers {
            let place = self.draw.below(self.objects[at].live.len() as u64) as usize;
            taken.push(self.objects[at].live.swap_remove(place));
        }
        let fields = if self.draw.percent(50) { self.maker.change(&object) } else { Map::new() };
        let merged =
            self.change(&object, |transaction| transaction.merge(&object.name, taken[0], &taken[1..], &fields));
        let Known { live, bin, .. } = &mut self.objects[at];
        match merged {
            Ok(merged) => {
                live.push(merged.id);
                bin.extend(merged.merged);
                Ok(true)
            }
            Err(refusal) => {
                live.extend(taken);
                Err(refusal)
            }
        }
    }

    /// Converts a lead, which is left alone from then on; what it becomes is changed on.
    pub(super) fn convert(&mut self, at: usize) -> Result<bool, Refusal> {
        let Known { object, live, .. } = &mut self.objects[at];
        if object.name != "Lead" || live.is_empty() {
            return Ok(false);
        }
        let object = Arc::clone(object);
        let lead = live.swap_remove(self.draw.below(live.len() as u64) as usize);
        let conversion = Conversion { opportunity: self.draw.percent(70), ..Conversion::of(lead) };
        let converted = self.change(&object, |transaction| transaction.convert(&conversion))?;
        let made = [("Account", Some(converted.account)), ("Contact", Some(converted.contact))];
        for (name, id) in made.into_iter().chain([("Opportunity", converted.opportunity)]) {
            if let Some(known) = self.objects.iter_mut().find(|known| known.object.name == name) {
                known.live.extend(id);
            }
        }
        Ok(true)
    }
}
