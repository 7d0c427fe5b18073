//! What clients ask: few operations, many askers, so that calls meet.

use std::collections::HashMap;

use fastrand::Rng;
use linear::operation::{Answer, Patch, Seen, Status, Text, Verb};

/// A client with what it remembers.
pub(crate) struct Client {
    rng: Rng,
    name: Text,
    /// The version each operation had when this client saw it last: later mostly stale.
    known: HashMap<Text, Text>,
}

impl Client {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ (number << 48));
        // Neighbouring seeds begin alike.
        rng.u64(..);
        Self { rng, name: format!("client-{number}").into(), known: HashMap::new() }
    }

    pub(crate) fn learn(&mut self, id: &Text, answer: &Answer) {
        if let Answer::Done(seen)
        | Answer::Conflict(Some(seen))
        | Answer::Lost(Some(seen))
        | Answer::Terminal(Some(seen))
        | Answer::Refused(Some(seen)) = answer
        {
            self.known.insert(id.clone(), Seen::clone(seen).version);
        }
    }

    pub(crate) fn pick<'a>(&mut self, ids: &'a [Text]) -> Option<&'a Text> {
        self.rng.choice(ids)
    }

    pub(crate) fn next(&mut self, id: &Text) -> Verb {
        let if_match = self.if_match(id);
        match self.rng.u8(..20) {
            0..=3 => Verb::Create {
                identity: Some(if self.rng.u8(..6) == 0 { "import" } else { "export" }.into()),
                running: self.rng.u8(..4) == 0,
            },
            4..=5 => Verb::Get,
            6..=8 => Verb::Start { holder: self.name.clone(), if_match },
            9..=11 => Verb::Patch(self.patch(if_match)),
            12..=13 => Verb::Complete { result: Some(self.mark()), holder: self.holder() },
            14..=15 => Verb::Fail { code: self.mark(), holder: self.holder() },
            16 => Verb::Cancel { if_match },
            _ => Verb::Delete { if_match: None },
        }
    }

    /// A text that only this call writes.
    fn mark(&mut self) -> Text {
        format!("{}-{}", self.name, self.rng.u16(..)).into()
    }

    fn holder(&mut self) -> Option<Text> {
        self.rng.bool().then(|| self.name.clone())
    }

    fn if_match(&mut self, id: &Text) -> Option<Text> {
        match self.rng.u8(..6) {
            0..=2 => self.known.get(id).cloned(),
            3 => Some("*".into()),
            _ => None,
        }
    }

    fn patch(&mut self, if_match: Option<Text>) -> Patch {
        let mut patch = Patch { if_match, ..Patch::default() };
        match self.rng.u8(..8) {
            0 => patch.status = Some(Status::Running),
            1 => (patch.status, patch.outcome) = (Some(Status::Completed), Some(self.mark())),
            2 => (patch.status, patch.outcome) = (Some(Status::Failed), Some(self.mark())),
            3 => patch.status = Some(Status::NotStarted),
            4 => patch.heartbeat = true,
            5 => patch.detail = Some(self.mark()),
            _ => patch.progress = Some(self.rng.u8(..=100)),
        }
        if self.rng.u8(..4) == 0 {
            patch.holder = Some(self.name.clone());
        }
        patch
    }
}
