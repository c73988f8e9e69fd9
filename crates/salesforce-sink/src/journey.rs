//! A batch on its way, with the changes it was made of. Pure.

use crate::{
    delivery::{Delivery, Line, Terms},
    plan::{Sizes, Way},
    window::{Run, TargetId},
};

/// A batch on its way, with what it was made of.
#[derive(Debug)]
pub(crate) struct Journey<T> {
    pub(crate) target: TargetId,
    pub(crate) delivery: Delivery,
    /// By line; taken when it is settled.
    pub(crate) runs: Vec<Option<Run<T>>>,
    pub(crate) calling: bool,
}

/// Rows that set out together.
pub(crate) type Party<T> = (Terms, Vec<Line>, Vec<Run<T>>);

impl<T> Journey<T> {
    /// Takes out these lines, whose Ids are known now: as one job if there are enough for one, else by as many calls as hold them.
    pub(crate) fn divide(&mut self, found: Vec<usize>, sizes: &Sizes) -> Vec<Party<T>> {
        // What lay in the recycle bin was restored before Ids were asked for.
        let mut terms = Terms { restores: false, ..self.delivery.terms };
        if terms.way == Way::Bulk && !sizes.are_worth_a_job(found.len()) {
            terms.way = Way::Collection;
        }
        let (most, most_bytes) = match terms.way {
            Way::Bulk => (usize::MAX, usize::MAX),
            Way::Single | Way::Collection => (sizes.rows, sizes.bytes),
        };
        let (delivery, runs) = (&self.delivery, &mut self.runs);
        let rows = found.into_iter().filter_map(|line| Some((delivery.lines[line].clone(), runs[line].take()?)));
        let mut rows = rows.peekable();
        let mut parties = Vec::new();
        while rows.peek().is_some() {
            let (mut lines, mut runs, mut bytes) = (Vec::new(), Vec::new(), 0);
            while lines.len() < most
                && bytes < most_bytes
                && let Some((line, run)) = rows.next()
            {
                bytes += run.size();
                lines.push(line);
                runs.push(run);
            }
            parties.push((terms, lines, runs));
        }
        parties
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        Operation, Route,
        fields::{Address, Fitted},
        row::{Cell, Column, Row},
        target::Missing,
        window::Window,
    };

    const MOST_BYTES: usize = 1_000;

    fn journey(route: Route, texts: &[usize]) -> (Sizes, Journey<usize>) {
        let sizes = Sizes {
            route,
            rows: 5,
            bytes: MOST_BYTES,
            bulk_from: 20,
            bulk_rows: 1_000,
            bulk_bytes: 1 << 20,
            lookup_rows: 1_000,
        };
        let (target, operation) = (TargetId(0), Operation::Update);
        let mut window = Window::new();
        for (nth, &length) in texts.iter().enumerate() {
            let mut row = Row::default();
            let column = Column { field: "Text__c".parse().unwrap(), createable: true, parent: None };
            row.set(Arc::new(column), Cell::text("x".repeat(length)));
            window.push(
                target,
                operation,
                Fitted { address: Address::New, identity: None, row, unknown: Vec::new() },
                nth,
            );
        }
        let runs = window.take(target, operation, usize::MAX, usize::MAX, |_| true);
        let way = if sizes.are_worth_a_job(runs.len()) { Way::Bulk } else { Way::Collection };
        let quota_pause = Duration::from_secs(60);
        let terms = Terms { operation, way, missing: Missing::Done, restores: true, unique: true, quota_pause };
        let lines = runs.iter().map(|run| Line::new(run.first().address.clone(), None, run.row())).collect();
        let delivery = Delivery::new(terms, lines, crate::engine::now());
        (sizes, Journey { target, delivery, runs: runs.into_iter().map(Some).collect(), calling: false })
    }

    proptest! {
        /// Each row that was found goes on once and in its place, the others not. They are one job if they are enough; no call has more
        /// than it holds, nor could one that follows another have gone with it.
        #[test]
        fn rows_that_were_found_go_on_once(
            rows in proptest::collection::vec((0_usize..600, any::<bool>()), 1..60),
            route in prop_oneof![Just(Route::Auto), Just(Route::Collections), Just(Route::Bulk)],
        ) {
            let texts: Vec<usize> = rows.iter().map(|(length, _)| *length).collect();
            let found: Vec<usize> = (0..).zip(&rows).filter(|(_, (_, found))| *found).map(|(line, _)| line).collect();
            let (sizes, mut journey) = journey(route, &texts);
            let parties = journey.divide(found.clone(), &sizes);
            let is_job = sizes.are_worth_a_job(found.len());
            prop_assert!(!is_job || parties.len() <= 1);
            let mut gone = Vec::new();
            let mut room = None;
            for (terms, lines, runs) in parties {
                prop_assert_eq!(terms.way, if is_job { Way::Bulk } else { Way::Collection });
                prop_assert_eq!(lines.len(), runs.len());
                let bytes: usize = runs.iter().map(Run::size).sum();
                let last = runs.last().map_or(0, Run::size);
                prop_assert!(is_job || runs.len() <= sizes.rows && bytes - last < MOST_BYTES);
                prop_assert!(room.is_none_or(|room: bool| !room), "one that was not full is followed by another");
                room = Some(runs.len() < sizes.rows && bytes < MOST_BYTES);
                gone.extend(runs.into_iter().map(|run| run.first().tag));
            }
            prop_assert_eq!(&gone, &found);
            let stay: Vec<bool> = journey.runs.iter().map(Option::is_some).collect();
            prop_assert_eq!(stay, rows.iter().map(|(_, found)| !found).collect::<Vec<_>>());
        }
    }
}
