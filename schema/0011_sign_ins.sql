-- Signing in several people at once.

-- Each new session locked its person's row a second time, for a reference that cannot break: who
-- writes a session holds that row, and people's rows stay when accounts are deleted.
ALTER TABLE sessions DROP CONSTRAINT sessions_user_id_fkey;

-- Signs in those of whom nothing needs to be decided: known and active. Arrays: element i is what
-- sign_in() is asked for the i-th (names and pictures are for new people). Who has no row in the
-- answer is to be signed in by sign_in(): new and unknown people, the restricted, and all but the
-- first of those who are one person. nr: the number of whom a row is for, ascending; the other
-- columns as sign_in() has them.
--
-- One transaction for all: an error is one for all. The rows of people are locked as they come, so
-- two of these may want each other's: whoever waits that long gives up, and each is signed in alone.
-- The second query is another one, to see what was committed before the locks were had: the live
-- sessions of each, newest login first, of which those beyond the limit end.
CREATE FUNCTION sign_ins(
  in_platforms text[], in_platform_user_ids text[], in_usernames text[], in_avatars text[],
  in_webs boolean[], in_token_hashes bytea[], in_suffixes text[], in_ips text[], in_agents text[],
  in_max_sessions integer, in_user_days integer, in_admin_days integer)
RETURNS TABLE (nr bigint, outcome text, user_id bigint, reason text, until timestamptz,
  created_at timestamptz, expires_at timestamptz, live text, gone text,
  username text, avatar_source text, state text, permission_level smallint,
  subscription_level smallint, subscription_expires_at timestamptz, subscription_granted_by bigint,
  last_activity_at timestamptz, permission_since timestamptz, registered_at timestamptz,
  updated_at timestamptz, platform text, platform_user_id text, platform_username text,
  platform_avatar_url text, linked_at timestamptz, last_authenticated_at timestamptz)
LANGUAGE plpgsql SET lock_timeout = '50ms' SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
DECLARE
  numbers bigint[];
  people bigint[];
  begun timestamptz[];
  ends timestamptz[];
  moved_count bigint;
BEGIN
  WITH asked AS (
    SELECT DISTINCT ON (i.user_id) i.user_id, a.*
      FROM unnest(in_platforms, in_platform_user_ids, in_webs, in_token_hashes, in_suffixes, in_ips, in_agents)
           WITH ORDINALITY AS a (platform, platform_user_id, web, token_hash, suffix, ip, agent, nr)
      JOIN identities i ON i.platform = a.platform AND i.platform_user_id = a.platform_user_id
     ORDER BY i.user_id, a.nr),
  moved AS (
    UPDATE users u SET bot_logins = CASE WHEN a.web THEN 0 ELSE u.bot_logins + 1 END, last_activity_at = now()
      FROM asked a WHERE u.id = a.user_id AND user_state(u.restriction, u.restricted_until) = 'active'
    RETURNING a.*, u.permission_level),
  touched AS (
    UPDATE identities i SET last_authenticated_at = now() FROM moved m
     WHERE i.platform = m.platform AND i.platform_user_id = m.platform_user_id AND i.user_id = m.user_id
    RETURNING m.*),
  made AS (
    INSERT INTO sessions AS s (token_hash, user_id, token_suffix, client_ip, user_agent, expires_at)
      SELECT t.token_hash, t.user_id, t.suffix, t.ip, t.agent, clock_timestamp()
        + make_interval(days => CASE WHEN t.permission_level >= 2 THEN in_admin_days ELSE in_user_days END)
        FROM touched t
    RETURNING s.user_id, s.created_at, s.expires_at)
  SELECT array_agg(a.nr), array_agg(m.user_id), array_agg(m.created_at), array_agg(m.expires_at),
         (SELECT count(*) FROM moved)
    INTO numbers, people, begun, ends, moved_count FROM made m JOIN asked a ON a.user_id = m.user_id;
  IF moved_count <> coalesce(cardinality(numbers), 0) THEN
    RAISE serialization_failure; -- an identity was unlinked or deleted meanwhile
  END IF;
  RETURN QUERY WITH held AS MATERIALIZED (
    SELECT p.*, s.id, encode(s.token_hash, 'hex') AS hash,
           ' ' || (date_part('epoch', s.created_at) * 1000000)::bigint
             || ' ' || (date_part('epoch', s.expires_at) * 1000)::bigint AS times,
           row_number() OVER (PARTITION BY p.nr ORDER BY s.created_at DESC, s.id DESC) AS place
      FROM unnest(numbers, people, begun, ends) AS p (nr, user_id, created_at, expires_at)
      JOIN sessions s ON s.user_id = p.user_id AND s.ended_at IS NULL AND s.expires_at > now()),
  over AS (
    UPDATE sessions s SET ended_at = clock_timestamp(), end_reason = 'evicted'
      FROM held h WHERE h.place > in_max_sessions AND s.id = h.id
    RETURNING h.nr, h.hash || ' ' || h.user_id AS gone),
  mine AS (
    SELECT h.nr, h.user_id, h.created_at, h.expires_at, max(h.place) > in_max_sessions AS evicts,
           string_agg(h.hash || h.times, ' ') FILTER (WHERE h.place <= in_max_sessions) AS live
      FROM held h GROUP BY h.nr, h.user_id, h.created_at, h.expires_at)
  SELECT m.nr, 'ok'::text, m.user_id, NULL::text, NULL::timestamptz, m.created_at, m.expires_at, m.live,
      CASE WHEN m.evicts THEN (SELECT string_agg(o.gone, ' ') FROM over o WHERE o.nr = m.nr) ELSE '' END,
      u.username, u.avatar_source, 'active'::text, u.permission_level,
      subscription_now(u.subscription_level, u.subscription_expires_at),
      u.subscription_expires_at, u.subscription_granted_by, u.last_activity_at,
      u.permission_since, u.created_at, u.updated_at, i.platform, i.platform_user_id,
      i.platform_username, i.platform_avatar_url, i.linked_at, i.last_authenticated_at
    FROM mine m JOIN users u ON u.id = m.user_id JOIN identities i ON i.user_id = m.user_id ORDER BY m.nr;
END
$$;
