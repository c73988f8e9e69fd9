//! The rhythm of one kind of occasion: a stretch that is let pass, then a strike or a few, and again.

use super::strike::{self, Strike};
use super::{Trouble, TroubleKind, kind};
use crate::draw::Draw;

/// The sequence of one kind of occasion.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    draw: Draw,
    /// Kinds that can strike here, with their weights.
    kinds: Vec<(TroubleKind, u64)>,
    /// Occasions so far.
    pub(super) seen: u64,
    /// Occasions still to be let pass.
    quiet: u64,
    /// Occasions then to be struck.
    burst: u64,
    /// Hours the clock may still jump.
    hours: u64,
}

impl Lane {
    pub(super) fn new(trouble: &Trouble, name: &str) -> Self {
        let weights = kind::possible(name).iter().map(|kind| (*kind, trouble.weight(*kind)));
        let possible =
            |kind: TroubleKind| trouble.reaches(name) && (kind != TroubleKind::ClockJump || trouble.hours > 0);
        let kinds = weights.filter(|(kind, weight)| *weight > 0 && possible(*kind)).collect();
        // FNV-1a: lanes differ, and a lane's sequence hangs on nothing but seed and name.
        let hash = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let salt = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
        let draw = Draw::new(trouble.seed ^ salt);
        let mut lane = Self { draw, kinds, seen: 0, quiet: 0, burst: 0, hours: trouble.hours };
        lane.rest(trouble);
        lane
    }

    /// The next occasion: what befalls it?
    pub(super) fn step(&mut self, trouble: &Trouble) -> Option<(TroubleKind, Strike)> {
        self.seen += 1;
        if self.quiet > 0 {
            self.quiet -= 1;
            return None;
        }
        let kind = self.kind()?;
        let strike = strike::of(kind, &mut self.draw, trouble, &mut self.hours);
        if kind == TroubleKind::ClockJump && self.hours == 0 {
            self.kinds.retain(|(kind, _)| *kind != TroubleKind::ClockJump);
        }
        self.burst -= 1;
        if self.burst == 0 {
            self.rest(trouble);
        }
        Some((kind, strike))
    }

    /// Occasions pass, at least one; how many are struck after them is settled too.
    fn rest(&mut self, trouble: &Trouble) {
        self.quiet = 1 + self.draw.below(2 * trouble.every - 1);
        self.burst = 1 + self.draw.below(trouble.in_a_row);
    }

    fn kind(&mut self) -> Option<TroubleKind> {
        let total: u64 = self.kinds.iter().map(|(_, weight)| weight).sum();
        let mut ticket = (total > 0).then(|| self.draw.below(total))?;
        for (kind, weight) in &self.kinds {
            if ticket < *weight {
                return Some(*kind);
            }
            ticket -= weight;
        }
        None
    }

    pub(super) fn is_silent(&self) -> bool {
        self.kinds.is_empty()
    }
}
