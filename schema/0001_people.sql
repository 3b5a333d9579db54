-- People, their identities and sessions, bots, what was done to people, notifications, chats.
-- Times are timestamptz, read as microseconds. Hashes are BLAKE2b-256. Nothing secret in clear.

CREATE TABLE users (
  id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  username                text NOT NULL,
  avatar_source           text NOT NULL DEFAULT '',
  permission_level        smallint NOT NULL DEFAULT 0 CHECK (permission_level BETWEEN 0 AND 3),
  permission_since        timestamptz,
  subscription_level      smallint NOT NULL DEFAULT 0 CHECK (subscription_level BETWEEN 0 AND 3),
  subscription_expires_at timestamptz,
  subscription_granted_by bigint REFERENCES users,
  subscription_created_at timestamptz,
  subscription_updated_at timestamptz,
  trial_used              boolean NOT NULL DEFAULT false,
  -- 'timeout' and 'banned' hold until restricted_until (null: for ever); see user_state().
  restriction             text CHECK (restriction IN ('timeout', 'banned')),
  restriction_reason      text,
  restricted_until        timestamptz,
  bot_logins              integer NOT NULL DEFAULT 0,
  preferences             text NOT NULL DEFAULT '{}',
  last_activity_at        timestamptz,
  deleted_at              timestamptz,
  created_at              timestamptz NOT NULL DEFAULT now(),
  updated_at              timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE INDEX users_level ON users (permission_level) WHERE permission_level > 0;
CREATE INDEX users_subscription ON users (subscription_level, subscription_expires_at) WHERE subscription_level > 0;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX users_search ON users USING gin (lower(username) gin_trgm_ops) WHERE deleted_at IS NULL;

-- What a restriction amounts to now.
CREATE FUNCTION user_state(restriction text, until timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN restriction IS NOT NULL AND (until IS NULL OR until > now()) THEN restriction ELSE 'active' END
$$;

-- An expired subscription counts as Basic from that second on.
CREATE FUNCTION subscription_now(level smallint, expires timestamptz) RETURNS smallint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN expires IS NOT NULL AND expires <= now() THEN 0::smallint ELSE level END
$$;

CREATE TABLE identities (
  platform              text NOT NULL,
  platform_user_id      text NOT NULL,
  user_id               bigint NOT NULL REFERENCES users,
  platform_username     text NOT NULL DEFAULT '',
  platform_avatar_url   text NOT NULL DEFAULT '',
  linked_at             timestamptz NOT NULL DEFAULT now(),
  last_authenticated_at timestamptz,
  PRIMARY KEY (platform, platform_user_id),
  UNIQUE (user_id, platform)
);

-- Times as the interface shows them.
CREATE FUNCTION iso(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

CREATE TABLE sessions (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_hash   bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  user_id      bigint NOT NULL REFERENCES users,
  token_suffix text NOT NULL,
  client_ip    text NOT NULL,
  user_agent   text NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz NOT NULL,
  ended_at     timestamptz,
  end_reason   text
);
CREATE INDEX sessions_live ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_history ON sessions (user_id, created_at DESC);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE bots (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name                text NOT NULL,
  owner_id            bigint REFERENCES users,
  platform            text NOT NULL,
  bot_type            smallint NOT NULL DEFAULT 3 CHECK (bot_type BETWEEN 1 AND 3),
  key_hash            bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
  login               boolean NOT NULL DEFAULT false,
  is_active           boolean NOT NULL DEFAULT true,
  rate_limit_per_hour integer NOT NULL DEFAULT 1000 CHECK (rate_limit_per_hour BETWEEN 1 AND 100000),
  avatar_url          text,
  group_ids           text[] NOT NULL DEFAULT '{}',
  users               bigint NOT NULL DEFAULT 0,
  latency_ms          integer,
  last_activity_at    timestamptz,
  deleted_at          timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now(),
  updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bots_owner ON bots (owner_id) WHERE deleted_at IS NULL;
CREATE INDEX bots_type ON bots (bot_type, id) WHERE deleted_at IS NULL;
CREATE INDEX bots_search ON bots USING gin (lower(name) gin_trgm_ops) WHERE deleted_at IS NULL;

-- What was done to a person; PLATFORM_* without a chat.
CREATE TABLE moderation_actions (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id     bigint NOT NULL REFERENCES users,
  actor_id    bigint REFERENCES users,
  chat_id     bigint,
  action_type text NOT NULL CHECK (action_type IN
    ('PLATFORM_WARNING', 'PLATFORM_TIMEOUT', 'PLATFORM_BAN', 'CHAT_BAN', 'CHAT_MUTE', 'CHAT_KICK')),
  reason      text NOT NULL DEFAULT '',
  expires_at  timestamptz,
  lifted_at   timestamptz,
  lifted_by   bigint REFERENCES users,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX moderation_actions_user ON moderation_actions (user_id, created_at DESC);

CREATE TABLE subscription_history (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id       bigint NOT NULL REFERENCES users,
  old_level     smallint NOT NULL,
  new_level     smallint NOT NULL,
  reason        text NOT NULL DEFAULT '',
  granted_by_id bigint REFERENCES users,
  created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscription_history_user ON subscription_history (user_id, created_at DESC);

CREATE TABLE permission_history (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id    bigint NOT NULL REFERENCES users,
  old_level  smallint NOT NULL,
  new_level  smallint NOT NULL,
  actor_id   bigint REFERENCES users, -- null: the command line
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX permission_history_user ON permission_history (user_id, created_at DESC);

-- user_id null: for everyone, one row.
CREATE TABLE notifications (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id    bigint REFERENCES users,
  title      text NOT NULL,
  body       text NOT NULL,
  type       text NOT NULL DEFAULT 'info' CHECK (type IN ('info', 'success', 'warning', 'error')),
  created_by bigint REFERENCES users,
  read_at    timestamptz, -- of a personal one
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notifications_user ON notifications (user_id, id DESC);
CREATE INDEX notifications_unread ON notifications (user_id, created_at) WHERE read_at IS NULL;

CREATE TABLE chats (
  id               bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name             text NOT NULL,
  description      text NOT NULL DEFAULT '',
  slug             text UNIQUE,
  visibility       text NOT NULL CHECK (visibility IN ('official', 'public', 'private')),
  owner_id         bigint REFERENCES users,
  label            text,
  avatar_url       text,
  wipe_preset      text NOT NULL DEFAULT '24h',
  history_visible  boolean NOT NULL DEFAULT true,
  created_at       timestamptz NOT NULL DEFAULT now(),
  last_activity_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chats_owner ON chats (owner_id);

CREATE TABLE chat_members (
  chat_id   bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
  user_id   bigint NOT NULL REFERENCES users,
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (chat_id, user_id)
);
CREATE INDEX chat_members_user ON chat_members (user_id);

-- The live sessions of a person, newest login first, `keep` at most (older ones count as ended), as
-- "hash created_us expires_ms hash …": the form that schema/redis/session_put.lua reads.
-- plpgsql, as all that login() calls: it keeps its plan, while a function in SQL is planned at each call.
CREATE FUNCTION sessions_live(in_user bigint, keep integer) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT coalesce(string_agg(encode(s.token_hash, 'hex')
           || ' ' || (extract(epoch FROM s.created_at) * 1000000)::bigint
           || ' ' || (extract(epoch FROM s.expires_at) * 1000)::bigint, ' '), '')
    FROM (SELECT * FROM sessions l
           WHERE l.user_id = in_user AND l.ended_at IS NULL AND l.expires_at > now()
           ORDER BY l.created_at DESC, l.id DESC LIMIT keep) s);
END
$$;

-- Ends the earliest logins beyond `keep`; returns them as sessions_end() does. The caller holds the
-- row of the person, so that any number of logins at once leave `keep`.
CREATE FUNCTION sessions_trim(in_user bigint, keep integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  old bigint[] := ARRAY(SELECT s.id FROM sessions s
    WHERE s.user_id = in_user AND s.ended_at IS NULL AND s.expires_at > now()
    ORDER BY s.created_at DESC, s.id DESC OFFSET keep);
  gone text := '';
BEGIN
  IF cardinality(old) > 0 THEN
    WITH over AS (
      UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'evicted'
       WHERE id = ANY (old) RETURNING token_hash, user_id)
    SELECT string_agg(encode(o.token_hash, 'hex') || ' ' || o.user_id, ' ') INTO gone FROM over o;
  END IF;
  RETURN gone;
END
$$;

-- Ends the live sessions of a person but one (in_but null: all), or only those whose token ends in
-- in_suffix. gone: "hash user hash user …", the form that schema/redis/session_drop.lua reads. The
-- person's row is locked first: a login that is under way is seen by the update, and all who end
-- several sessions do it in one order.
CREATE FUNCTION sessions_end(in_user bigint, in_but bytea, in_suffix text, in_reason text,
  OUT ended bigint, OUT gone text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
  WITH over AS (
    UPDATE sessions s SET ended_at = clock_timestamp(), end_reason = in_reason
     WHERE s.user_id = in_user AND s.ended_at IS NULL AND s.expires_at > now()
       AND (in_but IS NULL OR s.token_hash <> in_but)
       AND (in_suffix IS NULL OR s.token_suffix = in_suffix)
    RETURNING s.token_hash)
  SELECT count(*), coalesce(string_agg(encode(o.token_hash, 'hex') || ' ' || in_user, ' '), '')
    INTO ended, gone FROM over o;
END
$$;

-- Signs a person in. One transaction: the account is found or made (web codes only), restrictions
-- are looked at, the login counter moves, the session is written and the oldest beyond the limit end.
-- outcome: 'ok', 'created', 'unknown' (a bot code of an identity without an account), 'banned',
-- 'timeout'. in_user_days and in_admin_days: life of the session. live and gone: as sessions_live()
-- and sessions_end() return them.
--
-- Of two first logins of an identity, the insert of one waits for the other and then goes round
-- again. The row of the person is the only lock taken before others are wanted; created_at is read
-- under it, so that the order of logins is the order of their rows.
CREATE FUNCTION login(
  in_platform text, in_platform_user_id text, in_username text, in_avatar text, in_web boolean,
  in_token_hash bytea, in_suffix text, in_ip text, in_agent text,
  in_max_sessions integer, in_user_days integer, in_admin_days integer,
  OUT outcome text, OUT user_id bigint, OUT reason text, OUT until timestamptz,
  OUT created_at timestamptz, OUT expires_at timestamptz, OUT live text, OUT gone text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  person users%ROWTYPE;
BEGIN
  LOOP
    SELECT i.user_id INTO login.user_id FROM identities i
     WHERE i.platform = in_platform AND i.platform_user_id = in_platform_user_id;
    IF FOUND THEN
      outcome := 'ok';
      SELECT u.* INTO person FROM users u WHERE u.id = login.user_id FOR NO KEY UPDATE;
      -- Unlinked or deleted while the lock was waited for: look again.
      EXIT WHEN EXISTS (SELECT FROM identities i WHERE i.platform = in_platform
        AND i.platform_user_id = in_platform_user_id AND i.user_id = person.id);
    ELSIF NOT in_web THEN
      outcome := 'unknown';
      RETURN;
    ELSE
      outcome := 'created';
      INSERT INTO users (username) VALUES ('user_' || left(gen_random_uuid()::text, 8))
        ON CONFLICT (lower(username)) DO NOTHING RETURNING * INTO person;
      CONTINUE WHEN NOT FOUND; -- the name is taken
      INSERT INTO identities (platform, platform_user_id, user_id, platform_username, platform_avatar_url)
        VALUES (in_platform, in_platform_user_id, person.id, coalesce(in_username, ''), coalesce(in_avatar, ''))
        ON CONFLICT (platform, platform_user_id) DO NOTHING;
      IF FOUND THEN
        INSERT INTO notifications (user_id, title, body, type) VALUES (person.id, 'Welcome to Portal',
          'Your account is ready. Pick a username on your account page, join a chat, or let the matcher find someone who shares an interest.',
          'success');
        EXIT;
      END IF;
      DELETE FROM users u WHERE u.id = person.id; -- another login made the account
    END IF;
  END LOOP;
  login.user_id := person.id;
  IF user_state(person.restriction, person.restricted_until) <> 'active' THEN
    outcome := person.restriction;
    reason := person.restriction_reason;
    until := person.restricted_until;
    RETURN;
  END IF;
  UPDATE users u SET bot_logins = CASE WHEN in_web THEN 0 ELSE u.bot_logins + 1 END,
         last_activity_at = now() WHERE u.id = person.id;
  UPDATE identities i SET last_authenticated_at = now()
   WHERE i.platform = in_platform AND i.platform_user_id = in_platform_user_id;
  INSERT INTO sessions AS s (token_hash, user_id, token_suffix, client_ip, user_agent, expires_at)
    VALUES (in_token_hash, person.id, in_suffix, in_ip, in_agent, clock_timestamp()
      + make_interval(days => CASE WHEN person.permission_level >= 2 THEN in_admin_days ELSE in_user_days END))
    RETURNING s.created_at, s.expires_at INTO login.created_at, login.expires_at;
  gone := sessions_trim(person.id, in_max_sessions);
  live := sessions_live(person.id, in_max_sessions);
END
$$;

-- Changes a person's name and picture (null: leave it); each stands alone. Nothing comes back for a
-- deleted account.
CREATE FUNCTION user_update(in_user bigint, in_username text, in_source text)
RETURNS TABLE (taken boolean, unlinked boolean)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  taken := false;
  unlinked := in_source <> '' AND in_source !~ '^discord_[0-5]$' AND NOT EXISTS (
    SELECT FROM identities i WHERE i.user_id = in_user AND i.platform = in_source);
  UPDATE users u SET avatar_source = in_source, updated_at = now()
   WHERE u.id = in_user AND in_source IS NOT NULL AND NOT unlinked;
  BEGIN
    UPDATE users u SET username = in_username, updated_at = now()
     WHERE u.id = in_user AND in_username IS NOT NULL;
  EXCEPTION WHEN unique_violation THEN
    taken := true;
  END;
  RETURN NEXT;
END
$$;

-- Gives an identity to a person. outcome: 'ok', 'taken' (it belongs to someone, or the person has that
-- platform already), 'unknown' (the account is deleted). A login of the identity that is under way is
-- waited for by the insert, as login() waits for this one.
CREATE FUNCTION identity_link(in_user bigint, in_platform text, in_platform_user_id text,
  in_username text, in_avatar text, OUT outcome text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  INSERT INTO identities (platform, platform_user_id, user_id, platform_username, platform_avatar_url,
                          last_authenticated_at)
    VALUES (in_platform, in_platform_user_id, in_user, coalesce(in_username, ''), coalesce(in_avatar, ''), now())
    ON CONFLICT DO NOTHING;
  outcome := CASE WHEN FOUND THEN 'ok' ELSE 'taken' END;
END
$$;

-- Takes a platform from a person, and the picture with it. outcome: 'ok', 'missing', 'last'.
CREATE FUNCTION identity_unlink(in_user bigint, in_platform text, OUT outcome text)
LANGUAGE plpgsql AS $$
DECLARE
  others integer;
  linked boolean;
BEGIN
  PERFORM FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
  SELECT count(*) FILTER (WHERE i.platform <> in_platform), coalesce(bool_or(i.platform = in_platform), false)
    INTO others, linked FROM identities i WHERE i.user_id = in_user;
  outcome := CASE WHEN NOT linked THEN 'missing' WHEN others = 0 THEN 'last' ELSE 'ok' END;
  IF outcome = 'ok' THEN
    DELETE FROM identities i WHERE i.user_id = in_user AND i.platform = in_platform;
    UPDATE users u SET avatar_source = '', updated_at = now()
     WHERE u.id = in_user AND u.avatar_source = in_platform;
  END IF;
END
$$;

-- Sets a permission level with its history. outcome: 'ok', 'unknown', 'last_owner'.
CREATE FUNCTION set_permission(in_user bigint, in_level smallint, in_actor bigint,
  OUT outcome text, OUT old_level smallint)
LANGUAGE plpgsql AS $$
BEGIN
  -- Owners change one at a time, so that two demotions cannot both see another Owner left.
  PERFORM pg_advisory_xact_lock(hashtextextended('owners', 0));
  SELECT u.permission_level INTO old_level FROM users u
   WHERE u.id = in_user AND u.deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF old_level = 3 AND in_level < 3 AND NOT EXISTS (SELECT 1 FROM users u
      WHERE u.permission_level = 3 AND u.id <> in_user AND u.deleted_at IS NULL) THEN
    outcome := 'last_owner';
    RETURN;
  END IF;
  outcome := 'ok';
  IF old_level <> in_level THEN
    UPDATE users SET permission_level = in_level, permission_since = now(), updated_at = now() WHERE id = in_user;
    INSERT INTO permission_history (user_id, old_level, new_level, actor_id)
      VALUES (in_user, old_level, in_level, in_actor);
  END IF;
END
$$;

-- Sets a subscription level with its history; level 0 takes it away; days 0: for ever. A person has
-- one Trial. outcome: 'ok', 'unknown', 'trial_used'.
CREATE FUNCTION set_subscription(in_user bigint, in_level smallint, in_days bigint, in_reason text,
  in_actor bigint, OUT outcome text, OUT old_level smallint)
LANGUAGE plpgsql AS $$
DECLARE
  person users%ROWTYPE;
BEGIN
  SELECT * INTO person FROM users u WHERE u.id = in_user AND u.deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF in_level = 1 AND person.trial_used THEN
    outcome := 'trial_used';
    RETURN;
  END IF;
  outcome := 'ok';
  old_level := subscription_now(person.subscription_level, person.subscription_expires_at);
  UPDATE users SET subscription_level = in_level,
         subscription_expires_at = CASE WHEN in_level > 0 AND in_days > 0
           THEN now() + make_interval(days => in_days::integer) END,
         subscription_granted_by = CASE WHEN in_level > 0 THEN in_actor END,
         subscription_created_at = coalesce(subscription_created_at, now()),
         subscription_updated_at = now(), trial_used = trial_used OR in_level = 1, updated_at = now()
   WHERE id = in_user;
  INSERT INTO subscription_history (user_id, old_level, new_level, reason, granted_by_id)
    VALUES (in_user, old_level, in_level, coalesce(in_reason, ''), in_actor);
END
$$;
