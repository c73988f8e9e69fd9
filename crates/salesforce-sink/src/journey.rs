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
        let mut terms = self.delivery.terms;
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
