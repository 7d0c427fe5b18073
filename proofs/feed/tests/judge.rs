//! The judge is judged: an honest history passes, each lie is caught.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure")]

use feed::{Line, judge};

const HONEST: &str = "open 1
want a
did a 7 1 1 0
ask
sees a 7 1 1 0
end p1
want a
did a 7 2 1 1
want a
told a 7 3 1 1
want a
kill
open 2
ask
sees a 7 3 2 2
end p2
want a
did a 7 3 2 3
want a
did a 8 1 2 0
ask
sees a 8 1 2 0
end p3
is a 8 1 2 0
anew a 8 1 2 0
done";

fn violations(text: &str) -> Vec<String> {
    let lines: Vec<Line> = text.lines().map(|line| line.parse().unwrap()).collect();
    for (line, text) in lines.iter().zip(text.lines()) {
        assert_eq!(line.to_string(), text);
    }
    judge(&lines).violations
}

/// The orphan that the second open ended explains version 3 of instance 2.
fn honest() -> String {
    HONEST.replace("open 2\n", "open 2\norphan a\n")
}

#[test]
fn an_honest_history_passes() {
    assert_eq!(violations(&honest()), Vec::<String>::new());
}

#[test]
fn each_lie_is_caught() {
    let lies = [
        // Nobody wrote it.
        ("orphan a\n", "", "invented"),
        ("sees a 8 1 2 0", "sees a 8 2 2 0", "invented"),
        // Not told at all.
        ("sees a 7 1 1 0\n", "", "missed"),
        ("sees a 8 1 2 0\n", "", "missed"),
        // Told in another order.
        ("sees a 7 3 2 2", "sees a 7 3 2 2\nsees a 7 2 1 1", "a status goes back"),
        ("sees a 8 1 2 0", "sees a 8 1 2 0\nsees a 7 1 1 0", "older life"),
        ("end p3", "at p3\nsees a 7 3 2 3\nend p4", "older life"),
        // Different from the records at last.
        ("is a 8 1 2 0", "isnot a", "the record is"),
        ("anew a 8 1 2 0\n", "", "a new reader knows None"),
        ("anew a 8 1 2 0", "anew a 8 1 2 0\nanew b 1 1 1 0", "nobody ever wrote"),
        ("\ndone", "", "not whole"),
    ];
    for (truth, lie, what) in lies {
        let text = honest();
        assert!(text.contains(truth), "{truth}");
        let found = violations(&text.replacen(truth, lie, 1));
        assert!(found.iter().any(|found| found.contains(what)), "{truth:?} as {lie:?}: {found:?}");
    }
}
