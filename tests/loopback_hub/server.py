"""The HTTP side of a Hub: endpoints that `huggingface_hub`, `transformers` and `datasets` call to push and to pull."""

import base64
import fnmatch
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urlsplit

from .faults import Cut, Fault, Slow, Status, WrongEtag
from .repositories import KINDS, SHARED_OWNER, File, HubError, Repository, Store, User

LFS_NAMES = (
    "*.safetensors *.bin *.pt *.pth *.parquet *.arrow *.npz *.npy *.zip *.tar *.gz *.mp3 *.ogg *.wav *.flac *.png "
    "*.jpg *.pickle *.pkl"
).split()
LFS_SIZE = 10 * 2**20
PAGE = 1000
READING = ("revision", "tree", "paths-info", "refs", "commits", "auth-check")
CARD_LETTERS = 20_000
"""What of a repository anyone may ask for who may read it."""


class LoopbackHub(ThreadingHTTPServer):
    """
    A Hub that lives as long as a `with` block.

    Attributes:
        store ([`Store`]): what it holds.
        faults (list of [`Fault`]): what is to go wrong.
        expired (`set[str]`): tokens that are no longer good.
        requests (list of `tuple[str, str, str | None]`): method, path and user of all requests so far.
    """

    daemon_threads = True

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        """Forgets everything."""
        self.store, self.expired = Store(), set[str]()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environ(self, user: str | None = None) -> dict[str, str]:
        """What a process needs in its environment to meet this Hub as `user`."""
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": f"hf_{user}" if user else "", "HF_HUB_DISABLE_XET": "1"}

    def files(self, name: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """Content of all files of a repository, by path; private ones too."""
        files = self.store.repositories[kind, name].commit(revision).files
        return {path: self.store.content(file) for path, file in files.items()}

    def put(self, name: str, files: dict[str, bytes], kind: str = "model", private: bool = False) -> str:
        """Commits files to main of a repository, made if missing, past the client. Returns the commit's hash."""
        repository = self.store.repositories.get((kind, name)) or self.store.create(kind, name, private)
        stored = {path: self.store.put(data, _is_lfs(path, data)) for path, data in files.items()}
        parent = repository.commit("main")
        repository.branches["main"] = repository.add_commit(parent.oid, parent.files | stored, "put", "").oid
        return repository.branches["main"]

    def is_private(self, name: str, kind: str = "model") -> bool:
        return self.store.repositories[kind, name].private

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that goes away, or is cut off, is no fault of the server."""


def _is_lfs(path: str, data: bytes, size: int | None = None) -> bool:
    large = (len(data) if size is None else size) > LFS_SIZE
    return large or b"\0" in data or any(fnmatch.fnmatch(path.split("/")[-1], name) for name in LFS_NAMES)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackHub

    def answer(self):
        self.body = self._read_body()
        self.fault: Fault | None = None
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.user = User.of(self.headers.get("Authorization"))
        try:
            with self.server.lock:
                self.server.requests.append((self.command, self.path, self.user.name))
                self._meet_fault()
                if (self.headers.get("Authorization") or "").removeprefix("Bearer ") in self.server.expired:
                    raise HubError(401, "Invalid credentials in Authorization header")
                self._route([part for part in url.path.split("/") if part])
        except HubError as error:
            code = {"X-Error-Code": error.code} if error.code else {}
            self._send_json({"error": str(error)}, error.status, {"X-Error-Message": str(error), **code})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        """Silence."""

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _meet_fault(self):
        self.fault = next((fault for fault in self.server.faults if fault.takes(self.command, self.path)), None)
        if isinstance(self.fault, Status):
            raise HubError(self.fault.status, self.fault.message)

    # Answers

    def _send_json(self, value, status: int = 200, headers: dict | None = None):
        self._send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, data: bytes, status: int = 200, headers: dict | None = None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(self.fault, Cut):
            self.wfile.write(data[: self.fault.after])
            self.close_connection = True
        elif isinstance(self.fault, Slow):
            self.fault.send(self.wfile.write, data)
        else:
            self.wfile.write(data)

    def _send_content(self, data: bytes, headers: dict):
        """The whole or, as a download that goes on asks for it, a part."""
        if isinstance(self.fault, WrongEtag):
            data = self.fault.content
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers}
        start, _, end = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
        if not start and not end:
            return self._send(data, 200, headers)
        first = int(start) if start else len(data) - int(end)
        last = min(int(end), len(data) - 1) if start and end else len(data) - 1
        self._send(data[first : last + 1], 206, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    # Routes

    def _route(self, parts: list[str]):
        if parts[:1] == ["lfs"]:
            return self._lfs_object(parts[1])
        if parts[:1] != ["api"]:
            return self._route_files(parts)
        if parts[1:] == ["whoami-v2"]:
            return self._who_am_i()
        if parts[1:] == ["validate-yaml"]:
            return self._send_json({"errors": [], "warnings": []})
        if parts[1] == "repos":
            return self._manage(parts[2], json.loads(self.body))
        kind = parts[1].removesuffix("s")
        if kind not in KINDS:
            raise self._not_served()
        if len(parts) == 2:
            return self._send_json([self._info(each, "main") for each in self._readable(kind)])
        repository = self.server.store.find(kind, "/".join(parts[2:4]), self.user)
        action, *rest = map(unquote, parts[4:] or ["revision", "main"])
        if action not in READING:
            self.user.check_writes(repository.name)
        answer = getattr(self, f"_api_{action.replace('-', '_')}", None)
        if answer is None:
            raise self._not_served()
        answer(repository, *rest)

    def _not_served(self) -> HubError:
        """As also `/api/agent-harnesses`, which the client does without."""
        return HubError(404, f"{self.command} {self.path} is not served here")

    def _route_files(self, parts: list[str]):
        kind = {"datasets": "dataset", "spaces": "space"}.get(parts[0] if parts else "", "model")
        parts = parts if kind == "model" else parts[1:]
        repository = self.server.store.find(kind, "/".join(parts[:2]).removesuffix(".git"), self.user)
        if parts[2:] == ["info", "lfs", "objects", "batch"]:
            self.user.check_writes(repository.name)
            return self._lfs_batch()
        if len(parts) > 4 and parts[2] in ("resolve", "raw"):
            return self._send_file(repository, unquote(parts[3]), unquote("/".join(parts[4:])))
        raise self._not_served()

    def _who_am_i(self):
        if self.user.name is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        token = {"displayName": "test", "role": "write" if self.user.can_write else "read"}
        who = {"type": "user", "name": self.user.name, "fullname": self.user.name, "orgs": [{"name": SHARED_OWNER}]}
        self._send_json({**who, "auth": {"type": "access_token", "accessToken": token}})

    # Repositories

    def _readable(self, kind: str) -> list[Repository]:
        everything = self.server.store.repositories.values()
        return [each for each in everything if each.kind == kind and (not each.private or self.user.owns(each.name))]

    def _manage(self, action: str, asked: dict):
        repositories, kind = self.server.store.repositories, asked.get("type") or "model"
        if action == "move":
            self.user.check_writes(asked["fromRepo"])
            repository = repositories.pop((kind, asked["fromRepo"]))
            repository.name = asked["toRepo"]
            repositories[kind, repository.name] = repository
            return self._send_json({})
        name = f"{asked.get('organization') or self.user.name}/{asked['name']}"
        self.user.check_writes(name)
        if action == "delete":
            self.server.store.find(kind, name, self.user)
            del repositories[kind, name]
            return self._send_json({})
        if (kind, name) in repositories:
            return self._send_json({"error": "You already created this repo", "url": self._url(kind, name)}, 409)
        self.server.store.create(kind, name, _wants_privacy(asked, False))
        self._send_json({"url": self._url(kind, name), "name": name, "id": name})

    def _base(self) -> str:
        return f"http://{self.headers['Host']}"

    def _url(self, kind: str, name: str) -> str:
        return f"{self._base()}/{'' if kind == 'model' else kind + 's/'}{name}"

    def _info(self, repository: Repository, revision: str) -> dict:
        commit = repository.commit(revision)
        siblings = [
            {"rfilename": path, **(_entry(path, file) if "blobs" in self.query else {})}
            for path, file in sorted(commit.files.items())
        ]
        card = self._card(commit.files)
        facts = {"gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": card.get("tags") or []}
        facts |= {name: card[name] for name in ("pipeline_tag", "library_name") if name in card}
        return {
            "_id": commit.oid[:24],
            "id": repository.name,
            "modelId": repository.name,
            "author": repository.name.split("/")[0],
            "sha": commit.oid,
            "private": repository.private,
            "cardData": card,
            "siblings": siblings,
            "lastModified": commit.date,
            "createdAt": commit.date,
            **facts,
        }

    def _card(self, files: dict[str, File]) -> dict:
        """What stands between the first two lines of dashes of README.md."""
        import yaml

        text = self.server.store.content(files["README.md"]).decode() if "README.md" in files else ""
        head = text.split("---")[1][:CARD_LETTERS] if text.startswith("---") else ""
        try:
            card = yaml.safe_load(head)
        except (yaml.YAMLError, RecursionError):
            return {}
        return card if isinstance(card, dict) else {}

    def _api_settings(self, repository: Repository):
        repository.private = _wants_privacy(json.loads(self.body), repository.private)
        self._send_json({"private": repository.private})

    def _api_auth_check(self, repository: Repository, *what: str):
        if what == ("write",):
            self.user.check_writes(repository.name)
        self._send_json({})

    def _api_revision(self, repository: Repository, revision: str = "main"):
        self._send_json(self._info(repository, revision))

    def _api_tree(self, repository: Repository, revision: str, *folder: str):
        entries, top = repository.entries(revision), "/".join(folder)
        if top and entries.get(top, True) is not None:
            raise HubError(404, f"{top} does not exist on {revision}", "EntryNotFound")
        below = [path for path in sorted(entries) if path.startswith(f"{top}/" if top else "")]
        if self.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            below = [path for path in below if str(PurePosixPath(path).parent) == (top or ".")]
        start = int(self.query.get("cursor", ["0"])[0])
        page, more = below[start : start + PAGE], {}
        if len(below) > start + PAGE:
            query = f"recursive={self.query.get('recursive', ['false'])[0]}&cursor={start + PAGE}"
            more = {"Link": f'<{self._base()}{urlsplit(self.path).path}?{query}>; rel="next"'}
        self._send_json([_entry(path, entries[path]) for path in page], headers=more)

    def _api_paths_info(self, repository: Repository, revision: str):
        is_json = "json" in (self.headers.get("Content-Type") or "")
        paths = json.loads(self.body)["paths"] if is_json else parse_qs(self.body.decode()).get("paths", [])
        entries = repository.entries(revision)
        self._send_json([_entry(path, entries[path]) for path in paths if path in entries])

    def _api_refs(self, repository: Repository):
        def listed(refs: dict[str, str], prefix: str) -> list[dict]:
            return [{"name": name, "ref": prefix + name, "targetCommit": oid} for name, oid in refs.items()]

        answer = {
            "branches": listed(repository.branches, "refs/heads/"),
            "tags": listed(repository.tags, "refs/tags/"),
        }
        pulls = {"pullRequests": listed(repository.pulls, "")} if "include_prs" in self.query else {}
        self._send_json({**answer, "converts": [], **pulls})

    def _api_commits(self, repository: Repository, revision: str):
        author = [{"user": self.user.name or "?"}]
        self._send_json(
            [
                {"id": each.oid, "title": each.title, "message": each.message, "authors": author, "date": each.date}
                for each in repository.history(revision)
            ]
        )

    def _api_branch(self, repository: Repository, *name: str):
        self._change_ref(repository, repository.branches, "/".join(name), "startingPoint")

    def _api_tag(self, repository: Repository, *name: str):
        """POST names the revision, and the tag in its body; DELETE the tag."""
        if self.command == "DELETE":
            return self._change_ref(repository, repository.tags, "/".join(name), "")
        tag = json.loads(self.body)["tag"]
        if tag in repository.tags:
            raise HubError(409, f"Tag reference exists already: {tag}")
        repository.tags[tag] = repository.commit("/".join(name)).oid
        self._send_json({})

    def _change_ref(self, repository: Repository, refs: dict[str, str], name: str, start: str):
        if self.command == "DELETE":
            if refs.pop(name, None) is None:
                raise HubError(404, f"Reference not found: {name}", "RevisionNotFound")
        elif name in refs:
            raise HubError(409, f"Reference already exists: {name}")
        else:
            refs[name] = repository.commit(json.loads(self.body or b"{}").get(start) or "main").oid
        self._send_json({})

    # Commits

    def _api_preupload(self, repository: Repository, *revision: str):
        there = repository.commit("/".join(revision)).files
        answers = []
        for file in json.loads(self.body)["files"]:
            sample = base64.b64decode(file.get("sample") or "")
            mode = "lfs" if _is_lfs(file["path"], sample, file["size"]) else "regular"
            known = there.get(file["path"])
            answers.append(
                {
                    "path": file["path"],
                    "uploadMode": mode,
                    "shouldIgnore": False,
                    "oid": known and (known.sha256 or known.oid),
                }
            )
        self._send_json({"files": answers})

    def _api_commit(self, repository: Repository, *revision: str):
        name = "/".join(revision)
        parent = repository.commit(name)
        files, header = dict(parent.files), {}
        for line in filter(bytes.strip, self.body.splitlines()):
            said = json.loads(line)
            if said["key"] == "header":
                header = said["value"]
            else:
                self._change(files, said["key"], said["value"])
        if header.get("parentCommit") not in (None, parent.oid):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        commit = repository.add_commit(parent.oid, files, header.get("summary", ""), header.get("description", ""))
        url = self._url(repository.kind, repository.name)
        answer = {
            "success": True,
            "commitOid": commit.oid,
            "commitUrl": f"{url}/commit/{commit.oid}",
            "hookOutput": "",
        }
        if self.query.get("create_pr") == ["1"]:
            repository.pulls[f"refs/pr/{len(repository.pulls) + 1}"] = commit.oid
            answer["pullRequestUrl"] = f"{url}/discussions/{len(repository.pulls)}"
        else:
            (repository.pulls if name in repository.pulls else repository.branches)[name] = commit.oid
        self._send_json(answer)

    def _change(self, files: dict[str, File], key: str, value: dict):
        path, store = value["path"], self.server.store
        if path.startswith("/") or ".." in path.split("/"):
            raise HubError(400, f"invalid path {path}")
        if key == "file":
            files[path] = store.put(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[path] = store.file_of_lfs(value["oid"])
        elif key == "deletedFile":
            files.pop(path, None)
        elif key == "deletedFolder":
            for each in [each for each in files if each.startswith(path.rstrip("/") + "/")]:
                del files[each]

    # Large files

    def _lfs_batch(self):
        def item(asked: dict) -> dict:
            upload = {"actions": {"upload": {"href": f"{self._base()}/lfs/{asked['oid']}", "header": {}}}}
            known = asked["oid"] in self.server.store.blobs
            return {"oid": asked["oid"], "size": asked["size"], **({} if known else upload)}

        objects = [item(asked) for asked in json.loads(self.body)["objects"]]
        headers = {"Content-Type": "application/vnd.git-lfs+json"}
        self._send_json({"transfer": "basic", "objects": objects}, headers=headers)

    def _lfs_object(self, oid: str):
        if self.command == "PUT":
            if isinstance(self.fault, Cut):
                self.close_connection = True
                return None
            if hashlib.sha256(self.body).hexdigest() != oid:
                raise HubError(400, "the content has another hash")
            self.server.store.put(self.body, lfs=True)
            return self._send(b"", headers={"ETag": f'"{oid}"'})
        if oid not in self.server.store.blobs:
            raise HubError(404, f"There is no LFS object {oid}")
        self._send_content(self.server.store.blobs[oid], {"ETag": f'"{oid}"'})

    def _send_file(self, repository: Repository, revision: str, path: str):
        commit = repository.commit(revision)
        headers = {"X-Repo-Commit": commit.oid}
        file = commit.files.get(path)
        if file is None:
            missing = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return self._send(b"Entry not found", 404, {**headers, **missing})
        if file.sha256:
            # Another host name, as that of the Hub's storage is: the client follows a HEAD to the same host, and would
            # then miss these headers.
            elsewhere = f"http://localhost:{self.server.server_port}/lfs/{file.sha256}"
            linked = {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size), "Location": elsewhere}
            return self._send(b"", 302, {**headers, **linked})
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(path.split('/')[-1])}"
        self._send_content(self.server.store.content(file), {**headers, "ETag": f'"{file.oid}"'})


def _entry(path: str, file: File | None) -> dict:
    if file is None:
        return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
    entry = {"type": "file", "path": path, "oid": file.oid, "blobId": file.oid, "size": file.size}
    lfs = {"oid": file.sha256, "sha256": file.sha256, "size": file.size, "pointerSize": 134}
    return {**entry, "lfs": lfs} if file.sha256 else entry


def _wants_privacy(asked: dict, otherwise: bool) -> bool:
    if "visibility" in asked:
        return asked["visibility"] == "private"
    return bool(asked.get("private", otherwise))
