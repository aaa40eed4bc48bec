"""The push: Git LFS's objects, then branch and tag together or neither."""

from dataclasses import dataclass

from my_submission.errors import DemixError
from submitting.git import GitError, Repository
from submitting.submission import Submission


@dataclass(frozen=True)
class Push:
    """What a push sends.

    Attributes:
        repository: From where.
        remote: To which remote.
        branch: Its name, here and there.
        commit: What was checked and rehearsed.
        tag: Its name.
    """

    repository: Repository
    remote: str
    branch: str
    commit: str
    tag: str

    @property
    def tag_ref(self) -> str:
        """The tag's full name."""
        return f"refs/tags/{self.tag}"


def push(submission: Submission, branch: str, message: str) -> None:
    """Push a submission.

    Git LFS's objects go first: without them the commit is nothing, and they alone are harmless.
    Branch and tag go in one transaction. The tag gets its name in this repository only once the
    remote has it, so there is nothing to undo, whatever ends this.

    Args:
        submission: Checked and rehearsed.
        branch: That is checked out.
        message: The tag's.

    Raises:
        DemixError: The remote did not take it; the message says what it has, and how to go on.
    """
    what = Push(submission.repository, submission.remote, branch, submission.head, submission.tag)
    if what.repository.head() != what.commit or what.repository.branch() != branch:
        raise DemixError("another commit was checked out meanwhile: run the same command again")
    if submission.outgoing_pointers or any(file.pointer for file in submission.files):
        _push_objects(what)
    tag_object = _make_tag(what, message)
    is_ours = _push_refs(what, tag_object)
    try:
        if is_ours:
            what.repository.text("update-ref", what.tag_ref, tag_object, "")  # that it had none
        else:
            fetch_tag(submission)
    except GitError as error:
        raise DemixError(
            f"{what.tag} is submitted, but this repository did not take its name ({error}): "
            f"git fetch {what.remote} tag {what.tag}"
        ) from error


def is_submitted(submission: Submission) -> bool:
    """Tell whether the remote has the very tag at the very commit.

    Raises:
        GitError: It cannot be reached.
    """
    return submission.remote_refs.get(f"refs/tags/{submission.tag}") == submission.head


def fetch_tag(submission: Submission) -> None:
    """Take the tag from the remote, where an earlier run could not name it here any more.

    Raises:
        GitError: It cannot be fetched.
    """
    if submission.tag not in submission.repository.tags(submission.tag):
        ref = f"refs/tags/{submission.tag}"
        submission.repository.text(
            *("fetch", "--quiet", "--no-tags", "--"),
            *(submission.repository.push_address(submission.remote), f"{ref}:{ref}"),
        )


def _push_objects(what: Push) -> None:
    try:
        what.repository.text("lfs", "push", what.remote, what.branch)
    except GitError as error:
        raise DemixError(
            f"{what.remote} did not take the files of Git LFS ({error}); it has neither branch nor "
            "tag. See that Git LFS is switched on in that project and its address right (git lfs "
            "env), and run the same command again"
        ) from error


def _make_tag(what: Push, message: str) -> str:
    """Make an annotated tag that has no name here yet; give its hash."""
    tagger = what.repository.line("var", "GIT_COMMITTER_IDENT")
    text = f"object {what.commit}\ntype commit\ntag {what.tag}\ntagger {tagger}\n\n{message}"
    return what.repository.text("mktag", given=text).strip()


def _push_refs(what: Push, tag_object: str) -> bool:
    """Push both; tell whether it is certain that the remote's tag is this one."""
    refs = (f"{what.commit}:refs/heads/{what.branch}", f"{tag_object}:{what.tag_ref}")
    try:
        what.repository.text("push", "--atomic", what.remote, *refs)
    except GitError as error:
        # It may have taken it all the same, and only its answer was lost.
        if _remote_has_it(what):
            return False  # perhaps from a run elsewhere
        raise DemixError(
            f"{_explained(what, error)}; it has neither branch nor tag of this"
        ) from error
    return True


def _remote_has_it(what: Push) -> bool:
    try:
        return what.repository.refs_of(what.remote).get(what.tag_ref) == what.commit
    except GitError as error:
        raise DemixError(
            f"{what.remote} cannot be reached any more ({error}), so whether it has the tag is not "
            "known: run the same command again, which finds out"
        ) from error


def _explained(what: Push, error: GitError) -> str:
    lines = [line.strip() for line in error.output.splitlines()]
    said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    rejected = [line for line in lines if "rejected]" in line and "atomic" not in line]
    if any("fetch first" in line or "non-fast-forward" in line for line in rejected):
        return (
            f"{what.remote}'s {what.branch} has commits that yours lacks: git pull --rebase "
            f"{what.remote} {what.branch}, and run the same command again"
        )
    if any("already exists" in line for line in rejected):
        return (
            f"{what.remote} has another {what.tag}, and a tag is never moved: describe it otherwise"
        )
    if any("rejected]" in line for line in lines):
        why = " ".join(line for line in said if line) or " ".join(rejected)
        return (
            f"{what.remote} rejected the push: {why}. Change what it complains of, commit, and run "
            "the same command again"
        )
    return f"{error}: see to the connection, and run the same command again"
