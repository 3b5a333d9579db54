-- Chats: invites, who may not come in or speak, what happened, and what Redis still has to hear of.
--
-- Locks are taken in one order: people, then the chat, then what belongs to it. Whoever lets a person
-- into a chat holds its row FOR SHARE, whoever changes it or puts a person out FOR NO KEY UPDATE; so a
-- join and a ban, a removal or a change of visibility never cross. Functions that change a chat take
-- the owner and the visibility that permission was decided upon and answer 'again' when they no
-- longer hold.

-- Epochs handed out by Redis stay below it; it is raised before they reach it (store/epoch.c).
ALTER TABLE chats ADD epoch_ceiling bigint NOT NULL DEFAULT 0;
ALTER TABLE chats ADD CHECK (wipe_preset IN ('1m', '15m', '1h', '4h', '24h', 'off'));
ALTER TABLE chats ADD CHECK (visibility = 'official' OR (visibility = 'public') = (slug IS NOT NULL));
CREATE INDEX chats_open ON chats (id) WHERE visibility <> 'private';

CREATE TABLE invites (
  code       text PRIMARY KEY,
  chat_id    bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
  created_by bigint NOT NULL REFERENCES users,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  uses       bigint NOT NULL DEFAULT 0,
  max_uses   bigint CHECK (max_uses >= 1),
  CHECK (uses <= max_uses)
);
CREATE INDEX invites_chat ON invites (chat_id);
CREATE INDEX invites_creator ON invites (created_by);

CREATE FUNCTION invite_live(i invites) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (i.expires_at IS NULL OR i.expires_at > now()) AND (i.max_uses IS NULL OR i.uses < i.max_uses)
$$;

-- A ban of a person, or, once the account is deleted, of the identities it had.
CREATE TABLE chat_bans (
  chat_id          bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
  user_id          bigint REFERENCES users,
  platform         text,
  platform_user_id text,
  actor_id         bigint REFERENCES users,
  reason           text NOT NULL DEFAULT '',
  expires_at       timestamptz, -- null: for ever
  created_at       timestamptz NOT NULL DEFAULT now(),
  CHECK ((platform IS NULL) = (platform_user_id IS NULL) AND (user_id IS NULL) = (platform IS NOT NULL))
);
CREATE UNIQUE INDEX chat_bans_user ON chat_bans (chat_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX chat_bans_identity ON chat_bans (chat_id, platform, platform_user_id) WHERE platform IS NOT NULL;
CREATE INDEX chat_bans_of ON chat_bans (user_id) WHERE user_id IS NOT NULL;

-- Does a ban hold, on the person or on an identity that was banned under a deleted account?
CREATE FUNCTION chat_banned(in_chat bigint, in_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM chat_bans b WHERE b.chat_id = in_chat AND b.user_id = in_user
                    AND (b.expires_at IS NULL OR b.expires_at > now()))
      OR EXISTS (SELECT FROM identities i JOIN chat_bans b
                    ON b.platform = i.platform AND b.platform_user_id = i.platform_user_id
                  WHERE i.user_id = in_user AND b.chat_id = in_chat
                    AND (b.expires_at IS NULL OR b.expires_at > now()))
$$;

CREATE TABLE chat_mutes (
  chat_id    bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
  user_id    bigint NOT NULL REFERENCES users,
  actor_id   bigint REFERENCES users,
  reason     text NOT NULL DEFAULT '',
  expires_at timestamptz, -- null: until lifted
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (chat_id, user_id)
);
CREATE INDEX chat_mutes_of ON chat_mutes (user_id);

-- Mutes that hold everywhere.
CREATE TABLE hard_mutes (
  user_id    bigint PRIMARY KEY REFERENCES users,
  actor_id   bigint REFERENCES users,
  reason     text NOT NULL DEFAULT '',
  expires_at timestamptz, -- null: until lifted
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE chat_activity (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chat_id     bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
  user_id     bigint NOT NULL REFERENCES users, -- whom it is about; of 'clear' who did it
  action      text NOT NULL CHECK (action IN
    ('join', 'leave', 'kick', 'ban', 'unban', 'mute', 'unmute', 'warn', 'timeout', 'clear')),
  method      text CHECK (method IN ('direct', 'vanity', 'invite')),
  invite_code text,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chat_activity_chat ON chat_activity (chat_id, id DESC);
CREATE INDEX chat_activity_user ON chat_activity (user_id);

-- What a committed change still has to do in Redis; the row goes when it is done. No reference to the
-- chat: 'destroyed' outlives it. A rotation that is done twice does no harm.
CREATE TABLE room_changes (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chat_id    bigint NOT NULL,
  user_id    bigint, -- who is taken out of the room
  reason     text NOT NULL CHECK (reason IN ('join', 'leave', 'kick', 'ban', 'visibility', 'destroyed')),
  name       text,   -- of a chat destroyed
  taken_at   timestamptz, -- somebody is at it; who has not finished after 5 s has died
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX room_changes_chat ON room_changes (chat_id, id);

-- Makes a chat; with a slug it is public, else private, unless it is official. outcome: 'ok',
-- 'unknown' (the owner is gone), 'slots' (in_slots chats that are not official are owned already),
-- 'slug' (taken).
CREATE FUNCTION chat_create(in_owner bigint, in_slots bigint, in_official boolean, in_name text,
  in_slug text, in_description text, OUT outcome text, OUT chat_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM users u WHERE u.id = in_owner AND u.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF NOT in_official AND (SELECT count(*) FROM chats c
       WHERE c.owner_id = in_owner AND c.visibility <> 'official') >= in_slots THEN
    outcome := 'slots';
    RETURN;
  END IF;
  INSERT INTO chats AS c (name, slug, description, visibility, owner_id)
    VALUES (in_name, in_slug, in_description, CASE WHEN in_official THEN 'official'
      WHEN in_slug IS NULL THEN 'private' ELSE 'public' END, in_owner)
    ON CONFLICT (slug) DO NOTHING RETURNING c.id INTO chat_create.chat_id;
  outcome := CASE WHEN FOUND THEN 'ok' ELSE 'slug' END;
  IF FOUND THEN
    INSERT INTO chat_members (chat_id, user_id) VALUES (chat_create.chat_id, in_owner);
  END IF;
END
$$;

-- Changes a chat (null: leave it). in_slug counts when in_slug_given: a slug makes it public, null
-- private; an official chat stays official. outcome: 'ok', 'again', 'slug' (taken).
CREATE FUNCTION chat_update(in_chat bigint, in_owner bigint, in_visibility text, in_name text,
  in_description text, in_slug_given boolean, in_slug text, in_wipe text, in_history boolean,
  in_label_given boolean, in_label text, OUT outcome text)
LANGUAGE plpgsql AS $$
DECLARE
  becomes text := CASE WHEN in_visibility = 'official' OR NOT in_slug_given THEN in_visibility
    WHEN in_slug IS NULL THEN 'private' ELSE 'public' END;
BEGIN
  PERFORM FROM chats c WHERE c.id = in_chat AND c.visibility = in_visibility
     AND c.owner_id IS NOT DISTINCT FROM in_owner FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'again';
    RETURN;
  END IF;
  UPDATE chats c SET name = coalesce(in_name, c.name),
         description = coalesce(in_description, c.description),
         slug = CASE WHEN in_slug_given THEN in_slug ELSE c.slug END, visibility = becomes,
         wipe_preset = coalesce(in_wipe, c.wipe_preset),
         history_visible = coalesce(in_history, c.history_visible),
         label = CASE WHEN in_label_given THEN in_label ELSE c.label END
   WHERE c.id = in_chat;
  IF becomes <> in_visibility THEN
    INSERT INTO room_changes (chat_id, reason) VALUES (in_chat, 'visibility');
  END IF;
  outcome := 'ok';
EXCEPTION WHEN unique_violation THEN
  outcome := 'slug';
END
$$;

-- outcome: 'ok', 'again'.
CREATE FUNCTION chat_delete(in_chat bigint, in_owner bigint, in_visibility text, OUT outcome text)
LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM chats c WHERE c.id = in_chat AND c.visibility = in_visibility
       AND c.owner_id IS NOT DISTINCT FROM in_owner RETURNING c.id, c.name),
  due AS (INSERT INTO room_changes (chat_id, reason, name) SELECT g.id, 'destroyed', g.name FROM gone g)
  SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 'ok' ELSE 'again' END
$$;

-- Gives a chat to another person, whom no ban or mute there holds any longer. In a private chat the
-- one before stays as a member. outcome: 'ok', 'again', 'unknown' (no such heir).
CREATE FUNCTION chat_transfer(in_chat bigint, in_owner bigint, in_visibility text, in_heir bigint,
  OUT outcome text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id = in_heir AND u.deleted_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  UPDATE chats c SET owner_id = in_heir WHERE c.id = in_chat AND c.visibility = in_visibility
     AND c.owner_id IS NOT DISTINCT FROM in_owner;
  IF NOT FOUND THEN
    outcome := 'again';
    RETURN;
  END IF;
  outcome := 'ok';
  DELETE FROM chat_bans b WHERE b.chat_id = in_chat AND (b.user_id = in_heir
     OR (b.platform, b.platform_user_id) IN (SELECT i.platform, i.platform_user_id FROM identities i
          WHERE i.user_id = in_heir));
  DELETE FROM chat_mutes m WHERE m.chat_id = in_chat AND m.user_id = in_heir;
  IF in_visibility <> 'private' THEN
    DELETE FROM chat_members m WHERE m.chat_id = in_chat AND m.user_id = in_owner AND in_owner <> in_heir;
  END IF;
  INSERT INTO chat_members (chat_id, user_id) VALUES (in_chat, in_heir) ON CONFLICT DO NOTHING;
  IF FOUND AND in_visibility = 'private' THEN
    INSERT INTO chat_activity (chat_id, user_id, action, method) VALUES (in_chat, in_heir, 'join', 'direct');
    INSERT INTO room_changes (chat_id, user_id, reason)
      SELECT c.id, NULL, 'join' FROM chats c WHERE c.id = in_chat AND NOT c.history_visible;
  END IF;
END
$$;

-- A member goes. outcome: 'ok', 'owner' (who cannot), 'unknown' (no such chat, or a private one of
-- others). In a chat that is open to everyone there may be nothing to leave.
CREATE FUNCTION chat_leave(in_chat bigint, in_user bigint, OUT outcome text)
LANGUAGE plpgsql AS $$
DECLARE
  chat chats%ROWTYPE;
BEGIN
  PERFORM FROM users u WHERE u.id = in_user FOR KEY SHARE;
  SELECT * INTO chat FROM chats c WHERE c.id = in_chat FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF chat.owner_id = in_user THEN
    outcome := 'owner';
    RETURN;
  END IF;
  DELETE FROM chat_members m WHERE m.chat_id = in_chat AND m.user_id = in_user;
  IF NOT FOUND THEN
    outcome := CASE WHEN chat.visibility = 'private' THEN 'unknown' ELSE 'ok' END;
    RETURN;
  END IF;
  outcome := 'ok';
  INSERT INTO chat_activity (chat_id, user_id, action) VALUES (in_chat, in_user, 'leave');
  IF chat.visibility = 'private' THEN
    INSERT INTO room_changes (chat_id, user_id, reason) VALUES (in_chat, in_user, 'leave');
  END IF;
END
$$;

-- Puts a person out of a chat, who may come back where the chat is open. outcome: 'ok', 'again',
-- 'unknown' (no such person).
CREATE FUNCTION chat_kick(in_chat bigint, in_owner bigint, in_visibility text, in_actor bigint,
  in_user bigint, in_reason text, OUT outcome text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id IN (in_actor, in_user) ORDER BY u.id FOR KEY SHARE;
  IF NOT EXISTS (SELECT FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL) THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  PERFORM FROM chats c WHERE c.id = in_chat AND c.visibility = in_visibility
     AND c.owner_id IS NOT DISTINCT FROM in_owner FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'again';
    RETURN;
  END IF;
  DELETE FROM chat_members m WHERE m.chat_id = in_chat AND m.user_id = in_user
     AND m.user_id IS DISTINCT FROM in_owner;
  INSERT INTO moderation_actions (user_id, actor_id, chat_id, action_type, reason)
    VALUES (in_user, in_actor, in_chat, 'CHAT_KICK', coalesce(in_reason, ''));
  INSERT INTO chat_activity (chat_id, user_id, action) VALUES (in_chat, in_user, 'kick');
  INSERT INTO room_changes (chat_id, user_id, reason) VALUES (in_chat, in_user, 'kick');
  PERFORM audit_write('chat.kick', in_actor, in_user, in_chat, jsonb_build_object('reason', coalesce(in_reason, '')));
  outcome := 'ok';
END
$$;

-- Makes an invite; dead ones of the chat go. outcome: 'ok', 'again', 'quota' (in_most live ones).
CREATE FUNCTION invite_create(in_chat bigint, in_owner bigint, in_visibility text, in_actor bigint,
  in_code text, in_expires timestamptz, in_max_uses bigint, in_most bigint,
  OUT outcome text, OUT created_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM users u WHERE u.id = in_actor FOR KEY SHARE;
  PERFORM FROM chats c WHERE c.id = in_chat AND c.visibility = in_visibility
     AND c.owner_id IS NOT DISTINCT FROM in_owner FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'again';
    RETURN;
  END IF;
  DELETE FROM invites i WHERE i.chat_id = in_chat AND NOT invite_live(i);
  IF (SELECT count(*) FROM invites i WHERE i.chat_id = in_chat) >= in_most THEN
    outcome := 'quota';
    RETURN;
  END IF;
  outcome := 'ok';
  INSERT INTO invites AS i (code, chat_id, created_by, expires_at, max_uses)
    VALUES (in_code, in_chat, in_actor, in_expires, in_max_uses) RETURNING i.created_at INTO invite_create.created_at;
END
$$;

-- What a code leads to: a live invite before a slug; null: nothing.
CREATE FUNCTION resolve(in_code text, OUT chat_id bigint, OUT method text)
LANGUAGE sql STABLE AS $$
  SELECT found.id, found.method FROM (
    SELECT i.chat_id AS id, 'invite' AS method, 1 AS rank FROM invites i WHERE i.code = in_code AND invite_live(i)
    UNION ALL SELECT c.id, 'vanity', 2 FROM chats c WHERE c.slug = in_code) found
  ORDER BY found.rank LIMIT 1
$$;

-- Joins by a code. Uses are counted where membership is made, and only then: a row is locked by the
-- one that counts, the others look again when it is done. outcome: 'joined', 'is' (nothing to do: an
-- open chat, or inside already), 'unknown', 'banned'.
CREATE FUNCTION chat_join(in_code text, in_user bigint, OUT outcome text, OUT chat_id bigint, OUT method text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  chat chats%ROWTYPE;
BEGIN
  outcome := 'unknown';
  PERFORM FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT r.chat_id, r.method INTO chat_join.chat_id, chat_join.method FROM resolve(in_code) r;
  SELECT * INTO chat FROM chats c WHERE c.id = chat_join.chat_id FOR SHARE;
  IF NOT FOUND OR (method = 'vanity' AND chat.slug IS DISTINCT FROM in_code) THEN
    RETURN; -- gone or renamed while the lock was waited for
  END IF;
  IF chat_banned(chat.id, in_user) THEN
    outcome := 'banned';
    RETURN;
  END IF;
  IF chat.visibility <> 'private' OR chat.owner_id = in_user THEN
    outcome := 'is';
    RETURN;
  END IF;
  -- Two calls of one person: the second waits here and finds that it is inside.
  INSERT INTO chat_members (chat_id, user_id) VALUES (chat.id, in_user) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'is';
    RETURN;
  END IF;
  UPDATE invites i SET uses = i.uses + 1 WHERE i.code = in_code AND i.chat_id = chat.id AND invite_live(i);
  IF NOT FOUND THEN
    DELETE FROM chat_members m WHERE m.chat_id = chat.id AND m.user_id = in_user;
    RETURN;
  END IF;
  outcome := 'joined';
  INSERT INTO chat_activity (chat_id, user_id, action, method, invite_code)
    VALUES (chat.id, in_user, 'join', 'invite', in_code);
  IF NOT chat.history_visible THEN
    INSERT INTO room_changes (chat_id, reason) VALUES (chat.id, 'join');
  END IF;
END
$$;

-- Deletes an account: what is about the person goes, the row stays without a name (':' cannot be in
-- a username), so that what others did and said keeps its references. outcome: 'ok', 'unknown',
-- 'mismatch' (in_username is not the name), 'last_owner'. gone: as sessions_end() returns it.
-- Owned chats are destroyed, memberships left; bans go over to the identities, so that a new account of
-- them is banned as well.
CREATE FUNCTION user_delete(in_user bigint, in_username text, OUT outcome text, OUT gone text)
LANGUAGE plpgsql AS $$
DECLARE
  person users%ROWTYPE;
BEGIN
  -- As in set_permission(): of two Owners that go at once, one stays.
  PERFORM pg_advisory_xact_lock(hashtextextended('owners', 0));
  SELECT * INTO person FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR UPDATE;
  outcome := CASE
    WHEN NOT FOUND THEN 'unknown'
    WHEN person.username <> in_username THEN 'mismatch'
    WHEN person.permission_level = 3 AND NOT EXISTS (SELECT FROM users u
         WHERE u.permission_level = 3 AND u.id <> in_user AND u.deleted_at IS NULL) THEN 'last_owner'
    ELSE 'ok' END;
  IF outcome <> 'ok' THEN
    RETURN;
  END IF;
  SELECT e.gone INTO user_delete.gone FROM sessions_end(in_user, NULL, NULL, 'deleted') e;
  INSERT INTO chat_bans (chat_id, platform, platform_user_id, actor_id, reason, expires_at, created_at)
    SELECT b.chat_id, i.platform, i.platform_user_id, b.actor_id, b.reason, b.expires_at, b.created_at
      FROM chat_bans b JOIN identities i ON i.user_id = b.user_id WHERE b.user_id = in_user
    ON CONFLICT (chat_id, platform, platform_user_id) WHERE platform IS NOT NULL
    DO UPDATE SET expires_at = CASE WHEN chat_bans.expires_at IS NULL OR excluded.expires_at IS NULL
      THEN NULL ELSE greatest(chat_bans.expires_at, excluded.expires_at) END;
  DELETE FROM chat_bans b WHERE b.user_id = in_user;
  DELETE FROM chat_mutes m WHERE m.user_id = in_user;
  DELETE FROM hard_mutes m WHERE m.user_id = in_user;
  DELETE FROM identities i WHERE i.user_id = in_user;
  DELETE FROM notifications n WHERE n.user_id = in_user;
  WITH dropped AS (DELETE FROM chats c WHERE c.owner_id = in_user RETURNING c.id, c.name)
  INSERT INTO room_changes (chat_id, reason, name) SELECT d.id, 'destroyed', d.name FROM dropped d;
  WITH left_behind AS (DELETE FROM chat_members m WHERE m.user_id = in_user RETURNING m.chat_id)
  INSERT INTO room_changes (chat_id, user_id, reason)
    SELECT l.chat_id, in_user, 'leave' FROM left_behind l JOIN chats c ON c.id = l.chat_id;
  UPDATE bots b SET deleted_at = now(), is_active = false, login = false
   WHERE b.owner_id = in_user AND b.deleted_at IS NULL;
  UPDATE sessions s SET client_ip = '', user_agent = '' WHERE s.user_id = in_user;
  UPDATE users u SET username = 'deleted:' || u.id, avatar_source = '', permission_level = 0,
         permission_since = NULL, subscription_level = 0, subscription_expires_at = NULL,
         subscription_granted_by = NULL, subscription_created_at = NULL, subscription_updated_at = NULL,
         preferences = '{}', last_activity_at = NULL, deleted_at = now(), updated_at = now()
   WHERE u.id = in_user;
END
$$;
