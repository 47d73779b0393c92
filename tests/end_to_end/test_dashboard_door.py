"""The door of the dashboard, over HTTP: every route and method, logins, names, sites, sizes."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from urllib.parse import urlencode

import optuna
import optuna_dashboard
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact

from tests.conftest import command, environment
from tuner.service.door import add_user

PASSWORD = "a long enough password"
TOKEN = "0123456789abcdef" * 4
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")


class Client:
    """Sends what it is told to, like a script of an attacker, and remembers no cookie."""

    def __init__(self, port):
        self.port = port

    def __call__(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    @property
    def own(self):
        return {"Origin": f"http://127.0.0.1:{self.port}"}

    def log_in(self, name, password, **headers):
        return self(
            "POST", "/login", urlencode({"name": name, "password": password}),
            Content_Type="application/x-www-form-urlencoded", **{**self.own, **headers},
        )  # fmt: skip

    def session(self, name):
        status, headers, _ = self.log_in(name, PASSWORD)
        assert status == 303
        return {"Cookie": headers["Set-Cookie"].partition(";")[0]}


class Served:
    """One dashboard as a process."""

    def __init__(self, folder, *arguments, **extra):
        self.process = subprocess.Popen(
            command("dashboard", "--port", "0", *arguments), cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
            env=environment(PYTHONUNBUFFERED="1", **extra),
        )  # fmt: skip
        said = self.process.stdout.readline()
        self.client = Client(int(re.search(r":(\d+)/dashboard/", said)[1]))

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    (folder / "runs").mkdir()
    (folder / "files").mkdir()
    url = f"sqlite:///{folder / 'runs' / 'tuner.db'}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=url, study_name="评论", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    (folder / "page.html").write_text("<script>document.title='owned'</script>", "utf-8")
    (folder / "artifact").write_text(
        upload_artifact(
            artifact_store=FileSystemArtifactStore(folder / "files"),
            file_path=str(folder / "page.html"),
            study_or_trial=study,
        )
    )
    add_user(folder / "users", "ann", PASSWORD, "writer")
    add_user(folder / "users", "bob", PASSWORD, "reader")
    return folder


@pytest.fixture(scope="module")
def dashboard(folder):
    with Served(folder, "--users", "users", "--artifacts", "files",
                TUNER_DASHBOARD_TOKEN=TOKEN) as client:  # fmt: skip
        yield client


@pytest.fixture(scope="module")
def bob(dashboard):
    """The cookie of a reader."""
    return dashboard.session("bob")


@pytest.fixture(scope="module")
def open_dashboard(folder):
    with Served(folder) as client:
        yield client


def routes():
    """Every address that the installed dashboard knows, with numbers and names filled in."""
    app = optuna_dashboard.wsgi(optuna.storages.InMemoryStorage())
    rules = sorted({route.rule for route in app.routes})
    filled = {re.sub(r"<[^>]*:int>", "1", rule) for rule in rules}
    filled = {re.sub(r"<:re:[^>]*>", "/studies/1", rule) for rule in filled}
    filled = {re.sub(r"<[^>]*>", "abc-1", rule) for rule in filled}
    return sorted(filled)


ROUTES = routes()


def test_walk_knows_the_dashboards_routes():
    assert len(ROUTES) > 25
    assert {"/api/studies/1", "/api/trials/1/tell", "/dashboard/studies/1", "/csv/1"} <= {*ROUTES}
    assert not any("<" in route for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_and_no_method_is_open_without_a_login(dashboard, route):
    for method in METHODS:
        for headers in ({}, dashboard.own, {"Accept": "text/html"},
                        {"Authorization": "Bearer " + "x" * 64}, {"Cookie": "__Host-tuner=x"},
                        {"X-Forwarded-For": "127.0.0.1", "X-HTTP-Method-Override": "GET"},
                        {"Remote-User": "ann"}):  # fmt: skip
            status, answer, body = dashboard(method, route, **headers)
            assert status in (401, 403, 303), (method, headers, status)
            if status == 303:
                assert answer["Location"].startswith("/login")
            assert "评论".encode() not in body


@pytest.mark.parametrize("route", ROUTES)
def test_reader_writes_nowhere(dashboard, bob, route):
    for method in METHODS:
        status, _, _ = dashboard(method, route, "{}", Content_Type="application/json",
                                 **bob, **dashboard.own)  # fmt: skip
        assert (status == 403) == (method not in ("GET", "HEAD")), (method, status)


def test_writer_writes_from_the_dashboard_and_from_no_other_site(dashboard):
    ann = dashboard.session("ann")
    note = json.dumps({"body": "seen", "version": 1})

    def put(**headers):
        return dashboard("PUT", "/api/studies/1/note", note, Content_Type="application/json",
                         **ann, **headers)[0]  # fmt: skip

    assert put() == 403
    assert put(Origin="http://evil.example") == 403
    assert put(Origin=f"https://127.0.0.1:{dashboard.port}") == 403
    assert put(Origin=f"http://127.0.0.1:{dashboard.port + 1}") == 403
    assert put(Origin="null") == 403
    assert put(Sec_Fetch_Site="cross-site", **dashboard.own) == 403
    assert put(Sec_Fetch_Site="same-site", **dashboard.own) == 403
    assert put(**dashboard.own) == 204


def test_nobody_renames_a_study_whose_results_and_workers_go_by_its_name(dashboard):
    ann = dashboard.session("ann")

    status, _, body = dashboard(
        "POST", "/api/studies/1/rename", '{"study_name": "other"}',
        Content_Type="application/json", **ann, **dashboard.own,
    )  # fmt: skip

    assert status == 403
    assert b"a study cannot be renamed" in body
    _, _, listed = dashboard("GET", "/api/studies", **ann)
    names = [study["study_name"] for study in json.loads(listed)["study_summaries"]]
    assert names == ["评论"]


def test_login_sets_a_cookie_that_scripts_and_plain_http_do_not_see(dashboard):
    status, headers, _ = dashboard.log_in("bob", PASSWORD)

    name, *attributes = headers["Set-Cookie"].split("; ")
    assert status == 303
    assert headers["Location"] == "/dashboard/"
    assert name.startswith("__Host-tuner=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {*attributes}


@pytest.mark.parametrize(
    ("name", "password"), [("bob", "wrong"), ("nobody", PASSWORD), ("", ""), ("", PASSWORD)]
)
def test_wrong_login_is_refused_alike(dashboard, name, password):
    status, headers, body = dashboard.log_in(name, password)

    assert status == 401
    assert "Set-Cookie" not in headers
    assert b"Wrong name, password or token." in body


def test_login_from_another_site_is_refused(dashboard):
    assert dashboard.log_in("bob", PASSWORD, Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/dashboard/\\evil", "/api/studies",
               "/dashboard/\r\nSet-Cookie: a=b"]
)  # fmt: skip
def test_login_leads_to_no_other_site(dashboard, target):
    _, headers, _ = dashboard(
        "POST", "/login", urlencode({"name": "bob", "password": PASSWORD, "next": target}),
        Content_Type="application/x-www-form-urlencoded", **dashboard.own,
    )  # fmt: skip

    assert headers["Location"] == "/dashboard/"


def test_login_leads_back_to_the_page_that_was_asked_for(dashboard):
    _, headers, _ = dashboard("GET", "/dashboard/studies/1", Accept="text/html")
    assert headers["Location"] == "/login?next=/dashboard/studies/1"
    _, _, page = dashboard("GET", headers["Location"])
    assert b'name="next" value="/dashboard/studies/1"' in page


def test_name_in_the_login_page_is_escaped(dashboard):
    _, _, page = dashboard("GET", "/login?next=/dashboard/%22%3E%3Cscript%3E")

    assert b"<script" not in page


def test_logout_ends_the_session(dashboard):
    session = dashboard.session("bob")
    assert dashboard("GET", "/api/studies", **session)[0] == 200

    assert dashboard("GET", "/logout", **session)[0] == 403
    assert dashboard("POST", "/logout", **session, **dashboard.own)[0] == 303

    assert dashboard("GET", "/api/studies", **session)[0] == 401


@pytest.mark.parametrize(
    "other", ['seen={"a": "b"}', "a[0]=1; b=\"", "=; ;;", "tuner=x"]
)  # fmt: skip
def test_cookies_of_other_programs_on_this_host_lock_nobody_out(dashboard, bob, other):
    for cookies in (f"{other}; {bob['Cookie']}", f"{bob['Cookie']}; {other}"):
        assert dashboard("GET", "/api/studies", Cookie=cookies)[0] == 200


@pytest.mark.parametrize("path", ["/login", "/healthz", "/api/studies", "/dashboard/", "/none"])
def test_head_is_answered_without_a_body(dashboard, bob, path):
    for headers in ({}, bob, {"Accept": "text/html"}, {"Host": "evil.example"}):
        sent = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if "Host" not in headers:
            sent += "Host: localhost\r\n"
        with socket.create_connection(("127.0.0.1", dashboard.port), timeout=30) as connection:
            connection.sendall(f"HEAD {path} HTTP/1.1\r\n{sent}Connection: close\r\n\r\n".encode())
            with connection.makefile("rb") as file:
                answer = file.read()
        assert answer.startswith(b"HTTP/1.1 ")
        assert answer.endswith(b"\r\n\r\n")


def test_script_that_accepts_no_encoding_gets_files_of_the_page(dashboard, bob):
    # http.client says `Accept-Encoding: identity` unless it is left out.
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=30)
    connection.putrequest("GET", "/static/bundle.js", skip_accept_encoding=True)
    connection.putheader("Cookie", bob["Cookie"])
    connection.endheaders()
    response = connection.getresponse()

    assert (response.status, len(response.read()) > 10_000) == (200, True)
    connection.close()


def test_token_reads_and_never_writes(dashboard):
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    status, _, body = dashboard("GET", "/api/studies", **bearer)
    assert status == 200
    assert json.loads(body)["study_summaries"][0]["study_name"] == "评论"
    assert dashboard("DELETE", "/api/studies/1", **bearer)[0] == 403
    assert dashboard.log_in("", TOKEN)[0] == 303


def test_user_removed_from_the_file_is_out_at_once(folder, dashboard):
    add_user(folder / "users", "eve", PASSWORD, "reader")
    eve = dashboard.session("eve")
    assert dashboard("GET", "/api/studies", **eve)[0] == 200

    add_user(folder / "users", "eve", "another long password", "reader")

    assert dashboard("GET", "/api/studies", **eve)[0] == 401


def test_artifact_is_a_download_without_scripts(folder, dashboard, bob):
    artifact = (folder / "artifact").read_text()
    paths = (f"/artifacts/1/{artifact}", f"/artif%ffacts/1/{artifact}")

    status, headers, body = dashboard("GET", paths[0], **bob)
    assert (status, body) == (200, b"<script>document.title='owned'</script>")
    assert headers["Content-Disposition"] == "attachment"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    # Bottle drops bytes that are no UTF-8, and would serve this as the same file.
    assert dashboard("GET", paths[1], **bob)[0] == 403


def test_page_cannot_be_framed_or_cached_and_says_who_is_in(dashboard, bob):
    _, headers, body = dashboard("GET", "/dashboard/", **bob)

    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == len(body)
    assert "bob · reader".encode() in body


def test_large_requests_are_refused(dashboard, open_dashboard):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert dashboard("POST", "/login", "x" * 10_000, **form, **dashboard.own)[0] == 413
    # Announced only: it answers before the body has come, and hangs up on who sends on.
    announced = {"Content-Length": str(2**20 + 1)}
    assert open_dashboard("POST", "/api/studies", "x", **announced)[0] == 413
    assert dashboard("GET", "/api/studies", Cookie="x" * 40_000)[0] == 431


def test_health_is_told_to_everybody_and_nothing_else(dashboard):
    assert dashboard("GET", "/healthz", Host="10.1.2.3:8080")[::2] == (200, b"ok\n")
    assert dashboard("GET", "/healthz/../api/studies")[0] == 401


def test_many_wrong_logins_make_their_name_wait_and_let_colleagues_in(folder):
    with Served(folder, "--users", "users", TUNER_DASHBOARD_TOKEN=TOKEN) as client:
        answers = [client.log_in("ann", f"wrong {number}")[0] for number in range(10)]
        status, headers, _ = client.log_in("ann", PASSWORD)
        colleague = client.log_in("bob", PASSWORD)[0]
        token = client.log_in("", TOKEN)[0]

    assert answers == [401] * 10
    assert status == 429
    assert 0 < int(headers["Retry-After"]) <= 301
    assert (colleague, token) == (303, 303)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_loopback_answers_under_no_other_name(open_dashboard, host):
    # A page of evil.example whose name was pointed at 127.0.0.1 reads the studies otherwise.
    assert open_dashboard("GET", "/api/studies", Host=host)[0] == 403
    assert open_dashboard("GET", "/api/studies", Host="localhost:9")[0] == 200


def test_loopback_is_read_only_until_told(folder, open_dashboard):
    def create(client, **headers):
        body = json.dumps({"study_name": "new", "directions": ["minimize"]})
        return client("POST", "/api/studies", body, Content_Type="application/json", **headers)[0]

    assert create(open_dashboard, **open_dashboard.own) == 403
    with Served(folder, "--writable") as client:
        assert create(client, Origin="http://evil.example") == 403
        assert create(client, **client.own) == 201


def test_other_sites_do_not_read_through_the_browser(open_dashboard):
    fetch = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert open_dashboard("GET", "/api/studies", **fetch)[0] == 403
    assert open_dashboard("GET", "/dashboard/", **link)[0] == 200


def test_proxy_is_believed_only_where_it_was_named(folder):
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "dash.example",
            "X-Forwarded-For": "203.0.113.9"}  # fmt: skip
    options = ("--users", "users", "--allowed-host", "dash.example")

    with Served(folder, *options, "--behind-proxy", "127.0.0.1") as client:
        assert client("GET", "/login", **said)[0] == 200
        assert client("GET", "/login", **{**said, "X-Forwarded-Host": "evil.example"})[0] == 403
        assert client("GET", "/login", **{**said, "X-Forwarded-Proto": "http"})[0] == 403
        own = {**said, "Origin": "https://dash.example"}
        assert client.log_in("bob", PASSWORD, **own)[0] == 303
    with Served(folder, *options, "--behind-proxy", "10.0.0.7") as client:
        assert client("GET", "/login", **said)[0] == 403
        assert client("GET", "/login", Host="dash.example")[0] == 403


def test_forwarded_headers_of_a_visitor_are_dropped(dashboard):
    # Believed, they would say that the request came over TLS under this name.
    said = {"X-Forwarded-Host": "localhost", "Host": "evil.example"}

    assert dashboard("GET", "/login", **said)[0] == 403
