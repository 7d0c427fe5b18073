"""Many event streams of a running serve: `watchers.py http://127.0.0.1:PORT COUNT`; its process is $SERVER.

A hundred of them never read. Every write must be answered and every reader must be told the end.
"""

import http.client
import json
import os
import resource
import selectors
import socket
import sys
import threading
import time

ADDRESS = sys.argv[1].removeprefix("http://")
COUNT = int(sys.argv[2])
MUTE, OPERATIONS, WRITERS, ROUNDS = 100, 80, 8, 25
HOST, PORT = ADDRESS.rsplit(":", 1)


def call(connection, method, path, body=None):
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        raise SystemExit(f"failed: {method} {path}: {answer.status} {text}")
    return json.loads(text)


def resident():
    with open(f"/proc/{os.environ['SERVER']}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def stream(id):
    watcher = socket.create_connection((HOST, PORT))
    watcher.sendall(f"GET /v1.0/operations/{id}/events HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode())
    return watcher


def write(ids, slowest):
    connection = http.client.HTTPConnection(ADDRESS, timeout=60)
    for round in range(1, ROUNDS + 1):
        for id in ids:
            began = time.monotonic()
            call(connection, "PATCH", f"/v1.0/operations/{id}", {"percentageComplete": round, "statusDetail": "x" * 1000})
            slowest.append(time.monotonic() - began)


_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
control = http.client.HTTPConnection(ADDRESS, timeout=60)
ids = [call(control, "POST", "/v1.0/operations", {"type": "watched", "status": "Running"})["id"] for _ in range(OPERATIONS)]
before = resident()

readers = selectors.DefaultSelector()
mute = []
for number in range(COUNT):
    watcher = stream(ids[number % OPERATIONS])
    if number < MUTE:
        mute.append(watcher)
    else:
        head = b""
        while b"\n\n" not in head:
            head += watcher.recv(4096)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"failed: watcher {number}: {head}")
        watcher.setblocking(False)
        readers.register(watcher, selectors.EVENT_READ, bytearray())
open_at = resident()

# Readers are drained beside the writers until each has its end, or nothing has come for a minute.
ended, heard = 0, time.monotonic()
slowest = []
writers = [threading.Thread(target=write, args=(ids[n::WRITERS], slowest)) for n in range(WRITERS)]


def finish():
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    connection = http.client.HTTPConnection(ADDRESS, timeout=60)
    for id in ids:
        call(connection, "PATCH", f"/v1.0/operations/{id}", {"status": "Completed"})


finisher = threading.Thread(target=finish)
finisher.start()
peak = open_at
while ended < COUNT - MUTE:
    for key, _ in readers.select(timeout=1):
        chunk = key.fileobj.recv(65536)
        heard = time.monotonic()
        key.data.extend(chunk)
        if b'"status":"Completed"' in key.data:
            ended += 1
        elif chunk:
            del key.data[:-64]
            continue
        else:
            raise SystemExit("failed: a stream ended before its operation")
        readers.unregister(key.fileobj)
        key.fileobj.close()
    peak = max(peak, resident())
    if time.monotonic() - heard > 60:
        raise SystemExit(f"failed: {COUNT - MUTE - ended} readers were not told the end")
finisher.join()
if len(slowest) != OPERATIONS * ROUNDS:
    raise SystemExit(f"failed: {OPERATIONS * ROUNDS - len(slowest)} writes were not answered")
slowest.sort()
print(
    f"{COUNT} watchers, {MUTE} of them mute: {len(slowest)} writes answered, median {slowest[len(slowest) // 2] * 1000:.1f} ms, "
    f"slowest {slowest[-1] * 1000:.0f} ms; all {ended} readers told the end; "
    f"{(open_at - before) / COUNT:.0f} bytes a watcher, {(peak - before) / COUNT:.0f} at the most"
)
