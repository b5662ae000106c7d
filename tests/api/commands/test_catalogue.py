"""Functions match their declarations, and the catalogue has what the peer has."""

from __future__ import annotations

import inspect

import pytest

from tests.api.commands.conftest import Run
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.catalogue import load_catalogue
from xmpp_rest.api.commands.errors import CommandFailure
from xmpp_rest.api.commands.registry import Command, Implementation, Registry

OFFERS = registry().offers()
NOT_OFFERED = ["add_blocked_domain", "add_to_spam_filter_cache", "backup", "cleanup_expired_invite_tokens", "compile", "convert_to_scram", "convert_to_yaml", "create_rooms_file", "delete_invite_by_token", "delete_mnesia", "destroy_rooms_file", "drop_from_spam_filter_cache", "dump", "dump_config", "dump_table", "echo", "echo3", "evacuate_kindly", "expire_invite_by_token", "expire_invite_tokens", "expire_spam_filter_cache", "export2sql", "export_db", "export_db_abort", "export_db_ext", "export_db_status", "export_piefxis", "export_piefxis_host", "gc", "gen_html_doc_for_commands", "gen_markdown_doc_for_commands", "gen_markdown_doc_for_tags", "generate_invite", "generate_invite_with_username", "generate_reset_token", "get_blocked_domains", "get_cookie", "get_mam_messages", "get_master", "get_offline_messages", "get_spam_filter_cache", "halt", "help", "import_db", "import_db_abort", "import_db_status", "import_dir", "import_file", "import_piefxis", "import_prosody", "install_fallback", "join_cluster", "join_cluster_here", "leave_cluster", "list_certificates", "list_invites", "load", "man", "mnesia_change", "mnesia_change_nodename", "mnesia_info", "mnesia_info_ctl", "mnesia_list_tables", "mnesia_table_change_storage", "mnesia_table_clear", "mnesia_table_destroy", "mnesia_table_details", "mnesia_table_info", "module_check", "module_install", "module_uninstall", "module_upgrade", "modules_available", "modules_installed", "modules_update_specs", "print_sql_schema", "push_roster", "push_roster_all", "reload_spam_filter_files", "remove_blocked_domain", "request_certificate", "restart", "restart_kindly", "restart_module", "restore", "revoke_certificate", "set_master", "stop", "stop_kindly", "update", "update_list", "update_sql", "webadmin_host_last_activity", "webadmin_host_srg", "webadmin_host_srg_group", "webadmin_host_user_queue", "webadmin_muc", "webadmin_node_contrib", "webadmin_node_db", "webadmin_node_db_table", "webadmin_node_db_table_page"]  # tied to an Erlang node, its cluster, its database, certificates, modules, or files of the server


@pytest.mark.parametrize("offer", OFFERS, ids=lambda o: f"{o.definition.name}/v{o.definition.version}")
def test_a_function_takes_the_arguments_of_its_declaration(offer: Command) -> None:
    names = list(inspect.signature(inspect.unwrap(offer.run)).parameters)[1:]
    assert [n.rstrip("_") for n in names] == list(offer.definition.arg_names)


def test_the_catalogue_has_every_definition() -> None:
    definitions = load_catalogue()
    assert len(definitions) == 263
    assert len({(d.name, d.version) for d in definitions}) == 263
    assert {d.version for d in definitions} == {0, 1, 2, 3}


def test_every_other_definition_is_offered_in_each_version() -> None:
    offered = {(o.definition.name, o.definition.version) for o in OFFERS}
    assert offered == {(d.name, d.version) for d in load_catalogue() if d.name not in NOT_OFFERED}


def test_what_is_not_offered_says_so(run: Run) -> None:
    answers = {run(name) for name in NOT_OFFERED}
    assert answers == {(400, "unknown_command"), (400, "frontend_cannot_call_an_internal_command")}


def test_no_internal_command_is_offered() -> None:
    assert not [o.definition.name for o in OFFERS if o.definition.internal]


@pytest.mark.parametrize("bound", [Implementation("nothing", 0, print), Implementation("register", 1, print)])
def test_a_function_without_declaration_is_refused(bound: Implementation) -> None:
    with pytest.raises(ValueError, match=bound.name):
        Registry(load_catalogue(), [bound])


def test_two_functions_for_one_declaration_are_refused() -> None:
    with pytest.raises(ValueError, match="register"):
        Registry(load_catalogue(), [Implementation("register", 0, print), Implementation("register", 0, print)])


@pytest.mark.parametrize(("version", "found"), [(0, 0), (1, 1), (2, 1), (3, 1), (99, 1)])
def test_the_highest_definition_that_is_not_above_counts(version: int, found: int) -> None:
    assert registry().find("add_rosteritem", version).definition.version == found


def test_below_every_definition() -> None:
    with pytest.raises(CommandFailure) as e:
        registry().find("unban_account", 1)
    assert e.value.body == "unknown_command"
