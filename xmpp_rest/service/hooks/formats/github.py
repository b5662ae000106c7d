"""GitHub, Gitea and Forgejo (hooks §7.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.forge_event import ForgeEvent, commits, is_nothing, numbered, pushed, quoted, ran, shown_ref
from xmpp_rest.service.hooks.message_parts import items, scalar, string, table

RECOVERED = "recovered"
ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "synchronize": "synchronized", "ready_for_review": "marked as ready for review", "converted_to_draft": "made a draft of",
        "review_requested": "requested a review of", "review_request_removed": "no longer requests a review of",
        "auto_merge_enabled": "enabled auto-merge of", "auto_merge_disabled": "disabled auto-merge of",
        "label_updated": "changed the labels of", "label_cleared": "removed the labels of",
        "milestoned": "set the milestone of", "demilestoned": "removed the milestone of",
    }
)  # fmt: skip
"""Actions whose names cannot stand as a verb before what it was done to."""


def repository(value: dict[str, Any]) -> str:
    """owner/repo, or the organisation."""
    paths = (
        ("repository", "full_name"), ("repository", "name"), ("run", "repository", "full_name"), ("organization", "login"),
        ("organization", "username"),
    )  # fmt: skip
    return one_line(next((found for path in paths if (found := string(value, *path))), ""))


def who(value: dict[str, Any]) -> str:
    """Who did it."""
    paths = (("sender", "login"), ("sender", "username"), ("pusher", "login"), ("pusher", "name"), ("run", "trigger_user", "login"))
    return one_line(next((found for path in paths if (found := string(value, *path))), ""))


def home(value: dict[str, Any]) -> str:
    """The page of the repository."""
    return string(value, "repository", "html_url")


def push(value: dict[str, Any]) -> ForgeEvent:
    """Commits on a branch, or a tag."""
    kind, name = shown_ref(string(value, "ref"))
    made = value.get("created") is True or is_nothing(string(value, "before"))
    if value.get("deleted") is True or is_nothing(string(value, "after")):
        return ForgeEvent(f"deleted {kind} {name}", home(value))
    url = string(value, "compare") or string(value, "compare_url") or home(value)
    if kind == "tag":
        return ForgeEvent(f"{'created' if made else 'moved'} tag {name}", url)
    how = ", ".join(word for word, fits in (("created", made), ("forced", value.get("forced") is True)) if fits)
    return ForgeEvent(pushed(value, name, how), url, commits(value))


def made(word: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """A branch or a tag that was created or deleted."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        return ForgeEvent(f"{word} {string(value, 'ref_type') or 'branch'} {shown_ref(string(value, 'ref'))[1]}", home(value))

    return say


def release(value: dict[str, Any]) -> ForgeEvent:
    """A release."""
    found = table(value, "release")
    tag, name = one_line(string(found, "tag_name")), one_line(string(found, "name"))
    named = f"{tag} ({name})" if name and name != tag else tag
    return ForgeEvent(f"{_action(value)} release {named}", string(found, "html_url") or home(value))


def thing(member: str, noun: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """An issue, a pull request, a discussion."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, member)
        action = "merged" if found.get("merged") is True and string(value, "action") == "closed" else _action(value)
        return ForgeEvent(f"{action} {noun} {numbered('#', found)}", string(found, "html_url") or home(value))

    return say


def comment(value: dict[str, Any]) -> ForgeEvent:
    """A comment, on whatever it is."""
    found = table(value, "comment")
    did = {"edited": "edited a comment", "deleted": "deleted a comment"}.get(string(value, "action"), "commented")
    on = _commented(value) or f"commit {string(found, 'commit_id')[:7]}".rstrip()
    text = string(found, "body") or string(value, "review", "content") or string(value, "review", "body")
    return ForgeEvent(f"{did} on {on}", string(found, "html_url") or _page(value), quoted(text))


def review(state: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """A review of a pull request. `state`: what the event's name tells, "" where the review has it."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, "review")
        words = {"approved": "approved", "changes_requested": "requested changes on", "dismissed": "dismissed a review of"}
        did = words.get(state or string(found, "state").lower(), "reviewed")
        return ForgeEvent(
            f"{did} {_commented(value)}",
            string(found, "html_url") or _page(value),
            quoted(string(found, "body") or string(found, "content")),
        )

    return say


def run(member: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """A workflow, a job of it, a check."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, member)
        name = string(found, "name") or string(value, "workflow", "name") or string(found, "app", "name") or member.replace("_", " ")
        branch = string(found, "head_branch") or string(found, "check_suite", "head_branch")
        state = string(found, "conclusion") or string(found, "status")
        identity = scalar(found.get("id")) if member in ("workflow_run", "check_suite") else ""
        return ForgeEvent(
            ran(one_line(name), one_line(branch), state),
            string(found, "html_url") or _commit(value, string(found, "head_sha")),
            subject=f"{member} {identity}" if identity else "",
            state=state,
            ends=bool(string(found, "conclusion")),
        )

    return say


def status(value: dict[str, Any]) -> ForgeEvent:
    """The status of a commit."""
    branch = one_line(next((found for each in items(value.get("branches")) if (found := string(each, "name"))), ""))
    state, about = string(value, "state"), one_line(string(value, "description"))
    url = string(value, "target_url") or string(value, "commit", "html_url") or _commit(value, string(value, "sha"))
    subject = f"status {branch}" if branch else ""
    return ForgeEvent(
        ran(one_line(string(value, "context")) or "status", branch, state), url, (about,), subject, state, state not in ("", "pending")
    )


def action_run(value: dict[str, Any]) -> ForgeEvent:
    """A workflow of Forgejo: it tells of those that fail, and of those that succeed again."""
    found = table(value, "run")
    state = string(value, "action") or string(found, "status")
    name, title = one_line(string(found, "workflow_id")), one_line(string(found, "title"))
    what = ran(name or title or "workflow", one_line(string(found, "prettyref")), RECOVERED if state == "recover" else state)
    return ForgeEvent(what, string(found, "html_url"), (title,) if name else ())


def deployment_status(value: dict[str, Any]) -> ForgeEvent:
    """What has become of a deployment."""
    found = table(value, "deployment_status")
    where = string(found, "environment") or string(value, "deployment", "environment")
    url = next((page for name in ("environment_url", "log_url", "target_url") if (page := string(found, name))), "") or home(value)
    return ForgeEvent(ran(f"deployment to {one_line(where)}" if where else "deployment", "", string(found, "state")), url)


def other(event: str) -> Callable[[dict[str, Any]], ForgeEvent]:
    """Any other event: its name and action."""

    def say(value: dict[str, Any]) -> ForgeEvent:
        found = table(value, event) or table(value, "alert")
        action = one_line(string(value, "action").replace("_", " "), 60)
        what = ": ".join(part for part in (f"{event.replace('_', ' ')} {action}".strip(), numbered("#", found)) if part)
        return ForgeEvent(what, string(found, "html_url") or home(value))

    return say


def _action(value: dict[str, Any]) -> str:
    action = string(value, "action")
    return ACTIONS.get(action, one_line(action.replace("_", " "), 60))


def _commented(value: dict[str, Any]) -> str:
    """What a comment or a review is about."""
    for member, noun in (("pull_request", "pull request"), ("issue", "issue"), ("discussion", "discussion")):
        found = table(value, member)
        if found:
            is_pull = member == "issue" and ("pull_request" in found or value.get("is_pull") is True)
            return f"{'pull request' if is_pull else noun} {numbered('#', found)}"
    return ""


def _page(value: dict[str, Any]) -> str:
    pages = (string(value, member, "html_url") for member in ("pull_request", "issue", "discussion"))
    return next((page for page in pages if page), "") or home(value)


def _commit(value: dict[str, Any], sha: str) -> str:
    return f"{home(value)}/commit/{sha}" if sha and home(value) else home(value)


EVENTS: Mapping[str, Callable[[dict[str, Any]], ForgeEvent]] = MappingProxyType(
    {
        "push": push,
        "create": made("created"),
        "delete": made("deleted"),
        "release": release,
        "issues": thing("issue", "issue"),
        "pull_request": thing("pull_request", "pull request"),
        "discussion": thing("discussion", "discussion"),
        "issue_comment": comment,
        "commit_comment": comment,
        "discussion_comment": comment,
        "pull_request_review_comment": comment,
        "pull_request_comment": comment,
        "pull_request_review": review(""),
        "pull_request_approved": review("approved"),
        "pull_request_rejected": review("changes_requested"),
        "pull_request_review_approved": review("approved"),
        "pull_request_review_rejected": review("changes_requested"),
        "workflow_run": run("workflow_run"),
        "workflow_job": run("workflow_job"),
        "check_suite": run("check_suite"),
        "check_run": run("check_run"),
        "status": status,
        "deployment_status": deployment_status,
        **{f"action_run_{state}": action_run for state in ("failure", "recover", "success")},
        **{name: thing("issue", "issue") for name in ("issue_assign", "issue_label", "issue_milestone")},
        **{
            f"pull_request_{name}": thing("pull_request", "pull request")
            for name in ("assign", "label", "milestone", "sync", "review_request")
        },
    }
)
"""Events and what they say: GitHub's, and those that Gitea and Forgejo name in another way."""
