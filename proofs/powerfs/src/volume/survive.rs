//! What becomes durable, and what a cut leaves.

use super::{Ino, Inode, ROOT, Settle, Volume};
use crate::{
    Image, Loose,
    content::Content,
    image::Node,
    ledger::Entries,
    model::{Chance, Model},
};
use std::collections::BTreeSet;

impl Volume {
    pub(crate) fn settle(&mut self, settle: Settle) {
        match settle {
            Settle::Write { ino, seq } => {
                self.settle_journal(ino, seq);
                if let Some(content) = self.content(ino) {
                    content.settle_one(seq);
                }
            }
            Settle::File { ino, upto } => {
                self.settle_journal(ino, upto);
                if let Some(content) = self.content(ino) {
                    content.settle_all(upto);
                }
                self.settle_flags(ino);
            }
            Settle::Folder { ino, upto } => {
                self.settle_journal(ino, upto);
                self.strict.settle(|step| step.seq <= upto && step.touches(ino));
                self.settle_flags(ino);
            }
        }
    }

    /// It failed: the kernel will not try again by itself.
    pub(crate) fn strand(&mut self, settle: Settle) {
        let (ino, from, upto) = match settle {
            Settle::Write { ino, seq } => (ino, seq, seq),
            Settle::File { ino, upto } | Settle::Folder { ino, upto } => (ino, 0, upto),
        };
        if let Some(content) = self.content(ino) {
            content.strand(from, upto);
        }
    }

    pub(crate) fn live(&self) -> Image {
        let chance = Chance::new(0);
        let mut walk = Walk { volume: self, entries: self.live.clone(), model: None, chance, met: BTreeSet::new() };
        walk.node(ROOT).map_or_else(Image::default, |root| Image { root })
    }

    pub(crate) fn survive(&self, seed: u64, model: Model) -> Image {
        let mut chance = Chance::new(seed);
        let entries = match model {
            Model::Drop => self.journal.survive(None),
            Model::Keep | Model::Torn => self.journal.survive(Some(&mut chance)),
            Model::StrictFolder => self.strict.survive(None),
        };
        let mut walk = Walk { volume: self, entries, model: Some(model), chance, met: BTreeSet::new() };
        walk.node(ROOT).map_or_else(Image::default, |root| Image { root })
    }

    pub(crate) fn loose(&self) -> Loose {
        let contents = self.inodes.values().filter_map(|inode| inode.content.as_ref());
        Loose {
            writes: contents.map(Content::loose).sum(),
            steps: self.journal.loose(),
            strict_steps: self.strict.loose(),
            in_flight: 0,
        }
    }

    /// A journal is written in order: what comes before the newest step that concerns this inode goes with it.
    fn settle_journal(&mut self, ino: Ino, upto: u64) {
        if let Some(newest) = self.journal.newest(upto, |step| step.leads_to(ino) || step.touches(ino)) {
            self.journal.settle(|step| step.seq <= newest);
        }
    }

    fn settle_flags(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.durable_flags = inode.flags;
        }
    }

    fn content(&mut self, ino: Ino) -> Option<&mut Content> {
        self.inodes.get_mut(&ino)?.content.as_mut()
    }
}

struct Walk<'a> {
    volume: &'a Volume,
    entries: Entries,
    /// None for the live state.
    model: Option<Model>,
    chance: Chance,
    /// Moves of which only some survive can make a folder contain itself.
    met: BTreeSet<Ino>,
}

impl Walk<'_> {
    fn node(&mut self, ino: Ino) -> Option<Node> {
        let Inode { content, owner, flags, durable_flags, .. } = self.volume.inodes.get(&ino)?;
        let mode = owner.mode & 0o7777;
        let flags = if self.model.is_some() { *durable_flags } else { *flags };
        if let Some(content) = content {
            let bytes = match self.model {
                Some(model) => content.survive(model, &mut self.chance),
                None => content.live().to_vec(),
            };
            return Some(Node::File { bytes, mode, flags });
        }
        if !self.met.insert(ino) {
            return None;
        }
        let names: Vec<_> = self.entries.of(ino).map(|(name, ino)| (name.clone(), ino)).collect();
        let entries = names.into_iter().filter_map(|(name, ino)| Some((name, self.node(ino)?))).collect();
        Some(Node::Folder { entries, mode, flags })
    }
}
