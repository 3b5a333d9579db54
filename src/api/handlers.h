/* The first steps of all endpoints. Each stands in the file of its noun; the rows that name them
 * are in api/routes.c. */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "io/task.h"

/* authentication.c */
task_fn authentication_lookup, authentication_request, authentication_verify,
	authentication_send_code, authentication_login_code, authentication_logout;
/* me.c, me_data.c */
task_fn me_get, me_update, me_sessions, me_session_destroy, me_sessions_destroy_others,
	me_punishments, me_subscription, me_chats, me_preferences_get, me_preferences_set,
	me_platform_link, me_platform_unlink, me_export, me_delete;
/* users.c */
task_fn user_get, user_profile, user_search;
/* moderation.c */
task_fn chats_kick, chats_ban, chats_unban, chats_mute, chats_unmute, chats_warn, chats_timeout,
	hard_mute, hard_unmute, room_kick_event, admin_users_warn, admin_users_timeout,
	admin_users_ban, admin_users_unban, admin_chats_kick;
/* notifications.c */
task_fn notifications_list, notifications_unread_count, notifications_read_one,
	notifications_read_each, admin_notifications_send, announcements_list,
	admin_announcements_create, admin_announcements_delete;
/* statistics.c */
task_fn statistics_users, statistics_bots, statistics_chats, statistics_app;
/* bots.c */
task_fn bots_list, bots_search, bot_get, bot_me, bot_me_update, bot_user;
/* admin_bots.c */
task_fn admin_bots_create, admin_bots_list, admin_bots_update, admin_bots_regenerate_key,
	admin_bots_reset_stats, admin_bots_delete;
/* chats.c, chats_change.c */
task_fn chats_directory, chats_list, chats_get, chats_create, chats_members, chats_activity,
	chats_status, chats_config, chats_delete, chats_leave;
/* invites.c */
task_fn invites_create, invites_list, invites_delete, resolve_get, resolve_join;
/* chats_admin.c */
task_fn admin_chats_list, admin_chats_get, admin_chats_create, admin_chats_update,
	admin_chats_delete, admin_chats_transfer;
/* admin_users.c */
task_fn admin_users_list, admin_users_get, admin_users_permission, admin_subscriptions_grant,
	admin_subscriptions_revoke, admin_subscriptions_active;
/* admin_audit.c */
task_fn admin_audit;
/* messages.c; the last is an event of sockets */
task_fn messages_send, messages_history, messages_delete, messages_delete_mine,
	messages_delete_last, messages_clear, message_send_event;
/* keys.c; the last two are events of sockets */
task_fn key_register, key_get, key_share_event, key_request_event;
/* room_join.c, rooms.c: events of sockets */
task_fn room_join, room_leave, room_typing, room_read;
/* match.c */
task_fn match_status_get, match_enqueue_begin, match_dequeue_begin, match_leave_begin, user_block,
	user_unblock, me_blocks;
/* operations.c */
task_fn operations_health, admin_health, operations_livez, operations_readyz, operations_metrics,
	operations_openapi, operations_docs, operations_version;
/* web.c */
task_fn web_page, web_config, web_asset;

#endif
