// Real clients, unmodified, against a running serve: `node clients.js http://127.0.0.1:PORT`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createHttpPoller } from "@azure/core-lro";
import { createDefaultHttpClient, createHttpHeaders, createPipelineRequest } from "@azure/core-rest-pipeline";
import { Client, GraphError, PageIterator } from "@microsoft/microsoft-graph-client";

const BASE = process.argv[2];

// @azure/core-lro's poller, with the requests that generated clients give it.
async function azure() {
  const http = createDefaultHttpClient();
  const send = async (method, url, body) => {
    const headers = createHttpHeaders({ accept: "application/json" });
    if (body) headers.set("content-type", "application/json");
    const request = createPipelineRequest({
      method, url, headers, body: body && JSON.stringify(body), allowInsecureConnection: true,
    });
    const response = await http.sendRequest(request);
    const read = response.bodyAsText ? JSON.parse(response.bodyAsText) : undefined;
    return {
      flatResponse: read,
      rawResponse: {
        statusCode: response.status, headers: response.headers.toJSON(), body: read,
        request: { method, url, body },
      },
    };
  };
  const begin = (fail) => createHttpPoller({
    sendInitialRequest: () => send("POST", `${BASE}/v1.0/exports`, { seconds: 1, fail }),
    sendPollRequest: (path) => send("GET", new URL(path, BASE).href),
  }, { intervalInMs: 100 });

  const poller = begin(false);
  const seen = new Set();
  poller.onProgress((state) => seen.add(state.status));
  const result = await poller.pollUntilDone();
  assert.equal(poller.operationState.status, "succeeded");
  assert(seen.has("running"), `it was ${[...seen]}`);
  assert.equal(result.status, "Succeeded");
  await assert.rejects(begin(true).pollUntilDone(), /asked to fail/);
  return 4;
}

// Microsoft Graph's own JavaScript client.
async function graph() {
  const client = Client.init({
    baseUrl: `${BASE}/`,
    defaultVersion: "v1.0",
    authProvider: (done) => done(null, "any"),
  });
  const made = await client.api("/operations").post({ type: "export", labels: { order: "1742" } });
  assert.equal(made.status, "NotStarted");
  const one = `/operations/${made.id}`;
  const running = await client.api(one).header("If-Match", made["@odata.etag"]).patch({ status: "Running" });
  assert.equal(running.status, "Running");
  const refused = async (call, status, code) => {
    const error = await call.then(() => assert.fail("not refused"), (error) => error);
    assert(error instanceof GraphError, error);
    assert.equal(error.statusCode, status);
    assert.equal(error.code, code);
    assert(error.requestId, "no request id");
  };
  const stale = client.api(one).header("If-Match", made["@odata.etag"]).patch({ percentageComplete: 5 });
  await refused(stale, 412, "preconditionFailed");
  // What was read is written back whole, with its annotations.
  const whole = { ...(await client.api(one).get()), status: "Completed", result: { rows: 3 } };
  assert.equal((await client.api(one).update(whole)).status, "Completed");
  await refused(client.api(one).patch({ status: "Running" }), 409, "conflict");
  const selected = await client.api(one).select(["id", "status"]).get();
  assert.deepEqual([selected.status, selected.type], ["Completed", undefined]);

  for (const _ of [1, 2, 3, 4]) await client.api("/operations").post({ type: "paged" });
  const listed = [];
  const first = await client.api("/operations").filter("type eq 'paged'").header("Prefer", "odata.maxpagesize=2").get();
  assert.equal(first.value.length, 2);
  // It takes no absolute link but https, as Graph's are: a link's path and query are what it would follow.
  const followed = { ...first, "@odata.nextLink": first["@odata.nextLink"].replace(`${BASE}/v1.0`, "") };
  await new PageIterator(client, followed, (operation) => listed.push(operation.id) > 0).iterate();
  assert.deepEqual([listed.length, new Set(listed).size], [4, 4]);

  await client.api(one).delete();
  await refused(client.api(one).get(), 404, "notFound");
  return 15;
}

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
for (const [name, run] of [["@azure/core-lro", azure], ["@microsoft/microsoft-graph-client", graph]]) {
  const began = performance.now();
  const checks = await run();
  console.log(`${name} ${dependencies[name]}: ${checks} checks, ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
