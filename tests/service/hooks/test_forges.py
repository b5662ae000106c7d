"""GitHub, Gitea, Forgejo, GitLab (hooks §7.3, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.hooks.saying_cases import payload, say
from xmpp_rest.service.hooks.said import Kind, Said

BASE = {"repository": {"full_name": "capulet/verona", "html_url": "https://x.example/c/v"}, "sender": {"login": "juliet"}}
LAB = {"project": {"path_with_namespace": "capulet/verona", "web_url": "https://x.example/c/v"}, "user": {"username": "juliet"}}
ISSUE = {"number": 7, "title": "Noise", "html_url": "https://x.example/c/v/7"}
ZEROS = "0" * 40


def github(event: str, value: dict[str, Any], header: str = "X-GitHub-Event") -> Said:
    return say({**BASE, **value}, {header: event})


def test_pushes() -> None:
    assert say(payload("github-push"), {"X-GitHub-Event": "push"}).text == (
        "[capulet/verona] juliet pushed 2 commits to main (forced)\n"
        "2222222 Mend the balcony\n"
        "3333333 Add a rope\n"
        "https://github.com/capulet/verona/compare/111...222"
    )
    assert say(payload("gitea-push"), {"X-Gitea-Event": "push", "X-GitHub-Event": "push"}).text == (
        "[capulet/verona] juliet pushed 7 commits to main (created)\n"
        "28e1879 One\n2 Two\n3 Three\n4 Four\n5 Five\n"
        "https://git.example.net/capulet/verona/compare/main"
    )
    assert say(payload("gitlab-push"), {"X-Gitlab-Event": "Push Hook"}).text == (
        "[capulet/verona] juliet pushed 1 commit to main\n"
        "2222222 Mend\n"
        f"https://gitlab.example.net/capulet/verona/-/compare/{'1' * 40}...{'2' * 40}"
    )


@pytest.mark.parametrize(
    ("event", "value", "text"),
    [
        ("push", {"ref": "refs/heads/x/y", "deleted": True, "commits": []}, "juliet deleted branch x/y\nhttps://x.example/c/v"),
        ("push", {"ref": "refs/tags/v1", "created": True, "compare": "https://x.example/t"}, "juliet created tag v1\nhttps://x.example/t"),
        ("push", {"ref": "refs/heads/x", "before": "0" * 64, "after": "1" * 64, "commits": []}, "juliet created branch x\nhttps://x.example/c/v"),
        ("push", {"ref": "refs/heads/x", "before": "1" * 64, "after": "0" * 64, "commits": []}, "juliet deleted branch x\nhttps://x.example/c/v"),
        ("create", {"ref": "v1", "ref_type": "tag"}, "juliet created tag v1\nhttps://x.example/c/v"),
        ("delete", {"ref": "old", "ref_type": "branch"}, "juliet deleted branch old\nhttps://x.example/c/v"),
        ("release", {"action": "published", "release": {"tag_name": "v1", "name": "One", "html_url": "https://x.example/r"}}, "juliet published release v1 (One)\nhttps://x.example/r"),
        ("issues", {"action": "opened", "issue": ISSUE}, "juliet opened issue #7: Noise\nhttps://x.example/c/v/7"),
        ("pull_request", {"action": "closed", "pull_request": {**ISSUE, "merged": True}}, "juliet merged pull request #7: Noise\nhttps://x.example/c/v/7"),
        ("pull_request", {"action": "synchronize", "pull_request": ISSUE}, "juliet synchronized pull request #7: Noise\nhttps://x.example/c/v/7"),
        ("pull_request", {"action": "review_requested", "pull_request": ISSUE}, "juliet requested a review of pull request #7: Noise\nhttps://x.example/c/v/7"),
        ("issues", {"action": "label_updated", "issue": ISSUE}, "juliet changed the labels of issue #7: Noise\nhttps://x.example/c/v/7"),
        ("deployment_status", {"action": "created", "deployment_status": {"state": "success", "environment": "prod"}}, "juliet deployment to prod: success ✅\nhttps://x.example/c/v"),
        ("dependabot_alert", {"action": "created", "alert": {"number": 3, "html_url": "https://x.example/a"}}, "juliet dependabot alert created: #3\nhttps://x.example/a"),
        ("issue_comment", {"action": "created", "issue": ISSUE, "comment": {"body": "a\nb", "html_url": "https://x.example/7#1"}}, "juliet commented on issue #7: Noise\n> a\n> b\nhttps://x.example/7#1"),
        ("issue_comment", {"action": "edited", "issue": {**ISSUE, "pull_request": {}}, "comment": {"body": "a"}}, "juliet edited a comment on pull request #7: Noise\n> a\nhttps://x.example/c/v/7"),
        ("commit_comment", {"action": "created", "comment": {"body": "a", "commit_id": "1234567890"}}, "juliet commented on commit 1234567\n> a\nhttps://x.example/c/v"),
        ("check_suite", {"check_suite": {"id": 5, "app": {"name": "CI"}, "head_branch": "main", "conclusion": "success", "head_sha": "12"}}, "juliet CI on main: success ✅\nhttps://x.example/c/v/commit/12"),
        ("status", {"context": "ci/x", "state": "pending", "branches": [{"name": "main"}], "target_url": "https://ci.example/", "description": "started"}, "juliet ci/x on main: pending\nstarted\nhttps://ci.example/"),
        ("fork", {"forkee": {}}, "juliet fork\nhttps://x.example/c/v"),
        ("star", {"action": "created"}, "juliet star created\nhttps://x.example/c/v"),
        ("milestone", {"action": "opened", "milestone": {"number": 1, "title": "v2", "html_url": "https://x.example/m"}}, "juliet milestone opened: #1: v2\nhttps://x.example/m"),
    ],
)  # fmt: skip
def test_events(event: str, value: dict[str, Any], text: str) -> None:
    assert github(event, value).text == f"[capulet/verona] {text}"
    assert github(event, value, "X-Forgejo-Event").text == f"[capulet/verona] {text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"object_kind": "push", "ref": "refs/heads/x", "after": ZEROS}, "juliet deleted branch x\nhttps://x.example/c/v"),
        ({"object_kind": "push", "ref": "refs/heads/x", "after": "0" * 64}, "juliet deleted branch x\nhttps://x.example/c/v"),
        ({"object_kind": "push", "ref": "refs/heads/x", "before": ZEROS, "after": "1"}, "juliet created branch x\nhttps://x.example/c/v/-/commits/x"),
        ({"object_kind": "tag_push", "ref": "refs/tags/v1", "before": ZEROS}, "juliet created tag v1\nhttps://x.example/c/v/-/tags/v1"),
        ({"object_kind": "issue", "object_attributes": {"iid": 7, "title": "Noise", "action": "open", "url": "https://x.example/7"}}, "juliet opened issue #7: Noise\nhttps://x.example/7"),
        ({"object_kind": "merge_request", "object_attributes": {"iid": 8, "title": "Rope", "action": "merge", "url": "https://x.example/8"}}, "juliet merged merge request !8: Rope\nhttps://x.example/8"),
        ({"object_kind": "release", "action": "create", "tag": "v1", "name": "One", "url": "https://x.example/r"}, "juliet created release v1 (One)\nhttps://x.example/r"),
        ({"object_kind": "wiki_page", "object_attributes": {"title": "Home", "action": "update", "url": "https://x.example/w"}}, "juliet wiki page updated: Home\nhttps://x.example/w"),
        ({"object_kind": "deployment", "status": "success", "environment": "prod", "commit_title": "Mend"}, "juliet deployment to prod: success ✅\nMend\nhttps://x.example/c/v"),
    ],
)  # fmt: skip
def test_events_of_gitlab(value: dict[str, Any], text: str) -> None:
    assert say({**LAB, **value}, {"X-Gitlab-Event": "Some Hook"}).text == f"[capulet/verona] {text}"


def test_reviews_and_comments() -> None:
    assert say(payload("github-review"), {"X-GitHub-Event": "pull_request_review"}).text == (
        "[capulet/verona] nurse requested changes on pull request #8: Raise the balcony\n"
        "> Too high.\n> Try a rope.\n"
        "https://github.com/capulet/verona/pull/8#r1"
    )
    gitea = {"action": "reviewed", "pull_request": ISSUE, "review": {"type": "pull_request_review_approved", "content": "fine"}}
    assert "juliet approved pull request #7: Noise\n> fine\n" in github("pull_request_approved", gitea, "X-Gitea-Event").text
    assert say(payload("gitlab-note"), {"X-Gitlab-Event": "Note Hook"}).text == (
        "[capulet/verona] nurse commented on merge request !8: Raise the balcony\n"
        "> Too high\n"
        "https://gitlab.example.net/capulet/verona/-/merge_requests/8#note_1"
    )


def test_300_characters_of_a_comment_are_quoted() -> None:
    said = github("issue_comment", {"action": "created", "issue": ISSUE, "comment": {"body": "x" * 301}})
    assert f"\n> {'x' * 300}…\n" in said.text


def test_a_ping_says_nothing() -> None:
    for headers in ({"X-GitHub-Event": "ping"}, {"X-Gitea-Event": "ping"}):
        assert say({"zen": "Keep it logically awesome.", "hook_id": 1, **BASE}, headers).kind is Kind.PING


def test_matters() -> None:
    said = say(payload("github-workflow"), {"X-GitHub-Event": "workflow_run"})
    assert said.text.startswith("[capulet/verona] juliet CI on main: failure ❌\n")
    assert (said.key, said.state, said.ends) == ("capulet/verona workflow_run 42", "failure", True)
    said = github("workflow_run", {"workflow_run": {"id": 42, "status": "in_progress", "conclusion": None}})
    assert (said.key, said.state, said.ends) == ("capulet/verona workflow_run 42", "in_progress", False)
    said = github("status", {"state": "pending", "branches": [{"name": "main"}]})
    assert (said.key, said.state, said.ends) == ("capulet/verona status main", "pending", False)
    said = say(payload("gitlab-pipeline"), {"X-Gitlab-Event": "Pipeline Hook"})
    assert said.text == "[capulet/verona] juliet pipeline #31 on main: failed ❌\nhttps://gitlab.example.net/capulet/verona/-/pipelines/31"
    assert (said.key, said.state, said.ends) == ("capulet/verona pipeline 31", "failed", True)
    said = say(payload("gitlab-job"), {"X-Gitlab-Event": "Job Hook"})
    assert said.text == "[capulet/verona] juliet test/unit on main: success ✅\nhttps://gitlab.example.net/capulet/verona/-/jobs/1977"
    assert (said.key, said.state, said.ends) == ("capulet/verona job 1977", "success", True)


def test_workflows_of_forgejo() -> None:
    run = {
        "title": "Mend",
        "prettyref": "main",
        "html_url": "https://x.example/a/1",
        "trigger_user": {"login": "juliet"},
        "repository": {"full_name": "capulet/verona"},
    }
    said = say({"action": "failure", "run": run, "prior_status": "success"}, {"X-Forgejo-Event": "action_run_failure"})
    assert said.text == "[capulet/verona] juliet Mend on main: failure ❌\nhttps://x.example/a/1"
    said = say({"action": "recover", "run": {**run, "workflow_id": "test.yml"}}, {"X-Forgejo-Event": "action_run_recover"})
    assert said.text == "[capulet/verona] juliet test.yml on main: recovered ✅\nMend\nhttps://x.example/a/1"


def test_an_event_that_nobody_knows_is_said() -> None:
    assert say({"action": "x"}, {"X-GitHub-Event": "unheard_of"}).text == "unheard of x"
    assert say({"action": "x", "sender": {"login": "juliet"}}, {"X-Gitea-Event": "unheard_of"}).text == "juliet unheard of x"


@pytest.mark.parametrize("forge", ["github", "gitea", "forgejo", "gitlab"])
def test_what_no_forge_sends_is_said_as_it_is(forge: str) -> None:
    assert say({"text": "own"}, format=forge).text == "own"
    assert say("own", format=forge).text == "own"
