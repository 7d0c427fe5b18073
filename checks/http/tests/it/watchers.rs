//! FAULTS 33 and 34 over sockets: many who watch, some who never read, and those who leave.

use std::collections::HashMap;
use std::time::Duration;

use longrun::http::Access;
use longrun::{NewOperation, Operation, Patch, Status};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};

use crate::events::Events;
use crate::support::{SET, Server, entity, request};

/// Watchers of whom each reads to the end, and those who never read.
const READERS: usize = 360;
const MUTE: usize = 40;
/// What a watcher may cost this process, which is its server and its client.
const BYTES: usize = 128 * 1024;

/// Both ends of every connection are this process's.
fn allow_descriptors(wanted: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), waiting).await.unwrap_or_else(|_| panic!("never {what}"));
}

/// A stream of events that is asked for and not read.
async fn mute(server: &Server, operation: &Operation) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // What the kernel takes in for who does not read is soon full.
    socket.set_recv_buffer_size(2048).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let host = server.address.to_string();
    let path = format!("{}/events", entity(operation));
    stream.write_all(&request("GET", &path, &[("Host", &host)], b"")).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_033_who_never_reads_costs_little_and_slows_nobody() {
    const WRITES: usize = 400;
    allow_descriptors(4 * (READERS + MUTE) as u64);
    let server = Server::new().await;
    let read = server.at(Status::Running).await;
    let unread = server.at(Status::Running).await;
    let before = resident();
    let mut silent = Vec::new();
    for _ in 0..MUTE {
        silent.push(mute(&server, &unread).await);
    }
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut events = Events::open(&server, &format!("{}/events", entity(&read)), None).await;
        readers.spawn(async move {
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event);
            }
            last.unwrap().data
        });
    }
    until("watched by all", || server.tracker.watchers() == READERS + MUTE).await;
    let detail = "x".repeat(1000);
    for n in 0..WRITES {
        let patch = Patch::new().progress(u8::try_from(n * 100 / WRITES).unwrap()).detail(format!("{n} {detail}"));
        server.tracker.patch(unread.id(), patch).await.unwrap();
    }
    for percent in 1..=20 {
        server.patch(&read, &format!(r#"{{"percentageComplete":{percent}}}"#)).await.is(200);
    }
    let bytes = resident().saturating_sub(before) / (READERS + MUTE);
    println!("{bytes} bytes for each of {} watchers", READERS + MUTE);
    assert!(bytes < BYTES, "{bytes} bytes a watcher");
    for operation in [&read, &unread] {
        server.patch(operation, r#"{"status":"Completed"}"#).await.is(200);
    }
    while let Some(last) = readers.join_next().await {
        assert_eq!(last.unwrap()["status"], "Completed");
    }
    // Who reads at last finds what the kernel had taken in, and then the newest: nothing was kept for it.
    let mut late = Events::of(silent.pop().unwrap());
    let (mut events, mut last) = (0, None);
    while let Some(event) = late.next().await {
        (events, last) = (events + 1, Some(event));
    }
    println!("{events} of {WRITES} events for who reads late");
    assert_eq!(last.unwrap().data["status"], "Completed");
    assert!(events < WRITES / 2, "{events} of {WRITES} were kept");
    drop(silent);
    until("free", || server.tracker.watchers() == 0).await;
}

/// Reads the feed of all to where everything has ended, and breaks off every few events.
async fn follow(server: &Server, every: usize, total: usize) -> Vec<(String, String, String)> {
    let (mut seen, mut ended, mut last) = (Vec::new(), 0, None::<String>);
    while ended < total {
        let mut events = Events::open(server, &format!("{SET}/events"), last.as_deref()).await;
        for _ in 0..every {
            let event = events.next().await.unwrap();
            let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
            ended += usize::from(["Completed", "Failed"].contains(&&*text("status")));
            seen.push((event.id.clone(), text("id"), text("@odata.etag")));
            last = Some(event.id);
            if ended == total {
                break;
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_033_a_feed_that_is_resumed_has_order_no_gap_and_nothing_twice() {
    const OPERATIONS: usize = 120;
    let server = Server::new().await;
    let writes = async {
        for n in 0..OPERATIONS {
            let operation = server.tracker.create(NewOperation::new("export")).await.unwrap();
            for percent in 0..3 {
                let patch = Patch::new().status(Status::Running).progress(percent);
                server.tracker.patch(operation.id(), patch).await.unwrap();
            }
            let end = if n % 2 == 0 { Status::Completed } else { Status::Failed };
            server.tracker.patch(operation.id(), Patch::new().status(end)).await.unwrap();
        }
    };
    let (seen, ()) = tokio::join!(
        async {
            tokio::join!(
                follow(&server, 1, OPERATIONS),
                follow(&server, 7, OPERATIONS),
                follow(&server, 50, OPERATIONS)
            )
        },
        writes
    );
    for seen in [seen.0, seen.1, seen.2] {
        let mut newest: HashMap<&str, u64> = HashMap::new();
        for (position, id, etag) in &seen {
            assert_eq!(seen.iter().filter(|(other, ..)| other == position).count(), 1, "{position} came twice");
            let number = etag.split('.').nth(1).unwrap().parse().unwrap();
            let earlier = newest.insert(id, number);
            assert!(earlier.is_none_or(|earlier| earlier < number), "{etag} after version {earlier:?}");
        }
        // Nobody missed an end: `follow` has counted them; each is of another operation, and the newest.
        assert_eq!(newest.len(), OPERATIONS);
        for (id, number) in newest {
            let record = server.tracker.get(&id.parse().unwrap()).await.unwrap();
            assert!(record.is_terminal());
            assert_eq!(record.etag().to_string().split('.').nth(1).unwrap().parse::<u64>().unwrap(), number);
        }
    }
}

// On one thread: a watch and its place go together.
#[tokio::test]
async fn fault_034_who_leaves_frees_the_place() {
    const PLACES: usize = 64;
    let server = Server::with(Access::open(), |graph| graph.watchers(PLACES, PLACES)).await;
    let operation = server.at(Status::Running).await;
    let host = server.address.to_string();
    let stream = request("GET", &format!("{}/events", entity(&operation)), &[("Host", &host)], b"");
    let poll = request("GET", &entity(&operation), &[("Host", &host), ("Prefer", "wait=60")], b"");
    for round in 0..30 {
        let mut open = Vec::new();
        for n in 0..PLACES {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(if n % 2 == 0 { &stream } else { &poll }).await.unwrap();
            if n % 2 == 0 {
                let mut head = [0; 12];
                socket.read_exact(&mut head).await.unwrap();
                assert_eq!(&head, b"HTTP/1.1 200", "round {round}, place {n}");
            }
            open.push(socket);
        }
        until("full", || server.tracker.watchers() == PLACES).await;
        server.get_with(&entity(&operation), &[("Prefer", "wait=60")]).await.refused(503, "throttledRequest");
        drop(open);
        until("free", || server.tracker.watchers() == 0).await;
    }
    assert_eq!(server.record(&operation).await, operation);
}
