"""Real clients, unmodified, against a running serve: `clients.py http://127.0.0.1:PORT NAME ..`."""

import asyncio
import sys
import threading
import time
from importlib.metadata import version

import requests

BASE = sys.argv[1].rstrip("/")
GRAPH = BASE + "/v1.0/operations"


def check(condition, what):
    if not condition:
        raise SystemExit(f"failed: {what}")


def create(**body):
    answer = requests.post(GRAPH, json=body, timeout=10)
    check(answer.status_code == 201, answer.text)
    return answer.json()["id"]


def patch(id, **body):
    answer = requests.patch(f"{GRAPH}/{id}", json=body, timeout=10)
    check(answer.status_code == 200, answer.text)


def later(seconds, call):
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def export(seconds, fail):
    answer = requests.post(BASE + "/v1.0/exports", json={"seconds": seconds, "fail": fail}, timeout=10)
    check(answer.status_code == 202, answer.text)
    return answer


def azure():
    """azure-core's LROPoller, from the 202 of a service to the end."""
    from azure.core import PipelineClient
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline.policies import RequestIdPolicy
    from azure.core.polling import LROPoller
    from azure.core.polling.base_polling import LROBasePolling
    from azure.core.rest import HttpRequest

    client = PipelineClient(base_url=BASE, policies=[RequestIdPolicy()])

    def begin(fail):
        request = HttpRequest("POST", BASE + "/v1.0/exports", json={"seconds": 1, "fail": fail})
        first = client._pipeline.run(request)  # as generated clients do
        read = lambda response: response.http_response.status_code
        return LROPoller(client, first, read, LROBasePolling(timeout=0.2))

    poller = begin(False)
    poller.wait(30)
    check(poller.done() and poller.status() == "Succeeded", poller.status())
    poller = begin(True)
    try:
        poller.result(30)
        check(False, "a failure was not raised")
    except HttpResponseError as error:
        check("asked to fail" in str(error), error)
    return 2


def office365():
    """Office365-REST-Python-Client's Operation, which is the page's own type."""
    from office365.common.operation import Operation
    from office365.graph_client import GraphClient
    from office365.runtime.paths.resource_path import ResourcePath

    # Its service root is Graph's own: requests are sent here instead, as a proxy would.
    def redirect(request):
        request.url = request.url.replace("https://graph.microsoft.com", BASE)

    client = GraphClient(token_callback=lambda: {"token_type": "Bearer", "access_token": "any"})
    client.pending_request().beforeExecute += redirect
    for end, error in (("Completed", None), ("Failed", {"code": "noRows", "message": "nothing to export"})):
        id = create(type="export", status="Running")
        operation = Operation(client, ResourcePath(id, ResourcePath("operations")))
        operation.get().execute_query()
        check(operation.status == "Running", operation.status)
        later(1, lambda: patch(id, status=end, **({"error": error} if error else {})))
        try:
            operation.wait(timeout=30)
            check(error is None and operation.status == "Completed", operation.status)
        except Exception as raised:
            check(error is not None and "nothing to export" in str(raised), repr(raised))
    return 4


def google():
    """google-api-core's operations client over REST."""
    from google.api_core.operations_v1 import AbstractOperationsClient
    from google.api_core.operations_v1.transports.rest import OperationsRestTransport
    from google.auth.credentials import AnonymousCredentials
    from google.protobuf import struct_pb2  # noqa: F401  what Any holds must be known

    transport = OperationsRestTransport(host=BASE, credentials=AnonymousCredentials())
    client = AbstractOperationsClient(transport=transport)
    id = create(type="export", status="Running")
    name = f"longrun/operations/{id}"
    check(not client.get_operation(name).done, "done too early")
    patch(id, status="Completed", result={"rows": 3})
    operation = client.get_operation(name)
    value = struct_pb2.Value()
    check(operation.done and operation.response.Unpack(value), operation)
    check(value.struct_value["rows"] == 3, value)
    listed = [found.name for found in client.list_operations("longrun", "")]
    check(name in listed, listed)
    other = create(type="export")
    client.cancel_operation(f"longrun/operations/{other}")
    check(client.get_operation(f"longrun/operations/{other}").error.code == 1, "not cancelled")
    client.delete_operation(name)
    check(requests.get(f"{GRAPH}/{id}", timeout=10).status_code == 404, "not deleted")
    return 6


async def msgraph_calls():
    from kiota_abstractions.authentication import AnonymousAuthenticationProvider
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.onenote_operation import OnenoteOperation
    from msgraph.generated.models.operation_status import OperationStatus

    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider())
    adapter.base_url = BASE + "/v1.0"
    operations = GraphServiceClient(request_adapter=adapter).me.onenote.operations
    made = await operations.post(OnenoteOperation())
    check(made.status == OperationStatus.NotStarted, made.status)
    one = operations.by_onenote_operation_id(made.id)
    # Read, modify, write the whole, as the SDK sends it: times cut to microseconds, annotations and all.
    for status in (OperationStatus.Running, OperationStatus.Completed):
        read = await one.get()
        read.status = status
        written = await one.patch(read)
        check(written.status == status, written.status)
        check((await one.get()).status == status, "the write is not read")
    try:
        read.status = OperationStatus.Running
        await one.patch(read)
        check(False, "an end was left")
    except ODataError as error:
        check(error.response_status_code == 409 and error.error.code == "conflict", error)
        check(error.error.inner_error.request_id is not None, "no request id")
    listed = await operations.get()
    check(made.id in [found.id for found in listed.value], "not listed")
    await one.delete()
    return 9


def msgraph():
    """msgraph-sdk on the one entity set that Graph's SDKs PATCH."""
    return asyncio.run(msgraph_calls())


def odata():
    """python-odata, which reads `$metadata` and addresses an entity as S('id')."""
    from odata import ODataService
    from odata.exceptions import ODataError

    service = ODataService(BASE + "/v1.0", reflect_entities=True, quiet_progress=True)
    operations = service.entities["operations"]
    statuses = service.types["microsoft.graph.operationStatus"]
    id = create(type="odata")

    def found(status):
        listed = service.query(operations).filter(operations.status == status).all()
        return [operation for operation in listed if operation.id == id]

    [operation] = found(statuses.NotStarted)
    for status in (statuses.Running, statuses.Completed):
        operation.status = status
        service.save(operation)
        check(operation.status == status, operation.status)
        check(len(found(status)) == 1, "not listed")
    operation.status = statuses.Running
    try:
        service.save(operation)
        check(False, "an end was left")
    except ODataError as error:
        check(error.status_code == "HTTP 409" and error.code == "conflict", error)
    service.delete(operation)
    check(requests.get(f"{GRAPH}/{id}", timeout=10).status_code == 404, "not deleted")
    return 7


CLIENTS = {
    "azure": ("azure-core", azure),
    "google": ("google-api-core", google),
    "msgraph": ("msgraph-sdk", msgraph),
    "odata": ("python-odata", odata),
    "office365": ("Office365-REST-Python-Client", office365),
}

if not sys.argv[2:]:
    raise SystemExit("no client is named")
for name in sys.argv[2:]:
    package, run = CLIENTS[name]
    began = time.monotonic()
    checks = run()
    print(f"{package} {version(package)}: {checks} checks, {time.monotonic() - began:.1f} s", flush=True)
