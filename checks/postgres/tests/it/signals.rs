//! A test run that is interrupted leaves no server behind.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use longrun_checks_postgres::Server;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};

/// What the other test interrupts: says where its server is and waits to be ended.
#[test]
#[ignore = "ends only by a signal"]
fn a_process_with_a_server() {
    let server = Server::start();
    let folder = server.socket_folder();
    let pid = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    println!("\nserver {} {}", pid.lines().next().unwrap(), folder.display());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_server_ends_with_the_process_that_started_it_whatever_ends_that() {
    for signal in [Signal::INT, Signal::KILL] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::a_process_with_a_server", "--ignored", "--nocapture"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.find_map(|line| Some(line.unwrap().strip_prefix("server ")?.to_owned())).unwrap();
        let (pid, folder) = told.split_once(' ').unwrap();
        let postmaster = Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(test_kill_process(postmaster).is_ok());
        // As a terminal does: to everybody in the group.
        kill_process_group(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        while test_kill_process(postmaster).is_ok() || PathBuf::from(folder).exists() {
            std::thread::yield_now();
        }
    }
}
