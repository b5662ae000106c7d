"""The commands that change nothing, so that any web page may make a browser call them. All others are taken to change something."""

from __future__ import annotations

READS = frozenset(
    (
        "announce_motd_get", "check_account", "check_password", "check_password_hash", "connected_users",
        "connected_users_info", "connected_users_number", "connected_users_vhost", "count_banned",
        "delete_old_mam_messages_status", "delete_old_messages_status", "get_archive_keep", "get_ban_details",
        "get_last", "get_loglevel", "get_mam_count", "get_offline_count", "get_presence", "get_room_affiliation",
        "get_room_affiliations", "get_room_history", "get_room_occupants", "get_room_occupants_number",
        "get_room_options", "get_roster", "get_roster_count", "get_subscribers", "get_user_rooms",
        "get_user_subscriptions", "get_vcard", "get_vcard2", "get_vcard2_multi", "incoming_s2s_number", "job_status", "list_banned",
        "list_cluster", "list_cluster_detailed", "muc_get_registered_nick", "muc_get_registered_nicks",
        "muc_online_rooms", "muc_online_rooms_by_regex", "muc_online_rooms_count", "num_resources",
        "outgoing_s2s_number", "private_get", "registered_users", "registered_vhosts", "resource_num",
        "rooms_empty_list", "rooms_unused_list", "srg_get_displayed", "srg_get_info", "srg_get_members", "srg_list",
        "stats", "stats_host", "status", "status_list", "status_list_host", "status_num", "status_num_host",
        "user_resources", "user_sessions_info",
    )
)  # fmt: skip
