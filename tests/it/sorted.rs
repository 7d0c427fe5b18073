//! The packed list that the embedded index is made of, beside a tree of the standard library.

use std::collections::BTreeSet;

#[path = "../../src/store/embedded/index/sorted.rs"]
mod list;

use list::Sorted;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn same(sorted: &Sorted<u64>, tree: &BTreeSet<u64>) {
    assert_eq!(sorted.len(), tree.len());
    assert_eq!(sorted.last(), tree.last().copied());
    assert!(sorted.from(sorted.find(|_| false)).eq(tree.iter().copied()));
    assert!(sorted.back_from(sorted.find(|_| true)).eq(tree.iter().rev().copied()));
}

#[test]
fn random_changes_leave_what_a_tree_holds() {
    let mut numbers = Numbers(7);
    // Few values collide often; many make hundreds of chunks.
    for (bound, changes) in [(40, 4_000), (3_000, 40_000), (1 << 30, 60_000)] {
        let (mut sorted, mut tree) = (Sorted::default(), BTreeSet::new());
        for change in 0..changes {
            // Grows at first, shrinks at last.
            let grows = numbers.below(changes) > change;
            let value = numbers.below(bound);
            let value = if grows { value } else { tree.range(value..).next().copied().unwrap_or(value) };
            if grows {
                if tree.insert(value) {
                    sorted.insert(value, |other| other < value);
                }
            } else {
                let removed = sorted.remove(|other| other < value, |other| other == value);
                assert_eq!(removed, tree.remove(&value));
            }
            let asked = numbers.below(bound);
            assert_eq!(sorted.get(|other| other < asked), tree.range(asked..).next().copied());
            if change % 1_000 == 0 {
                same(&sorted, &tree);
                let (after, before) = (sorted.find(|other| other <= asked), sorted.find(|other| other < asked));
                assert!(sorted.from(after).eq(tree.range(asked + 1..).copied()));
                assert!(sorted.back_from(before).eq(tree.range(..asked).rev().copied()));
            }
        }
        same(&sorted, &tree);
        sorted.retain(|value| value % 3 == 0);
        tree.retain(|value| value % 3 == 0);
        same(&sorted, &tree);
    }
}

#[test]
fn a_list_used_as_a_queue_keeps_no_empty_chunks() {
    let (mut sorted, mut tree) = (Sorted::default(), BTreeSet::new());
    for value in 0..20_000_u64 {
        sorted.insert(value, |other| other < value);
        tree.insert(value);
        if value >= 600 {
            assert!(sorted.remove(|other| other < value - 600, |other| other == value - 600));
            tree.remove(&(value - 600));
        }
    }
    same(&sorted, &tree);
    assert!(!sorted.remove(|other| other < 3, |other| other == 3), "it is gone");
}
