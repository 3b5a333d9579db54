-- Moderation: each act is one transaction of the rule's premises, its effect, and its records
-- (moderation_actions, chat_activity, audit_log). What rooms and caches have to hear is left in
-- room_changes, 'mute' for whoever may speak again or no longer (chat 0: everywhere).
ALTER TABLE room_changes DROP CONSTRAINT room_changes_reason_check;
ALTER TABLE room_changes ADD CONSTRAINT room_changes_reason_check
  CHECK (reason IN ('join', 'leave', 'kick', 'ban', 'mute', 'visibility', 'destroyed'));

-- What a moderator did to a person is over: shown as lifted.
CREATE FUNCTION moderation_lift(in_type text, in_actor bigint, in_user bigint, in_chat bigint) RETURNS void
LANGUAGE sql AS $$
  UPDATE moderation_actions a SET lifted_at = now(), lifted_by = in_actor
   WHERE a.user_id = in_user AND a.chat_id IS NOT DISTINCT FROM in_chat AND a.action_type = in_type
     AND a.lifted_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > now())
$$;

-- Ends a ban or a mute of a person; false: none held.
CREATE FUNCTION chat_unban(in_actor bigint, in_user bigint, in_chat bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  held boolean := chat_banned(in_chat, in_user);
BEGIN
  DELETE FROM chat_bans b WHERE b.chat_id = in_chat AND (b.user_id = in_user
     OR (b.platform, b.platform_user_id) IN (SELECT i.platform, i.platform_user_id FROM identities i
          WHERE i.user_id = in_user));
  PERFORM moderation_lift('CHAT_BAN', in_actor, in_user, in_chat);
  RETURN held;
END
$$;
CREATE FUNCTION mute_end(in_actor bigint, in_user bigint, in_chat bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  held boolean;
BEGIN
  WITH over AS (DELETE FROM chat_mutes m WHERE m.chat_id = in_chat AND m.user_id = in_user RETURNING m.expires_at),
  everywhere AS (DELETE FROM hard_mutes h WHERE in_chat IS NULL AND h.user_id = in_user RETURNING h.expires_at)
  SELECT coalesce(bool_or(o.expires_at IS NULL OR o.expires_at > now()), false) INTO held
    FROM (SELECT * FROM over UNION ALL SELECT * FROM everywhere) o;
  PERFORM moderation_lift('CHAT_MUTE', in_actor, in_user, in_chat);
  RETURN held;
END
$$;

-- One act on a person by another. in_chat null: everywhere. The levels of actor, target and owner,
-- the owner and the visibility are those that permission was decided upon. until: when it ends
-- (null: for ever, or nothing that ends). gone: as sessions_end() returns it. outcome: 'ok', 'is'
-- (nothing to lift), 'again' (what was decided upon no longer holds), 'unknown' (no such person).
CREATE FUNCTION moderate(in_what text, in_actor bigint, in_actor_level bigint, in_user bigint,
  in_user_level bigint, in_chat bigint, in_owner bigint, in_owner_level bigint, in_visibility text,
  in_seconds bigint, in_reason text, OUT outcome text, OUT until timestamptz, OUT gone text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  scope text := CASE WHEN in_what IN ('warn', 'timeout', 'hard_mute', 'hard_unmute') THEN 'platform.' ELSE 'chat.' END;
  done boolean := true;
BEGIN
  -- The account of the target is changed by a timeout; never by taking a stronger lock later.
  IF in_what = 'timeout' THEN
    PERFORM FROM users u WHERE u.id IN (in_actor, in_user) ORDER BY u.id FOR NO KEY UPDATE;
  ELSE
    PERFORM FROM users u WHERE u.id IN (in_actor, in_user) ORDER BY u.id FOR KEY SHARE;
  END IF;
  IF NOT EXISTS (SELECT FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL) THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF in_chat IS NOT NULL THEN
    PERFORM FROM chats c WHERE c.id = in_chat AND c.visibility = in_visibility
       AND c.owner_id IS NOT DISTINCT FROM in_owner FOR NO KEY UPDATE;
    done := FOUND;
  END IF;
  IF NOT done OR EXISTS (
       SELECT FROM (VALUES (in_actor, in_actor_level), (in_user, in_user_level), (in_owner, in_owner_level)) p (id, level)
         LEFT JOIN users u ON u.id = p.id WHERE p.id IS NOT NULL AND u.permission_level IS DISTINCT FROM p.level) THEN
    outcome := 'again';
    RETURN;
  END IF;

  outcome := 'ok';
  until := CASE WHEN in_seconds > 0 THEN now() + make_interval(secs => in_seconds) END;
  CASE in_what
  WHEN 'kick' THEN
    SELECT k.outcome INTO moderate.outcome
      FROM chat_kick(in_chat, in_owner, in_visibility, in_actor, in_user, in_reason) k;
    RETURN;
  WHEN 'ban' THEN
    INSERT INTO chat_bans (chat_id, user_id, actor_id, reason, expires_at)
      VALUES (in_chat, in_user, in_actor, in_reason, until)
      ON CONFLICT (chat_id, user_id) WHERE user_id IS NOT NULL DO UPDATE
      SET actor_id = in_actor, reason = in_reason, expires_at = excluded.expires_at, created_at = now();
    DELETE FROM chat_members m WHERE m.chat_id = in_chat AND m.user_id = in_user
       AND m.user_id IS DISTINCT FROM in_owner;
    INSERT INTO room_changes (chat_id, user_id, reason) VALUES (in_chat, in_user, 'ban');
  WHEN 'unban' THEN
    done := chat_unban(in_actor, in_user, in_chat);
  WHEN 'mute' THEN
    INSERT INTO chat_mutes (chat_id, user_id, actor_id, reason, expires_at)
      VALUES (in_chat, in_user, in_actor, in_reason, until)
      ON CONFLICT (chat_id, user_id) DO UPDATE
      SET actor_id = in_actor, reason = in_reason, expires_at = excluded.expires_at, created_at = now();
  WHEN 'hard_mute' THEN
    INSERT INTO hard_mutes (user_id, actor_id, reason, expires_at) VALUES (in_user, in_actor, in_reason, until)
      ON CONFLICT (user_id) DO UPDATE
      SET actor_id = in_actor, reason = in_reason, expires_at = excluded.expires_at, created_at = now();
  WHEN 'unmute', 'hard_unmute' THEN
    done := mute_end(in_actor, in_user, in_chat);
  WHEN 'warn' THEN
    INSERT INTO notifications (user_id, title, body, type, created_by)
      VALUES (in_user, 'You were warned', coalesce(nullif(in_reason, ''), 'A moderator warned you.'), 'warning', in_actor);
  WHEN 'timeout' THEN
    UPDATE users u SET restriction = 'timeout', restriction_reason = in_reason, updated_at = now(),
           restricted_until = CASE WHEN user_state(u.restriction, u.restricted_until) <> 'timeout' THEN until
             WHEN u.restricted_until IS NOT NULL THEN greatest(u.restricted_until, until) END
     WHERE u.id = in_user AND user_state(u.restriction, u.restricted_until) <> 'banned';
    SELECT e.gone INTO moderate.gone FROM sessions_end(in_user, NULL, NULL, 'timeout') e;
  END CASE;
  IF NOT done THEN
    outcome := 'is';
    RETURN;
  END IF;

  IF in_what IN ('mute', 'unmute', 'hard_mute', 'hard_unmute') THEN
    INSERT INTO room_changes (chat_id, user_id, reason) VALUES (coalesce(in_chat, 0), in_user, 'mute');
  END IF;
  IF in_what NOT IN ('unban', 'unmute', 'hard_unmute') THEN
    INSERT INTO moderation_actions (user_id, actor_id, chat_id, action_type, reason, expires_at)
      VALUES (in_user, in_actor, CASE WHEN scope = 'chat.' THEN in_chat END,
        CASE in_what WHEN 'ban' THEN 'CHAT_BAN' WHEN 'warn' THEN 'PLATFORM_WARNING'
          WHEN 'timeout' THEN 'PLATFORM_TIMEOUT' ELSE 'CHAT_MUTE' END, in_reason, until);
  END IF;
  IF in_chat IS NOT NULL THEN
    INSERT INTO chat_activity (chat_id, user_id, action) VALUES (in_chat, in_user, in_what);
  END IF;
  PERFORM audit_write(scope || in_what, in_actor, in_user, in_chat,
    jsonb_build_object('reason', in_reason, 'until', iso(until)));
END
$$;
