//! Whether any object of the org has changed: one call, where asking each would be many. Pure.
//!
//! The list of all objects is dated with the latest change of any of them (REST API guide, "Get a List of Objects If Metadata Has
//! Changed"). Dates have whole seconds, and objects may change in the second in which others were looked at: after a change, they are all
//! looked at twice, and the second time nothing may have changed since.

use salesforce_client::LastModified;

/// What is known of the org's objects as a whole. Its dates are compared by the org alone: any type does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Outlook<D = LastModified> {
    /// Nothing yet.
    #[default]
    Unknown,
    /// The org does not date its list.
    Undated,
    /// An object changed then, and others may have changed in that very second.
    Fresh(D),
    /// No object has changed since: they are all known.
    Settled(D),
}

/// What the org says when it is asked for its list of objects, if changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<D = LastModified> {
    /// It is as it was.
    Same,
    /// It has changed, last at this date, if there is one.
    Changed(Option<D>),
}

impl<D> Outlook<D> {
    /// What is known after an answer, and whether the objects are to be looked at one by one.
    #[must_use]
    pub fn after(self, answer: Answer<D>) -> (Self, bool) {
        match (answer, self) {
            (Answer::Changed(Some(date)), _) => (Self::Fresh(date), true),
            (Answer::Changed(None), _) => (Self::Undated, true),
            (Answer::Same, Self::Fresh(date)) => (Self::Settled(date), true),
            (Answer::Same, Self::Settled(date)) => (Self::Settled(date), false),
            (Answer::Same, known) => (known, true),
        }
    }

    /// Since when the org is to be asked for changes, if the date is known.
    #[must_use]
    pub fn since(&self) -> Option<&D> {
        match self {
            Self::Fresh(date) | Self::Settled(date) => Some(date),
            Self::Unknown | Self::Undated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_change_everything_is_looked_at_twice() {
        use Answer::{Changed, Same};
        // Answers of the org, one after the other: the date by which each was asked for, and whether all was looked at then.
        for answers in [
            &[(Changed(Some(1)), None, true), (Same, Some(1), true), (Same, Some(1), false), (Same, Some(1), false)][..],
            &[
                (Changed(Some(1)), None, true),
                (Changed(Some(2)), Some(1), true),
                (Same, Some(2), true),
                (Same, Some(2), false),
            ],
            &[
                (Changed(Some(1)), None, true),
                (Same, Some(1), true),
                (Changed(Some(3)), Some(1), true),
                (Same, Some(3), true),
            ],
            &[(Changed(None), None, true), (Changed(None), None, true)],
        ] {
            let mut outlook = Outlook::default();
            for (nth, (answer, since, looks)) in answers.iter().cloned().enumerate() {
                assert_eq!(outlook.since().copied(), since, "{nth} of {answers:?}");
                let (next, looked) = outlook.after(answer);
                assert_eq!(looked, looks, "{nth} of {answers:?}");
                outlook = next;
            }
        }
    }
}
