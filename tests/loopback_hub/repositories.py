"""What a Hub holds: repositories, their commits and refs, and the content of their files."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import PurePosixPath

KINDS = ("model", "dataset", "space")
SHARED_OWNER = "team"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


class HubError(Exception):
    """What a Hub answers in place of what was asked: an HTTP status and its own name for the error."""

    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class User:
    """Who asks. `None` is anyone."""

    name: str | None
    can_write: bool = True

    @classmethod
    def of(cls, authorization: str | None) -> "User":
        token = (authorization or "").removeprefix("Bearer ")
        name = token.removeprefix("hf_")
        return cls(name.removesuffix("_read") or None, not name.endswith("_read"))

    def owns(self, repository: str) -> bool:
        return self.name is not None and repository.split("/")[0] in (self.name, SHARED_OWNER)

    def check_writes(self, repository: str):
        if self.name is None:
            raise HubError(401, "Unauthorized")
        if not self.can_write or not self.owns(repository):
            raise HubError(403, f"You don't have the rights to write to {repository}")


@dataclass(frozen=True)
class File:
    """A file of a commit. `sha256` is that of its content where the content is stored apart (LFS)."""

    oid: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    message: str
    date: str
    files: dict[str, File]


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repository:
    kind: str
    name: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.branches["main"] = self.add_commit(None, {}, "initial commit", "").oid

    def add_commit(self, parent: str | None, files: dict[str, File], title: str, message: str) -> Commit:
        date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        oid = hashlib.sha1(repr((self.name, parent, sorted(files.items()), title, date)).encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, message, date, files)
        return self.commits[oid]

    def commit(self, revision: str) -> Commit:
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        refs = self.tags | self.branches | self.pulls
        oid = refs.get(revision) or refs.get(short) or revision
        if oid not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def history(self, revision: str) -> list[Commit]:
        commits = [self.commit(revision)]
        while commits[-1].parent:
            commits.append(self.commits[commits[-1].parent])
        return commits

    def entries(self, revision: str) -> dict[str, File | None]:
        """Every file and folder of a revision by its path; folders are `None`."""
        files = self.commit(revision).files
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
        return {**files, **dict.fromkeys(folders)}


class Store:
    """All repositories of a Hub, and the content of all files by its hash (git's, or SHA-256 of LFS)."""

    def __init__(self):
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.blobs: dict[str, bytes] = {}

    def put(self, data: bytes, lfs: bool = False) -> File:
        if not lfs:
            oid = git_oid(data)
            self.blobs[oid] = data
            return File(oid, len(data))
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs[sha256] = data
        return self.file_of_lfs(sha256)

    def file_of_lfs(self, sha256: str) -> File:
        if sha256 not in self.blobs:
            raise HubError(400, f"LFS object {sha256} was not uploaded")
        size = len(self.blobs[sha256])
        return File(git_oid(POINTER.format(sha256, size).encode()), size, sha256)

    def content(self, file: File) -> bytes:
        return self.blobs[file.sha256 or file.oid]

    def find(self, kind: str, name: str, user: User) -> Repository:
        repository = self.repositories.get((kind, name))
        if repository is None or (repository.private and not user.owns(name)):
            raise HubError(404 if user.name else 401, "Repository not found", "RepoNotFound")
        return repository

    def create(self, kind: str, name: str, private: bool) -> Repository:
        self.repositories[kind, name] = Repository(kind, name, private)
        return self.repositories[kind, name]
