-- Signing in, with less to do: what it touches needs no index, and its answer is the profile.

-- A login changes a person and an identity in no column of an index. With room on its page the new
-- version stays there, and no index hears of it; the index of names is a dear one.
ALTER TABLE users SET (fillfactor = 85);
ALTER TABLE identities SET (fillfactor = 85);

-- Named columns first: the condition alone is parsed anew by each update of a person.
DROP TRIGGER users_recount ON users;
CREATE TRIGGER users_recount AFTER UPDATE OF subscription_level, subscription_expires_at, deleted_at ON users
  FOR EACH ROW
  WHEN ((OLD.subscription_level, OLD.subscription_expires_at, OLD.deleted_at)
    IS DISTINCT FROM (NEW.subscription_level, NEW.subscription_expires_at, NEW.deleted_at))
  EXECUTE FUNCTION count_change();

-- Signs a person in, as login() does for the program of before, which runs on until its turn comes. One
-- transaction: the account is found or made (web codes only), the login counter moves unless a
-- restriction holds, the session is written and the oldest beyond the limit end.
-- outcome: 'ok', 'created', 'unknown' (a bot code of an identity without an account), 'banned',
-- 'timeout'. in_user_days and in_admin_days: life of the session. live and gone: as sessions_live()
-- (in any order) and sessions_end() return them. The rest is the private profile, a row for each
-- identity, in any order.
--
-- The first update is all that most need: it finds the account, looks at restrictions and takes the
-- row of the person, the only lock taken before others are wanted. Who waited for it sees the
-- restrictions as they are then; an identity that was unlinked or deleted meanwhile is found out by
-- the second update, and the whole is tried again. created_at is read under the lock, so that the
-- order of logins is the order of their rows. Of two first logins of an identity, the insert of one
-- waits for the other and then goes round again.
CREATE FUNCTION sign_in(
  in_platform text, in_platform_user_id text, in_username text, in_avatar text, in_web boolean,
  in_token_hash bytea, in_suffix text, in_ip text, in_agent text,
  in_max_sessions integer, in_user_days integer, in_admin_days integer)
RETURNS TABLE (outcome text, user_id bigint, reason text, until timestamptz,
  created_at timestamptz, expires_at timestamptz, live text, gone text,
  username text, avatar_source text, state text, permission_level smallint,
  subscription_level smallint, subscription_expires_at timestamptz, subscription_granted_by bigint,
  last_activity_at timestamptz, permission_since timestamptz, registered_at timestamptz,
  updated_at timestamptz, platform text, platform_user_id text, platform_username text,
  platform_avatar_url text, linked_at timestamptz, last_authenticated_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  person users%ROWTYPE;
  alive bigint;
BEGIN
  LOOP
    sign_in.outcome := 'ok';
    UPDATE users u SET bot_logins = CASE WHEN in_web THEN 0 ELSE u.bot_logins + 1 END,
           last_activity_at = now() FROM identities i
     WHERE i.platform = in_platform AND i.platform_user_id = in_platform_user_id AND u.id = i.user_id
       AND user_state(u.restriction, u.restricted_until) = 'active' RETURNING u.* INTO person;
    IF FOUND THEN
      UPDATE identities i SET last_authenticated_at = now() WHERE i.platform = in_platform
         AND i.platform_user_id = in_platform_user_id AND i.user_id = person.id;
      EXIT WHEN FOUND;
      RAISE serialization_failure;
    END IF;
    SELECT u.* INTO person FROM identities i JOIN users u ON u.id = i.user_id
     WHERE i.platform = in_platform AND i.platform_user_id = in_platform_user_id;
    IF FOUND THEN
      sign_in.outcome := user_state(person.restriction, person.restricted_until);
      CONTINUE WHEN sign_in.outcome = 'active'; -- it ended just now
      sign_in.reason := person.restriction_reason;
      sign_in.until := person.restricted_until;
      RETURN NEXT;
      RETURN;
    ELSIF NOT in_web THEN
      sign_in.outcome := 'unknown';
      RETURN NEXT;
      RETURN;
    END IF;
    sign_in.outcome := 'created';
    INSERT INTO users (username, last_activity_at) VALUES ('user_' || left(gen_random_uuid()::text, 8), now())
      ON CONFLICT (lower(username)) DO NOTHING RETURNING * INTO person;
    CONTINUE WHEN NOT FOUND; -- the name is taken
    INSERT INTO identities (platform, platform_user_id, user_id, platform_username, platform_avatar_url,
                            last_authenticated_at)
      VALUES (in_platform, in_platform_user_id, person.id, coalesce(in_username, ''), coalesce(in_avatar, ''), now())
      ON CONFLICT (platform, platform_user_id) DO NOTHING;
    IF FOUND THEN
      INSERT INTO notifications (user_id, title, body, type) VALUES (person.id, 'Welcome to Portal',
        'Your account is ready. Pick a username on your account page, join a chat, or let the matcher find someone who shares an interest.',
        'success');
      EXIT;
    END IF;
    DELETE FROM users u WHERE u.id = person.id; -- another login made the account
  END LOOP;
  INSERT INTO sessions AS s (token_hash, user_id, token_suffix, client_ip, user_agent, expires_at)
    VALUES (in_token_hash, person.id, in_suffix, in_ip, in_agent, clock_timestamp()
      + make_interval(days => CASE WHEN person.permission_level >= 2 THEN in_admin_days ELSE in_user_days END))
    RETURNING s.created_at, s.expires_at INTO sign_in.created_at, sign_in.expires_at;
  SELECT string_agg(encode(s.token_hash, 'hex')
           || ' ' || (extract(epoch FROM s.created_at) * 1000000)::bigint
           || ' ' || (extract(epoch FROM s.expires_at) * 1000)::bigint, ' '), count(*)
    INTO sign_in.live, alive
    FROM sessions s WHERE s.user_id = person.id AND s.ended_at IS NULL AND s.expires_at > now();
  sign_in.gone := '';
  IF alive > in_max_sessions THEN
    sign_in.gone := sessions_trim(person.id, in_max_sessions);
    sign_in.live := sessions_live(person.id, in_max_sessions);
  END IF;
  RETURN QUERY SELECT sign_in.outcome, person.id, sign_in.reason, sign_in.until, sign_in.created_at,
      sign_in.expires_at, sign_in.live, sign_in.gone, person.username, person.avatar_source,
      'active'::text, person.permission_level,
      subscription_now(person.subscription_level, person.subscription_expires_at),
      person.subscription_expires_at, person.subscription_granted_by, person.last_activity_at,
      person.permission_since, person.created_at, person.updated_at, i.platform, i.platform_user_id,
      i.platform_username, i.platform_avatar_url, i.linked_at, i.last_authenticated_at
    FROM identities i WHERE i.user_id = person.id;
END
$$;
