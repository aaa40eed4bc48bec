"""A small submission in a repository, with a remote: Python's own modules are all it needs."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

NETWORK = np.random.default_rng(0).bytes(5_100_000)
"""The weights: above what the challenge takes outside of Git LFS."""

SETTINGS: dict[str, object] = {
    "challenge_id": "evaluations-api-music-demixing",
    "grader_id": "evaluations-api-music-demixing",
    "authors": ["somebody"],
    "description": "a test",
    "external_dataset_used": True,
}

SETTINGS_2023: dict[str, object] = {
    "challenge_id": "music-demixing-track-mdx-23",
    "authors": ["somebody"],
    "labelnoise": False,
    "bleeding": False,
    "external_dataset_used": True,
    "gpu": True,
    "description": "a test",
}

MANIFEST = f"""
[starter."net.onnx"]
bytes = {len(NETWORK)}
sha256 = "{hashlib.sha256(NETWORK).hexdigest()}"
licence = "MIT"

[leaderboard_a."bass.onnx"]
licence = "MIT"
by_hand = "example.org"
"""

SEPARATE = '''
"""Gives the mixture four times, each with another stretch left out, by Python's own modules."""

from pathlib import Path

STEMS = ("bass", "drums", "other", "vocals")


def separate(mixture, folder):
    network = Path(__file__).parents[1] / "models" / "starter" / "net.onnx"
    assert network.stat().st_size > 5_000_000, "these are no weights"
    folder.mkdir(parents=True, exist_ok=True)
    for number, stem in enumerate(STEMS, start=1):
        sound = bytearray(mixture.read_bytes())
        sound[1000 * number : 1000 * (number + 1)] = bytes(1000)
        (folder / f"{stem}.wav").write_bytes(sound)
'''

FILES = {
    ".gitattributes": "models/*/* filter=lfs diff=lfs merge=lfs -text\n",
    ".gitignore": "__pycache__/\nmodels/*/\n!models/starter/\nseparated/\n",
    "aicrowd.json": json.dumps(SETTINGS, indent=2),
    "apt.txt": "",
    "requirements.txt": "# nothing\n",
    "run.sh": "#!/bin/bash\nset -e\npython predict.py\n",
    "predict.py": """
import os
from pathlib import Path

from my_submission.separate import separate

print("limits", os.environ["INFERENCE_SETUP_TIMEOUT_SECONDS"], os.environ["AICROWD_IS_GRADING"])
songs, results = (Path(os.environ[f"{name}_DATASET_PATH"]) for name in ("TEST", "RESULTS"))
for song in songs.iterdir():
    separate(song / "mixture.wav", results / song.name)
""",
    "my_submission/__init__.py": "",
    "my_submission/user_config.py": """
import os

SYSTEM = os.environ.get("DEMIX_SYSTEM") or "starter"
""",
    "my_submission/separate.py": SEPARATE,
    "my_submission/aicrowd_wrapper.py": """
import os
from pathlib import Path

from my_submission.separate import separate


class AIcrowdWrapper:
    def separate_music_file(self, name):
        songs = Path(os.environ["AICROWD_DATASET_DIR"])
        results = Path(os.environ["AICROWD_PUBLIC_SHARED_DIR"]) / "predictions"
        separate(songs / name / "mixture.wav", results / name)
        return True
""",
    "models/manifest.toml": MANIFEST,
}

CONFIGURATION = """
[user]
    name = A Participant
    email = participant@example.org
    useConfigOnly = true
[init]
    defaultBranch = main
[filter "lfs"]
    clean = git-lfs clean -- %f
    smudge = git-lfs smudge -- %f
    process = git-lfs filter-process
    required = true
[lfs]
    dialtimeout = 2
[lfs "transfer"]
    maxretries = 1
[protocol "file"]
    allow = always
"""


def require_git_lfs() -> None:
    """Skip without git and git-lfs, but fail in continuous integration."""
    if shutil.which("git") is None or shutil.which("git-lfs") is None:
        if os.environ.get("CI"):
            pytest.fail("no git-lfs: .ci/packages.txt names it")
        pytest.skip("git or git-lfs is not installed: apt-get install git-lfs")


class Tree:
    """The participant's repository and the challenge's.

    Attributes:
        root: The working tree.
        bare: The remote called aicrowd.
    """

    def __init__(self, folder: Path) -> None:
        self.root, self.bare = folder / "work tree", folder / "gitlab.git"

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git in the working tree, or in another folder."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def make(self) -> None:
        """Make both, with everything committed and nothing pushed."""
        self.bare.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", folder=self.bare)
        self.root.mkdir()
        self.git("init", "--quiet")
        for name, text in FILES.items():
            self.write(name, text)
        (self.root / "run.sh").chmod(0o755)
        weights = self.root / "models" / "starter"
        weights.mkdir()
        (weights / "net.onnx").write_bytes(NETWORK)
        self.commit("a submission")
        self.git("remote", "add", "aicrowd", str(self.bare))

    def copy_to(self, folder: Path) -> "Tree":
        """Give a copy of both."""
        shutil.copytree(self.root.parent, folder)
        tree = Tree(folder)
        tree.git("remote", "set-url", "aicrowd", str(tree.bare))
        return tree

    def write(self, name: str, contents: str | bytes) -> None:
        """Write a file of the working tree."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(contents, str):
            path.write_text(contents)
        else:
            path.write_bytes(contents)

    def commit(self, message: str = "a change") -> None:
        """Commit everything that is not ignored."""
        self.git("add", "--all", ".")
        self.git("commit", "--quiet", "--message", message)

    def change(self, name: str, contents: str | bytes) -> None:
        """Write a file and commit it."""
        self.write(name, contents)
        self.commit(name)

    def settings(self, found: Mapping[str, object] = SETTINGS, **changed: object) -> None:
        """Commit an ``aicrowd.json`` with other entries; None leaves one out."""
        document = {**found, **changed}
        kept = {key: value for key, value in document.items() if value is not None}
        self.change("aicrowd.json", json.dumps(kept))

    @property
    def head(self) -> str:
        """The commit."""
        return self.git("rev-parse", "HEAD")

    def remote_refs(self) -> dict[str, str]:
        """What the remote has, by name; of a tag its commit."""
        lines = self.git("ls-remote", str(self.bare)).splitlines()
        pairs = [line.split("\t") for line in lines]
        return {name.removesuffix("^{}"): digest for digest, name in pairs if name != "HEAD"}

    def hook(self, name: str, script: str, *, remote: bool = True) -> Path:
        """Write a hook of the remote, or of the working tree's repository."""
        path = (self.bare if remote else self.root / ".git") / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


def snapshot(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give mode, time and contents of everything in folders, git's own and links included.

    Of folders without the time: Git LFS makes and removes files in one that is for that.
    """
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            about = path.lstat()
            if path.is_symlink():
                contents = os.fsencode(path.readlink())
            else:
                contents = path.read_bytes() if path.is_file() else b""
            time = 0 if path.is_dir() else about.st_mtime_ns
            found[str(path)] = (about.st_mode, time, contents)
    return found
