//! The history as a doubly linked list of moments, from which a placed call is lifted in O(1) and
//! into which it is put back in O(1).

#![expect(
    clippy::indexing_slicing,
    reason = "links are made here only, and only to nodes that exist; a wrong one must stop the judge"
)]

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Call number so-and-so is made.
    Made(usize),
    /// Call number so-and-so has ended.
    Ended(usize),
}

/// A place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(usize);

const HEAD: usize = 0;

#[derive(Debug)]
struct Node {
    /// `None` for the head, which stands before the first moment and, the list being a ring, after
    /// the last.
    moment: Option<Moment>,
    before: usize,
    after: usize,
}

/// The list. Calls are numbered from 0.
#[derive(Debug)]
pub(crate) struct List {
    nodes: Vec<Node>,
    /// For each call the node at which it is made and, if it has one, the node of its end.
    ends: Vec<(usize, Option<usize>)>,
}

impl List {
    /// The list of calls given as (made, ended).
    pub(crate) fn new(spans: impl Iterator<Item = (u64, Option<u64>)>) -> Self {
        let mut moments = Vec::new();
        let mut ends = Vec::new();
        for (call, (made, ended)) in spans.enumerate() {
            // At one instant calls stand before ends: what touches counts as overlapping.
            moments.push((made, 0, Moment::Made(call)));
            if let Some(ended) = ended {
                moments.push((ended, 1, Moment::Ended(call)));
            }
            ends.push((HEAD, None));
        }
        moments.sort_by_key(|&(instant, kind, _)| (instant, kind));

        let count = moments.len();
        let mut nodes = vec![Node { moment: None, before: count, after: count.min(1) }];
        for (index, (_, _, moment)) in moments.into_iter().enumerate() {
            let place = index + 1;
            match moment {
                Moment::Made(call) => ends[call].0 = place,
                Moment::Ended(call) => ends[call].1 = Some(place),
            }
            let after = if place == count { HEAD } else { place + 1 };
            nodes.push(Node { moment: Some(moment), before: index, after });
        }
        Self { nodes, ends }
    }

    /// Before the first moment.
    pub(crate) const fn head() -> At {
        At(HEAD)
    }

    /// The moment after `at` that is still in the list, and its place; `None` at the end.
    pub(crate) fn next(&self, at: At) -> Option<(At, Moment)> {
        let after = self.nodes[at.0].after;
        self.nodes[after].moment.map(|moment| (At(after), moment))
    }

    /// Where a call is made.
    pub(crate) fn made(&self, call: usize) -> At {
        At(self.ends[call].0)
    }

    /// Takes both moments of a call out.
    pub(crate) fn lift(&mut self, call: usize) {
        let (made, ended) = self.ends[call];
        self.unlink(made);
        if let Some(ended) = ended {
            self.unlink(ended);
        }
    }

    /// Puts both moments back. Calls must be put back in the reverse order of their lifting: a lifted
    /// node keeps the neighbours that it had then.
    pub(crate) fn restore(&mut self, call: usize) {
        let (made, ended) = self.ends[call];
        if let Some(ended) = ended {
            self.relink(ended);
        }
        self.relink(made);
    }

    fn unlink(&mut self, place: usize) {
        let Node { before, after, .. } = self.nodes[place];
        self.nodes[before].after = after;
        self.nodes[after].before = before;
    }

    fn relink(&mut self, place: usize) {
        let Node { before, after, .. } = self.nodes[place];
        self.nodes[before].after = place;
        self.nodes[after].before = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(list: &List) -> Vec<Moment> {
        let mut at = List::head();
        let mut seen = Vec::new();
        while let Some((next, moment)) = list.next(at) {
            seen.push(moment);
            at = next;
        }
        seen
    }

    #[test]
    fn lifting_and_restoring_in_reverse_gives_the_same_list() {
        use Moment::{Ended, Made};
        let spans = [(1, Some(4)), (2, None), (3, Some(3)), (5, Some(9))];
        let mut list = List::new(spans.into_iter());
        let all = vec![Made(0), Made(1), Made(2), Ended(2), Ended(0), Made(3), Ended(3)];
        assert_eq!(shown(&list), all);

        list.lift(2);
        list.lift(0);
        assert_eq!(shown(&list), [Made(1), Made(3), Ended(3)]);
        list.lift(1);
        list.lift(3);
        assert_eq!(shown(&list), []);
        for call in [3, 1, 0, 2] {
            list.restore(call);
        }
        assert_eq!(shown(&list), all);
    }

    #[test]
    fn moments_that_touch_overlap() {
        let list = List::new([(1, Some(2)), (2, Some(3))].into_iter());
        let made = Moment::Made(1);
        assert_eq!(shown(&list).get(1), Some(&made));
    }
}
