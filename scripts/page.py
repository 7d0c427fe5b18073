"""The page of a serve in headless Chromium: `page.py SERVE [SCREENSHOTS]`. The last line counts the checks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from playwright.sync_api import expect, sync_playwright

SERVE = sys.argv[1]
SCREENSHOTS = sys.argv[2] if len(sys.argv) > 2 else None
SET = "/v1.0/operations"
checks = 0

PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg/onload=alert(1)>",
    "\"><script>alert(1)</script>", "'><script>alert(1)</script>", "\" onmouseover=\"alert(1)", "' onfocus='alert(1)' autofocus='",
    "</span><script>alert(1)</script>", "</button><img src=x onerror=alert(1)>", "</script><script>alert(1)</script>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>parent.alert(1)</script>'>", "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>", "<a href=javascript:alert(1)>x</a>", "<body onload=alert(1)>", "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>", "<select autofocus onfocus=alert(1)>", "<video src=x onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>", "<marquee onstart=alert(1)>", "<math><mi xlink:href='javascript:alert(1)'>", "<style>@import 'http://evil.test/x.css';</style>",
    "<link rel=stylesheet href=http://evil.test/x.css>", "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=http://evil.test/>", "<form action=javascript:alert(1)><button>x</button></form>", "<template><script>alert(1)</script></template>",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "#{alert(1)}", "<%= alert(1) %>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<svg><animate onbegin=alert(1) attributeName=x>",
    "<svg><script>alert(1)</script></svg>", "<x contenteditable onblur=alert(1)>lose focus</x>", "<img src='x' onerror='alert(1)' \u202e>",
    "\u2028alert(1)\u2029", "]]><script>alert(1)</script>",
]
assert len(PAYLOADS) == 50


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"failed: {what}")


class Serve:
    """A serve over a folder; ends with the block."""

    def __init__(self, *access, address="127.0.0.1:0", folder=None):
        self.folder = folder or tempfile.mkdtemp()
        command = [SERVE, "--addr", address, "--data", self.folder + "/jobs", *access]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        check(line.startswith("listening on http://"), line)
        self.url = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if text.startswith(b"{") else text

    def create(self, token=None, **members):
        return self.send("POST", SET, members, token)["id"]

    def patch(self, id, token=None, **members):
        return self.send("PATCH", f"{SET}/{id}", members, token)


class Opened:
    """A page with all that must not happen written down."""

    def __init__(self, browser, url, **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.wrong, self.asked = [], []
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation', "
            "(event) => violations.push(event.violatedDirective + ' ' + event.blockedURI));"
        )
        self.page.goto(url)

    def close(self, url):
        check(self.page.evaluate("violations") == [], self.page.evaluate("violations"))
        check(self.wrong == [], self.wrong)
        check([asked for asked in self.asked if not asked.startswith(url)] == [], "asks nobody else")
        self.context.close()


def payloads(browser):
    with Serve("--open") as serve:
        for n, payload in enumerate(PAYLOADS):
            visible = payload.replace("\u2028", "").replace("\u2029", "")
            id = serve.create(id=f"xss-{n}", type=visible[:60], labels={"payload": visible})
            serve.patch(id, status="Running", statusDetail=payload, resourceLocation=None)
            if n % 2:
                serve.patch(id, status="Failed", error={"code": "failed", "message": payload, "target": payload})
        for n, address in enumerate(["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "https://example.test/<b>"]):
            try:
                serve.patch(serve.create(id=f"link-{n}"), resourceLocation=address, status="Running")
            except urllib.error.HTTPError as refused:
                check(refused.code == 400, f"{address}: {refused}")
        opened = Opened(browser, serve.url)
        page = opened.page
        expect(page.locator("#state")).to_have_text("live")
        expect(page.locator("#failed button")).to_have_count(25)
        for n, payload in enumerate(PAYLOADS):
            page.locator(f'main button[data-id="xss-{n}"]').first.click()
            expect(page.locator("#name")).to_have_text(f"xss-{n}")
            members = page.evaluate("document.getElementById('members').textContent")
            check(payload in members, f"{payload!r} is not shown as it is: {members!r}")
            page.keyboard.press("Escape")
        page.locator("#query").fill("payload=" + PAYLOADS[1])
        page.keyboard.press("Enter")
        expect(page.locator("#found button")).to_have_count(1)
        for tag in ["img", "svg", "iframe", "object", "embed", "style", "base", "video", "audio", "template", "x"]:
            check(page.locator(f"body {tag}").count() == 0, f"a payload became <{tag}>")
        check(page.locator("script").count() == 1, "one script")
        check(page.locator("a").count() == page.locator("a[href^='https://']").count(), "http(s) links only")
        # Teeth: what the policy forbids would be seen here.
        page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/'}))")
        page.wait_for_function("violations.length > 0")
        page.evaluate("violations.length = 0")
        opened.asked = [asked for asked in opened.asked if ":9/" not in asked]
        opened.close(serve.url)


def live(browser):
    with Serve("--open") as serve:
        opened = Opened(browser, serve.url, viewport={"width": 1200, "height": 800})
        page = opened.page
        expect(page.locator("#state")).to_have_text("live")
        expect(page.locator("#running .none")).to_have_text("Nothing runs.")
        first = serve.create(type="export", labels={"order": "1742"})
        serve.patch(first, status="Running", percentageComplete=40, statusDetail="row 400")
        expect(page.locator("#running button")).to_contain_text("export " + first)
        expect(page.locator("#running progress")).to_have_attribute("value", "40")
        expect(page.locator("#counts tbody tr").first).to_have_text("export0100")
        # By keyboard alone: to the search, to a row, into it and out again.
        page.keyboard.press("/")
        check(page.evaluate("document.activeElement.id") == "query", "/ leads to the search")
        page.keyboard.type("order=1742")
        page.keyboard.press("Enter")
        expect(page.locator("#found button")).to_have_count(1)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#one")).to_be_visible()
        expect(page.locator("#history li")).to_have_count(3)
        serve.patch(first, percentageComplete=60)
        expect(page.locator("#history li")).to_have_count(4)
        page.keyboard.press("Escape")
        expect(page.locator("#one")).to_be_hidden()
        check(page.evaluate("document.activeElement.dataset.id") == first, "the focus comes back")
        serve.patch(first, status="Failed", error={"code": "noRows", "message": "nothing to export"})
        expect(page.locator("#failed button")).to_contain_text("noRows: nothing to export")
        expect(page.locator("#running .none")).to_be_visible()
        serve.send("DELETE", f"{SET}/{first}")
        expect(page.locator("#failed .none")).to_be_visible()
        # Real work, cancelled.
        serve.send("POST", "/v1.0/exports", {"seconds": 600})
        page.locator("#running button").click()
        page.locator("#cancel").click()
        expect(page.locator("#badge")).to_contain_text("Failed · cancelled")
        expect(page.locator("#cancel")).to_be_disabled()
        page.locator("#close").click()
        # The service goes and comes again.
        address = serve.url.removeprefix("http://")
        serve.process.terminate()
        serve.process.wait(20)
        expect(page.locator("#state")).to_contain_text("trying again")
        with Serve("--open", address=address, folder=serve.folder) as again:
            expect(page.locator("#state")).to_have_text("live", timeout=30_000)
            second = again.create(type="import")
            again.patch(second, status="Running")
            expect(page.locator("#running button")).to_contain_text(second)
            opened.close(serve.url)


def permissions(browser):
    with Serve("--token", "READ:reader", "--token", "MANAGE:manager") as serve:
        id = serve.create("manager", type="export")
        serve.patch(id, "manager", status="Running")
        opened = Opened(browser, serve.url)
        page = opened.page
        expect(page.locator("#entry")).to_be_visible()
        for token, may in [("wrong", None), ("reader", False), ("manager", True)]:
            page.locator("#token").fill(token)
            page.keyboard.press("Enter")
            if may is None:
                expect(page.locator("#state")).to_have_text("not signed in")
                continue
            expect(page.locator("#state")).to_have_text("live")
            page.locator("#running button").click()
            page.locator("#cancel").click()
            told = "It has been asked to end." if may else "You may not cancel operations."
            expect(page.locator("#told")).to_have_text(told)
            check(token not in page.content() and token not in page.url, "the token is shown nowhere")
            page.evaluate("sessionStorage.clear()")
            if not may:
                page.reload()
                expect(page.locator("#entry")).to_be_visible()
        opened.close(serve.url)


def fill(serve):
    for n in range(9):
        id = serve.create(type=["export", "import", "hash"][n % 3], labels={"order": str(1742 + n)})
        serve.patch(id, status="Running", percentageComplete=[10, 35, 80][n % 3], statusDetail=f"row {n * 4000} of 40000")
        if n % 3 == 1:
            message = ["the disk of the tenant is full", "no rows match the filter", "the upstream answered 503 for 10 minutes"][n // 3]
            serve.patch(id, status="Failed", error={"code": ["diskFull", "noRows", "upstream"][n // 3], "message": message})
        if n == 8:
            serve.patch(id, status="Completed", result={"rows": 40000})
    for n in range(30):
        serve.create(type="export", labels={"order": str(n)})


def looks(browser):
    with Serve("--open") as serve:
        size = sum(len(urllib.request.urlopen(serve.url + path).read()) for path in ["/", "/page.js", "/page.css"])
        check(size <= 40 * 1024, f"{size} bytes")
        fill(serve)
        backs = set()
        for scheme in ["light", "dark"]:
            for name, width, height in [("wide", 1280, 720), ("narrow", 400, 860)]:
                opened = Opened(browser, serve.url, viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", timezone_id="UTC")
                page = opened.page
                expect(page.locator("#running button")).to_have_count(5)
                backs.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
                fits = "document.scrollingElement.scrollWidth <= innerWidth"
                check(page.evaluate(fits), f"{name}: it scrolls sideways")
                if SCREENSHOTS:
                    page.screenshot(path=f"{SCREENSHOTS}/page-{scheme}-{name}.png")
                page.locator("#failed button").first.click()
                expect(page.locator("#history li")).to_have_count(3)
                check(page.evaluate(fits), f"{name}: it scrolls sideways with one open")
                check(page.evaluate("byId('one').scrollWidth <= byId('one').clientWidth"), f"{name}: the dialog scrolls sideways")
                opened.close(serve.url)
        check(len(backs) == 2, "light and dark differ")


with sync_playwright() as playwright:
    # Root, as in a container of CI, gets no sandbox; it sees this machine's own pages alone.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
    expect.set_options(timeout=15_000)
    for part in [payloads, live, permissions, looks]:
        part(browser)
        print(f"{part.__name__}: well", flush=True)
    print(f"page: {checks} checks in Chromium {browser.version}, {len(PAYLOADS)} payloads, 0 dialogs, 0 violations")
    browser.close()
