//! For each promise of a store's contract a store that breaks it, and it alone.

mod close;
mod counts;
mod durability;
mod feed;
pub mod flaw;
mod hints;
mod idle;
mod input;
mod made;
mod page;
mod swap;
mod unique;
mod verify;
mod visibility;

use flaw::Flaw;

/// One for each promise, in the suite's order.
pub fn flaws() -> Vec<&'static Flaw> {
    let themes: [&'static [Flaw]; 12] = [
        swap::FLAWS,
        unique::FLAWS,
        visibility::FLAWS,
        durability::FLAWS,
        page::FLAWS,
        counts::FLAWS,
        feed::FLAWS,
        idle::FLAWS,
        hints::FLAWS,
        verify::FLAWS,
        close::FLAWS,
        input::FLAWS,
    ];
    themes.into_iter().flatten().collect()
}
