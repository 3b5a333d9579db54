-- Administration: levels, subscriptions, punishments, and the audit log's proofs. Each act is one
-- transaction of the rule's premises, its effect, and its records.
--
-- Locks: the Owners, people by id, the chat, what belongs to it, the head of the audit log.

-- ---- who acts ----

-- Does a person still have the level that permission was decided upon, and may they act at all? An
-- actor null is the command line.
CREATE FUNCTION acts_as(in_actor bigint, in_level bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT in_actor IS NULL OR EXISTS (SELECT FROM users u WHERE u.id = in_actor AND u.deleted_at IS NULL
    AND u.permission_level = in_level AND user_state(u.restriction, u.restricted_until) = 'active')
$$;

-- Does the person acted on, or the owner of what is acted on, still have that level? Null: nobody,
-- or it was not decided upon.
CREATE FUNCTION ranks_as(in_user bigint, in_level bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT in_user IS NULL OR in_level IS NULL
      OR EXISTS (SELECT FROM users u WHERE u.id = in_user AND u.permission_level = in_level)
$$;

-- Writes down what somebody did to a chat that is not their own, or in the name of the platform;
-- returns the outcome of the change as it came.
CREATE FUNCTION chat_record(in_outcome text, in_event text, in_actor bigint, in_owner bigint, in_chat bigint,
  in_data jsonb, in_platform boolean) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF in_outcome = 'ok' AND (in_platform OR in_actor IS DISTINCT FROM in_owner) THEN
    PERFORM audit_write(in_event, in_actor, in_owner, in_chat, in_data);
  END IF;
  RETURN in_outcome;
END
$$;

-- A bot that is registered by somebody (null: the command line). outcome: 'ok', 'again' (they may no
-- longer), 'unknown' (no such owner).
CREATE FUNCTION bot_create(in_actor bigint, in_actor_level bigint, in_name text, in_platform text,
  in_owner bigint, in_hourly bigint, in_login boolean, in_key_hash bytea, OUT outcome text, OUT bot_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id = in_owner AND u.deleted_at IS NULL FOR KEY SHARE;
  outcome := CASE
    WHEN in_owner IS NOT NULL AND NOT FOUND THEN 'unknown'
    WHEN NOT acts_as(in_actor, in_actor_level) THEN 'again'
    ELSE 'ok' END;
  IF outcome = 'ok' THEN
    INSERT INTO bots (name, platform, owner_id, rate_limit_per_hour, login, key_hash)
      VALUES (in_name, in_platform, in_owner, in_hourly, in_login, in_key_hash) RETURNING id INTO bot_id;
    PERFORM audit_write('bot.create', in_actor, in_owner, NULL, jsonb_build_object('bot_id', bot_id,
      'name', in_name, 'platform', in_platform, 'login', in_login));
  END IF;
END
$$;

-- ---- levels ----

-- Sets a permission level with its history. A promotion to Admin or Owner leaves the person's
-- sessions in_days days. The levels of both are those that permission was decided upon. outcome:
-- 'ok', 'again' (they no longer hold), 'unknown', 'last_owner'.
DROP FUNCTION set_permission;
CREATE FUNCTION permission_set(in_actor bigint, in_actor_level bigint, in_user bigint, in_user_level bigint,
  in_level bigint, in_days bigint, OUT outcome text, OUT old_level bigint)
LANGUAGE plpgsql AS $$
BEGIN
  -- Owners change one at a time, so that two demotions cannot both see another Owner left.
  PERFORM pg_advisory_xact_lock(hashtextextended('owners', 0));
  PERFORM FROM users u WHERE u.id IN (in_actor, in_user) ORDER BY u.id FOR NO KEY UPDATE;
  SELECT u.permission_level INTO old_level FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL;
  outcome := CASE
    WHEN NOT FOUND THEN 'unknown'
    WHEN NOT acts_as(in_actor, in_actor_level) OR NOT ranks_as(in_user, in_user_level) THEN 'again'
    WHEN old_level = 3 AND in_level < 3 AND NOT EXISTS (SELECT FROM users u
         WHERE u.permission_level = 3 AND u.id <> in_user AND u.deleted_at IS NULL) THEN 'last_owner'
    ELSE 'ok' END;
  IF outcome <> 'ok' OR old_level = in_level THEN
    RETURN;
  END IF;
  UPDATE users u SET permission_level = in_level, permission_since = now(), updated_at = now() WHERE u.id = in_user;
  INSERT INTO permission_history (user_id, old_level, new_level, actor_id)
    VALUES (in_user, old_level, in_level, in_actor);
  IF in_level >= 2 AND old_level < 2 THEN
    UPDATE sessions s SET expires_at = least(s.expires_at, now() + make_interval(days => in_days::integer))
     WHERE s.user_id = in_user AND s.ended_at IS NULL AND s.expires_at > now();
  END IF;
  PERFORM audit_write('user.permission', in_actor, in_user, NULL,
    jsonb_build_object('old_level', old_level, 'new_level', in_level));
END
$$;

-- ---- subscriptions ----

-- Sets a subscription level with its history; level 0 takes it away; in_days 0: for ever. A person has
-- one Trial. outcome: 'ok', 'is' (there is none to take away), 'again', 'unknown', 'trial_used'.
DROP FUNCTION set_subscription;
CREATE FUNCTION subscription_set(in_actor bigint, in_actor_level bigint, in_user bigint, in_user_level bigint,
  in_level bigint, in_days bigint, in_reason text, OUT outcome text, OUT old_level bigint)
LANGUAGE plpgsql AS $$
DECLARE
  person users%ROWTYPE;
  until timestamptz := CASE WHEN in_level > 0 AND in_days > 0 THEN now() + make_interval(days => in_days::integer) END;
BEGIN
  SELECT * INTO person FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR NO KEY UPDATE;
  old_level := subscription_now(person.subscription_level, person.subscription_expires_at);
  outcome := CASE
    WHEN person.id IS NULL THEN 'unknown'
    WHEN NOT acts_as(in_actor, in_actor_level) OR NOT ranks_as(in_user, in_user_level) THEN 'again'
    WHEN in_level = 1 AND person.trial_used THEN 'trial_used'
    WHEN in_level = 0 AND old_level = 0 THEN 'is'
    ELSE 'ok' END;
  IF outcome <> 'ok' THEN
    RETURN;
  END IF;
  UPDATE users u SET subscription_level = in_level, subscription_expires_at = until,
         subscription_granted_by = CASE WHEN in_level > 0 THEN in_actor END,
         subscription_created_at = coalesce(u.subscription_created_at, now()),
         subscription_updated_at = now(), trial_used = u.trial_used OR in_level = 1, updated_at = now()
   WHERE u.id = in_user;
  INSERT INTO subscription_history (user_id, old_level, new_level, reason, granted_by_id)
    VALUES (in_user, old_level, in_level, in_reason, in_actor);
  PERFORM audit_write(CASE WHEN in_level > 0 THEN 'subscription.grant' ELSE 'subscription.revoke' END,
    in_actor, in_user, NULL, jsonb_build_object('old_level', old_level, 'new_level', in_level,
      'reason', in_reason, 'until', iso(until)));
END
$$;

-- ---- punishments ----

-- One act on a person by another (null: the command line). in_chat null: everywhere. The levels of
-- actor, target and owner, the owner and the visibility are those that permission was decided upon.
-- until: when it ends (null: for ever, or nothing that ends). gone: as sessions_end() returns it.
-- notice: what notify() has written (null: nothing). outcome: 'ok', 'is' (nothing to lift), 'again'
-- (what was decided upon no longer holds), 'unknown' (no such person).
DROP FUNCTION moderate;
CREATE FUNCTION moderate(in_what text, in_actor bigint, in_actor_level bigint, in_user bigint,
  in_user_level bigint, in_chat bigint, in_owner bigint, in_owner_level bigint, in_visibility text,
  in_seconds bigint, in_reason text, OUT outcome text, OUT until timestamptz, OUT gone text, OUT notice bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  scope text := CASE WHEN in_what IN ('kick', 'ban', 'unban', 'mute', 'unmute') THEN 'chat.' ELSE 'platform.' END;
  done boolean := true;
BEGIN
  -- The account of the target is changed by some; never by taking a stronger lock later. Both are
  -- locked, so that of two who put each other out one stays.
  IF in_what IN ('timeout', 'account_ban', 'account_unban') THEN
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
  IF NOT (done AND acts_as(in_actor, in_actor_level) AND ranks_as(in_user, in_user_level)
          AND ranks_as(in_owner, in_owner_level)) THEN
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
    notice := notify(in_user, 'You were warned', coalesce(nullif(in_reason, ''), 'A moderator warned you.'),
      'warning', in_actor);
  WHEN 'timeout' THEN
    UPDATE users u SET restriction = 'timeout', restriction_reason = in_reason, updated_at = now(),
           restricted_until = CASE WHEN user_state(u.restriction, u.restricted_until) <> 'timeout' THEN until
             WHEN u.restricted_until IS NOT NULL THEN greatest(u.restricted_until, until) END
     WHERE u.id = in_user AND user_state(u.restriction, u.restricted_until) <> 'banned';
    SELECT e.gone INTO moderate.gone FROM sessions_end(in_user, NULL, NULL, 'timeout') e;
    notice := notify(in_user, 'You were timed out', coalesce(nullif(in_reason, ''), 'A moderator timed you out.'),
      'error', in_actor);
  WHEN 'account_ban' THEN
    UPDATE users u SET restriction = 'banned', restriction_reason = in_reason, restricted_until = until,
           updated_at = now() WHERE u.id = in_user;
    SELECT e.gone INTO moderate.gone FROM sessions_end(in_user, NULL, NULL, 'banned') e;
    notice := notify(in_user, 'Your account was banned', coalesce(nullif(in_reason, ''), 'An operator banned you.'),
      'error', in_actor);
  WHEN 'account_unban' THEN
    UPDATE users u SET restriction = NULL, restriction_reason = NULL, restricted_until = NULL, updated_at = now()
     WHERE u.id = in_user AND user_state(u.restriction, u.restricted_until) <> 'active';
    done := FOUND;
    PERFORM moderation_lift(t.type, in_actor, in_user, NULL)
       FROM (VALUES ('PLATFORM_BAN'), ('PLATFORM_TIMEOUT')) t (type);
  END CASE;
  IF NOT done THEN
    outcome := 'is';
    RETURN;
  END IF;

  IF in_what IN ('mute', 'unmute', 'hard_mute', 'hard_unmute') THEN
    INSERT INTO room_changes (chat_id, user_id, reason) VALUES (coalesce(in_chat, 0), in_user, 'mute');
  END IF;
  IF in_what NOT IN ('unban', 'unmute', 'hard_unmute', 'account_unban') THEN
    INSERT INTO moderation_actions (user_id, actor_id, chat_id, action_type, reason, expires_at)
      VALUES (in_user, in_actor, CASE WHEN scope = 'chat.' THEN in_chat END,
        CASE in_what WHEN 'ban' THEN 'CHAT_BAN' WHEN 'warn' THEN 'PLATFORM_WARNING'
          WHEN 'timeout' THEN 'PLATFORM_TIMEOUT' WHEN 'account_ban' THEN 'PLATFORM_BAN' ELSE 'CHAT_MUTE' END,
        in_reason, until);
  END IF;
  IF in_chat IS NOT NULL THEN
    INSERT INTO chat_activity (chat_id, user_id, action) VALUES (in_chat, in_user, in_what);
  END IF;
  PERFORM audit_write(scope || CASE in_what WHEN 'account_ban' THEN 'ban' WHEN 'account_unban' THEN 'unban' ELSE in_what END,
    in_actor, in_user, in_chat, jsonb_build_object('reason', in_reason, 'until', iso(until)));
END
$$;

-- ---- the audit log ----

-- Where the log begins and ends. An entry cut off the end is missing below (id, hash); what was pruned
-- ends with (pruned_id, pruned_hash), which the newest entry 'audit.prune' says, too.
CREATE TABLE audit_head (
  one         boolean PRIMARY KEY DEFAULT true CHECK (one),
  id          bigint NOT NULL,
  hash        bytea NOT NULL,
  pruned_id   bigint NOT NULL DEFAULT 0,
  pruned_hash bytea NOT NULL DEFAULT ''
);
LOCK TABLE audit_log IN EXCLUSIVE MODE;
INSERT INTO audit_head (id, hash)
  SELECT coalesce(max(a.id), 0), coalesce((SELECT l.hash FROM audit_log l ORDER BY l.id DESC LIMIT 1), '') FROM audit_log a;
CREATE INDEX audit_log_event ON audit_log (event_type, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);
CREATE INDEX audit_log_target ON audit_log (target_id, id);
CREATE INDEX audit_log_time ON audit_log (created_at, id);

-- What an entry's hash is of, behind the hash before it.
CREATE FUNCTION audit_text(a audit_log) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_array(a.id, a.event_type, a.actor_id, a.target_id, a.chat_id, a.data, iso(a.created_at))::text
$$;
CREATE OR REPLACE FUNCTION audit_hash(a audit_log) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(a.prev_hash || convert_to(audit_text(a), 'UTF8'))
$$;

-- Adds an entry, in the transaction of what it tells of. Writers go one at a time, each until its
-- commit: call it last, when all other locks are held.
CREATE OR REPLACE FUNCTION audit_write(in_event text, in_actor bigint, in_target bigint, in_chat bigint, in_data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  entry audit_log%ROWTYPE;
BEGIN
  SELECT h.id + 1, h.hash INTO STRICT entry.id, entry.prev_hash FROM audit_head h FOR NO KEY UPDATE;
  entry.event_type := in_event;
  entry.actor_id := in_actor;
  entry.target_id := in_target;
  entry.chat_id := in_chat;
  entry.data := coalesce(in_data, '{}');
  entry.created_at := clock_timestamp();
  entry.hash := audit_hash(entry);
  INSERT INTO audit_log VALUES (entry.*);
  UPDATE audit_head h SET id = entry.id, hash = entry.hash;
END
$$;

-- An entry goes only when the log itself says so: when its newest prune record covers it.
CREATE FUNCTION audit_may_go() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.id <= (SELECT (a.data->>'last_id')::bigint FROM audit_log a WHERE a.event_type = 'audit.prune'
                ORDER BY a.id DESC LIMIT 1) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER audit_append_only ON audit_log;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_pruned_only BEFORE DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_may_go();

-- The head only follows the log.
CREATE FUNCTION audit_head_follows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id >= OLD.id AND NEW.pruned_id >= OLD.pruned_id AND EXISTS (SELECT FROM audit_log a
       WHERE a.id = NEW.id AND a.hash = NEW.hash) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the head of the audit log only follows it' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_head_follows();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Looks at in_limit entries behind one that has been looked at (0: from where the log begins) and has
-- in_hash. id, hash: the last looked at. fault: null, 'altered' or 'missing', and fault_id the first
-- such entry; at the end of the log, which `ended` tells, it is held against its head.
CREATE FUNCTION audit_verify(in_id bigint, in_hash bytea, in_limit bigint,
  OUT id bigint, OUT hash bytea, OUT looked bigint, OUT ended boolean, OUT fault text, OUT fault_id bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  head audit_head%ROWTYPE;
  entry audit_log%ROWTYPE;
BEGIN
  SELECT * INTO STRICT head FROM audit_head h;
  looked := 0;
  ended := false;
  -- What was pruned while we looked is no longer there to be looked at.
  audit_verify.id := greatest(in_id, head.pruned_id);
  audit_verify.hash := CASE WHEN in_id > head.pruned_id THEN in_hash ELSE head.pruned_hash END;
  IF head.pruned_id > 0 AND NOT EXISTS (SELECT FROM audit_log a WHERE a.event_type = 'audit.prune'
       AND a.data @> jsonb_build_object('last_id', head.pruned_id, 'hash', encode(head.pruned_hash, 'hex'))) THEN
    fault := 'missing';
    fault_id := head.pruned_id;
    RETURN;
  END IF;
  FOR entry IN SELECT * FROM audit_log a WHERE a.id > audit_verify.id ORDER BY a.id LIMIT in_limit LOOP
    IF entry.id <> audit_verify.id + 1 THEN
      fault := 'missing';
      fault_id := audit_verify.id + 1;
    ELSIF entry.hash <> audit_hash(entry) THEN
      fault := 'altered';
      fault_id := entry.id;
    ELSIF entry.prev_hash <> audit_verify.hash THEN
      -- It is what it was, so what it follows is not; unless that was looked at by who pruned it.
      fault := 'altered';
      fault_id := CASE WHEN audit_verify.id = head.pruned_id THEN entry.id ELSE audit_verify.id END;
    END IF;
    IF fault IS NOT NULL THEN
      RETURN;
    END IF;
    audit_verify.id := entry.id;
    audit_verify.hash := entry.hash;
    looked := looked + 1;
  END LOOP;
  ended := looked < in_limit;
  IF ended AND audit_verify.id <> head.id THEN
    fault := CASE WHEN audit_verify.id < head.id THEN 'missing' ELSE 'altered' END;
    fault_id := least(audit_verify.id, head.id) + 1;
  ELSIF ended AND audit_verify.hash <> head.hash THEN
    fault := 'altered';
    fault_id := head.id;
  END IF;
END
$$;

-- Writes down that all entries up to one go, which has in_hash: it was exported, and this is what the
-- rest of the chain follows. They go with audit_sweep(). outcome: 'ok', 'is' (gone already), 'unknown'.
CREATE FUNCTION audit_prune(in_actor bigint, in_id bigint, in_hash bytea, OUT outcome text)
LANGUAGE plpgsql AS $$
DECLARE
  head audit_head%ROWTYPE;
BEGIN
  SELECT * INTO STRICT head FROM audit_head h FOR NO KEY UPDATE;
  outcome := CASE
    WHEN in_id = head.pruned_id AND in_hash = head.pruned_hash THEN 'is'
    WHEN in_id > head.pruned_id AND EXISTS (SELECT FROM audit_log a WHERE a.id = in_id AND a.hash = in_hash) THEN 'ok'
    ELSE 'unknown' END;
  IF outcome = 'ok' THEN
    PERFORM audit_write('audit.prune', in_actor, NULL, NULL, jsonb_build_object('last_id', in_id,
      'hash', encode(in_hash, 'hex'), 'entries', in_id - head.pruned_id));
    UPDATE audit_head h SET pruned_id = in_id, pruned_hash = in_hash;
  END IF;
END
$$;

-- Deletes some of the entries that a prune record covers; returns how many.
CREATE FUNCTION audit_sweep(in_limit bigint) RETURNS bigint
LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM audit_log a WHERE a.id IN (SELECT l.id FROM audit_log l, audit_head h
      WHERE l.id <= h.pruned_id ORDER BY l.id LIMIT in_limit) RETURNING a.id)
  SELECT count(*) FROM gone
$$;

-- ---- lists of operators ----
-- What their filters ask for is in the index.
CREATE INDEX users_live ON users (id) INCLUDE (restriction, restricted_until, permission_level)
  WHERE deleted_at IS NULL;
CREATE INDEX users_restricted ON users (restriction, id) WHERE restriction IS NOT NULL;
CREATE INDEX users_subscribed ON users (subscription_expires_at, id) WHERE subscription_level > 0;
