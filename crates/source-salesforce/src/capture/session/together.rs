//! What several bindings ask of the org in one call, and what each makes of its part of the reply.

use std::mem;

use salesforce_client::{Class, Deleted, Error as Refusal, Page, composite::MOST_COLLECTIONS};
use tokio::time::Instant;

use super::Session;
use crate::{
    capture::{
        clock::{self, now},
        lane::Lane,
        output::Output,
        position::Read,
        reads::{self, FirstPage, PAGE},
        second::Second,
    },
    error::Error,
};

/// What a page takes of the room for pages: the first pages of several reads that go together take one each.
const WHOLE: usize = MOST_COLLECTIONS;

/// The room for pages on their way or in hand at a time, over all bindings: it bounds the memory of a session.
const ROOM: usize = 2 * WHOLE;

/// Rows asked for of each object in the first pages of several: together they make a page.
const FIRST: usize = PAGE / MOST_COLLECTIONS;

impl<O: Output> Session<O> {
    /// Begins the polls and sweeps that are due, and with them those that soon would be.
    pub(super) fn begin_sweeps(&mut self, now: Instant, slower: f64) {
        if !self.lanes.iter().any(|lane| lane.awaits_sweep() && lane.sweep_due(now) <= now) {
            return;
        }
        let mut asking = Vec::new();
        let lanes = self.lanes.iter_mut().enumerate();
        for (n, lane) in lanes.filter(|(_, lane)| lane.awaits_sweep() && lane.joins_sweep(now)) {
            lane.begin_sweep(now, slower);
            match lane.feed.is_replicateable {
                true => asking.push(n),
                false => lane.sweep(None),
            }
        }
        // Before the org's first answer our own clock serves: a first poll too is to cover no more than is visible.
        let time = self.org_time.unwrap_or_else(clock::ours);
        self.calls.extend(reads::covered(&self.org, &self.lanes, &asking, time));
    }

    /// Up to when the org's changes are visible: the sweeps go on.
    pub(super) fn take_covered(
        &mut self,
        lanes: Vec<usize>,
        result: Result<Vec<Result<Option<Second>, Refusal>>, Refusal>,
    ) -> Result<(), Error> {
        let covers = match result {
            Ok(covers) => covers,
            Err(error) => {
                lanes.iter().for_each(|n| self.lanes[*n].lost_time(now()));
                return self.refused(lanes[0], error);
            }
        };
        for (n, covers) in lanes.into_iter().zip(covers) {
            match covers {
                Ok(covers) => self.lanes[n].sweep(covers),
                Err(error) => {
                    self.lanes[n].lost_time(now());
                    self.refused(n, error)?;
                }
            }
        }
        Ok(())
    }

    /// Sends for the next pages, as far as there is room. A read that goes on has a call for a page of its own; those that begin go
    /// together, once there is room for as many as a call carries: most objects have few rows, and few that changed. Reads that go on
    /// take turns: a small object does not wait for the history of large ones.
    pub(super) fn send_pages(&mut self) {
        if self.pages + WHOLE > ROOM {
            return;
        }
        let mut first: Vec<(usize, Read)> = Vec::new();
        let (turn, all) = (self.turn, self.lanes.len());
        for n in (turn..all).chain(0..turn) {
            let lane = &mut self.lanes[n];
            if lane.goes_by_job() {
                continue;
            }
            let needs = if lane.machine.agenda().begins_read() && !lane.goes_alone() { 1 } else { WHOLE };
            if self.pages + needs > ROOM {
                continue;
            }
            let Some(read) = lane.next_page() else { continue };
            (lane.room, self.pages) = (needs, self.pages + needs);
            match needs {
                WHOLE => {
                    self.turn = (n + 1) % all;
                    self.calls.push(reads::page(&self.org, n, lane, &read));
                }
                _ => first.push((n, read)),
            }
        }
        for together in first.chunks(MOST_COLLECTIONS) {
            match together {
                // Nobody shares its room.
                [(n, read)] if self.pages + WHOLE - 1 <= ROOM => {
                    let lane = &mut self.lanes[*n];
                    (lane.room, self.pages) = (WHOLE, self.pages + WHOLE - 1);
                    self.calls.push(reads::page(&self.org, *n, lane, read));
                }
                several => self.calls.push(reads::first_pages(&self.org, &self.lanes, several, FIRST)),
            }
        }
    }

    /// The first pages of several lanes.
    pub(super) fn take_pages(
        &mut self,
        pages: Vec<FirstPage>,
        result: Result<Vec<Result<Page, Refusal>>, Refusal>,
    ) -> Result<(), Error> {
        let results = match result {
            Ok(results) => results,
            Err(error) => {
                for FirstPage { lane, .. } in &pages {
                    self.lanes[*lane].lost_page();
                    self.page_over(*lane);
                }
                if error.is_too_long() {
                    let lanes: Vec<_> = pages.iter().map(|page| page.lane).collect();
                    return self.too_long(&lanes, error);
                }
                return self.refused(pages[0].lane, error);
            }
        };
        for (FirstPage { lane, deleted }, result) in pages.into_iter().zip(results) {
            self.take_page(lane, deleted, FIRST, result)?;
        }
        Ok(())
    }

    /// A page of at most `most` rows.
    pub(super) fn take_page(
        &mut self,
        n: usize,
        deleted: bool,
        most: usize,
        result: Result<Page, Refusal>,
    ) -> Result<(), Error> {
        match result {
            Ok(page) => {
                self.hear(page.answered());
                self.lanes[n].take_page(page, deleted, most);
                Ok(())
            }
            Err(error) => {
                self.lanes[n].lost_page();
                self.page_over(n);
                self.refused(n, error)
            }
        }
    }

    /// What was asked for these lanes together is too long to be read: less is asked for, if that is possible.
    pub(super) fn too_long(&mut self, lanes: &[usize], error: Refusal) -> Result<(), Error> {
        let less = lanes.iter().filter(|n| self.lanes[**n].takes_less()).count();
        if less > 0 { Ok(()) } else { Err(error.into()) }
    }

    /// A lane has no page on its way or in hand any more.
    pub(super) fn page_over(&mut self, n: usize) {
        self.pages -= mem::take(&mut self.lanes[n].room);
    }

    /// Asks what was deleted, for the lanes that have come to the end of their reads. Others whose first pages are in hand soon will, and
    /// are waited for.
    pub(super) fn send_lists(&mut self) {
        let is_near = |lane: &Lane| lane.room == 1 && lane.has_page();
        if self.lanes.iter().any(is_near) {
            return;
        }
        let lanes = self.lanes.iter_mut().enumerate();
        let due: Vec<_> = lanes.filter_map(|(n, lane)| Some((n, lane.next_list(self.org_time)?))).collect();
        let now = self.org_time;
        self.calls.extend(now.into_iter().flat_map(|now| reads::deletions(&self.org, &self.lanes, &due, now)));
    }

    /// What was deleted of several lanes' objects since some time each.
    pub(super) async fn take_lists(
        &mut self,
        asked: Vec<(usize, Second)>,
        result: Result<Vec<Result<Deleted, Refusal>>, Refusal>,
    ) -> Result<(), Error> {
        let results = match result {
            Ok(results) => results,
            Err(error) => {
                asked.iter().for_each(|(n, from)| self.lanes[*n].lost_list(*from));
                return self.refused(asked[0].0, error);
            }
        };
        let lanes: Vec<_> = asked.iter().map(|(n, _)| *n).collect();
        for ((n, from), result) in asked.into_iter().zip(results) {
            match result {
                Err(error) if error.class() == Class::Wait => {
                    self.lanes[n].lost_list(from);
                    self.refused(n, error)?;
                }
                result => {
                    if self.lanes[n].take_list(from, result)? {
                        self.page_over(n);
                    }
                }
            }
        }
        self.commit(lanes).await
    }
}
