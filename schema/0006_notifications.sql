-- Notifications: one row for everyone, read marks, announcements; and the counters of statistics.

-- Notifications for everyone are numbered 1, 2, 3 … in the order of their commits and of created_at,
-- so that how many a person has not read is a subtraction.
ALTER TABLE notifications ADD nr bigint;
UPDATE notifications n SET nr = o.nr
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS nr FROM notifications WHERE user_id IS NULL) o
 WHERE n.id = o.id;
ALTER TABLE notifications ADD CHECK ((nr IS NULL) = (user_id IS NOT NULL));
CREATE UNIQUE INDEX notifications_all ON notifications (nr) INCLUDE (id) WHERE nr IS NOT NULL;
CREATE INDEX notifications_all_since ON notifications (created_at) INCLUDE (nr) WHERE nr IS NOT NULL;

-- Writes a notification for a person (null: for everyone), in the transaction of what it tells of;
-- returns its id, with which notification_tell() of store/notification.h tells of it behind the
-- commit. Those for everyone are written one at a time, each until its commit: write them last.
CREATE FUNCTION notify(in_user bigint, in_title text, in_body text, in_type text, in_by bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
  at timestamptz := now();
  made bigint;
BEGIN
  IF in_user IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('notifications', 0));
    SELECT n.nr + 1, greatest(clock_timestamp(), n.created_at + interval '1 microsecond') INTO number, at
      FROM notifications n WHERE n.nr IS NOT NULL ORDER BY n.nr DESC LIMIT 1;
    number := coalesce(number, 1);
    at := coalesce(at, clock_timestamp());
  END IF;
  INSERT INTO notifications (user_id, nr, title, body, type, created_by, created_at)
    VALUES (in_user, number, in_title, in_body, in_type, in_by, at) RETURNING id INTO made;
  RETURN made;
END
$$;

-- What a person has read of those for everyone. A mark says that all up to a number were read; the
-- newest one holds, earlier ones tell when. Beyond it they are read one by one, and counted.
CREATE TABLE notification_marks (
  user_id bigint NOT NULL REFERENCES users,
  up_to   bigint NOT NULL,
  beyond  bigint NOT NULL, -- of the newest: how many rows of notification_reads lie behind it
  read_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, up_to)
);
CREATE TABLE notification_reads (
  user_id bigint NOT NULL REFERENCES users,
  nr      bigint NOT NULL,
  read_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, nr)
);

CREATE FUNCTION notification_marks_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM notification_marks m WHERE m.user_id = NEW.id;
  DELETE FROM notification_reads r WHERE r.user_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER notification_marks_end AFTER UPDATE OF deleted_at ON users
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION notification_marks_end();

-- The last of those for everyone; 0: none. With a person: the last that is older than the account,
-- which does not see it.
CREATE FUNCTION notifications_last() RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN coalesce((SELECT n.nr FROM notifications n WHERE n.nr IS NOT NULL ORDER BY n.nr DESC LIMIT 1), 0);
END
$$;
CREATE FUNCTION notifications_before(in_user bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  since timestamptz := (SELECT u.created_at FROM users u WHERE u.id = in_user);
BEGIN
  RETURN coalesce((SELECT n.nr FROM notifications n WHERE n.nr IS NOT NULL AND n.created_at < since
    ORDER BY n.created_at DESC LIMIT 1), 0);
END
$$;

-- How many a person has not read: the own ones are counted in an index of the unread, of those for
-- everyone nothing is counted.
CREATE FUNCTION notifications_unread(in_user bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT count(*) FROM notifications n WHERE n.user_id = in_user AND n.read_at IS NULL)
    + notifications_last() - coalesce(
      (SELECT m.up_to + m.beyond FROM notification_marks m WHERE m.user_id = in_user ORDER BY m.up_to DESC LIMIT 1),
      notifications_before(in_user));
END
$$;

-- A page, newest first; one row without an id when it is empty.
CREATE FUNCTION notifications_page(in_user bigint, in_offset bigint, in_limit bigint)
RETURNS TABLE (total bigint, unread bigint, id bigint, title text, body text, type text, read_at timestamptz,
  created_at timestamptz, created_by bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  before bigint := notifications_before(in_user);
  first bigint := in_offset + in_limit;
BEGIN
  total := (SELECT count(*) FROM notifications n WHERE n.user_id = in_user) + notifications_last() - before;
  unread := notifications_unread(in_user);
  RETURN QUERY
    SELECT notifications_page.total, notifications_page.unread, n.id, n.title, n.body, n.type,
           coalesce(n.read_at, r.read_at, m.read_at), n.created_at, n.created_by
      FROM (VALUES (1)) one (row)
      LEFT JOIN (
        (SELECT own.id FROM notifications own WHERE own.user_id = in_user ORDER BY own.id DESC LIMIT first)
        UNION ALL
        (SELECT a.id FROM notifications a WHERE a.nr IS NOT NULL AND a.nr > before ORDER BY a.nr DESC LIMIT first)
        ORDER BY id DESC OFFSET in_offset LIMIT in_limit) page ON true
      LEFT JOIN notifications n ON n.id = page.id
      LEFT JOIN notification_reads r ON r.user_id = in_user AND r.nr = n.nr
      LEFT JOIN LATERAL (SELECT k.read_at FROM notification_marks k
         WHERE k.user_id = in_user AND k.up_to >= n.nr ORDER BY k.up_to LIMIT 1) m ON true
     ORDER BY n.id DESC;
END
$$;

-- Reads one. outcome: 'ok', 'unknown' (or someone else's, or older than the account), 'again' (it was
-- read before). One at a time per person, so that each counts once.
CREATE FUNCTION notification_read(in_user bigint, in_id bigint, OUT outcome text, OUT id bigint, OUT title text,
  OUT body text, OUT type text, OUT read_at timestamptz, OUT created_at timestamptz, OUT created_by bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  item notifications%ROWTYPE;
  mark bigint;
BEGIN
  SELECT * INTO item FROM notifications n WHERE n.id = in_id;
  IF NOT FOUND OR item.user_id <> in_user OR item.nr <= notifications_before(in_user) THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  outcome := 'ok';
  IF item.nr IS NULL THEN
    UPDATE notifications n SET read_at = now() WHERE n.id = in_id AND n.read_at IS NULL;
  ELSE
    PERFORM FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    mark := (SELECT m.up_to FROM notification_marks m WHERE m.user_id = in_user ORDER BY m.up_to DESC LIMIT 1);
    INSERT INTO notification_reads (user_id, nr)
      SELECT in_user, item.nr WHERE mark IS NULL OR item.nr > mark ON CONFLICT DO NOTHING;
  END IF;
  IF NOT FOUND THEN
    outcome := 'again';
    RETURN;
  END IF;
  IF item.nr IS NOT NULL THEN
    INSERT INTO notification_marks AS m (user_id, up_to, beyond)
      VALUES (in_user, coalesce(mark, notifications_before(in_user)), 1)
      ON CONFLICT (user_id, up_to) DO UPDATE SET beyond = m.beyond + 1;
  END IF;
  id := item.id;
  title := item.title;
  body := item.body;
  type := item.type;
  read_at := now();
  created_at := item.created_at;
  created_by := item.created_by;
END
$$;

-- Reads all; how many were unread.
CREATE FUNCTION notifications_read(in_user bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  own bigint;
  last bigint;
  done bigint;
BEGIN
  PERFORM FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
  UPDATE notifications n SET read_at = now() WHERE n.user_id = in_user AND n.read_at IS NULL;
  GET DIAGNOSTICS own = ROW_COUNT;
  last := notifications_last();
  done := coalesce(
    (SELECT m.up_to + m.beyond FROM notification_marks m WHERE m.user_id = in_user ORDER BY m.up_to DESC LIMIT 1),
    notifications_before(in_user));
  IF done < last THEN
    INSERT INTO notification_marks (user_id, up_to, beyond) VALUES (in_user, last, 0);
  END IF;
  RETURN own + last - done;
END
$$;

-- Notifies people (null: everyone). outcome: 'ok', 'unknown' (one of them is no account, nobody was
-- notified). rows: "user:id user:id …", user 0: everyone, the form that notification_tell.lua reads.
CREATE FUNCTION notifications_send(in_actor bigint, in_users bigint[], in_title text, in_body text, in_type text,
  OUT outcome text, OUT rows text, OUT created_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  people bigint[] := ARRAY(SELECT DISTINCT p.id FROM unnest(in_users) p (id) ORDER BY p.id);
  found bigint;
BEGIN
  IF in_users IS NOT NULL THEN
    PERFORM FROM users u WHERE u.id = ANY (people) AND u.deleted_at IS NULL ORDER BY u.id FOR KEY SHARE;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found < cardinality(people) THEN
      outcome := 'unknown';
      RETURN;
    END IF;
  END IF;
  outcome := 'ok';
  IF in_users IS NULL THEN
    rows := '0:' || notify(NULL, in_title, in_body, in_type, in_actor);
  ELSE
    rows := (SELECT string_agg(p.id || ':' || notify(p.id, in_title, in_body, in_type, in_actor), ' ')
      FROM unnest(people) p (id));
  END IF;
  created_at := (SELECT n.created_at FROM notifications n WHERE n.id = substring(rows FROM ':(\d+)')::bigint);
  PERFORM audit_write('notification.send', in_actor, CASE WHEN cardinality(people) = 1 THEN people[1] END, NULL,
    jsonb_build_object('user_ids', to_jsonb(in_users), 'title', in_title, 'body', in_body, 'type', in_type));
END
$$;

-- ---- announcements: for everyone, signed in or not, until they expire ----

CREATE TABLE announcements (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title      text NOT NULL,
  body       text NOT NULL,
  type       text NOT NULL CHECK (type IN ('info', 'success', 'warning', 'error')),
  created_by bigint REFERENCES users,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT 'infinity'
);
CREATE INDEX announcements_live ON announcements (expires_at);

CREATE FUNCTION announcement_create(in_actor bigint, in_title text, in_body text, in_type text,
  in_expires timestamptz) RETURNS announcements
LANGUAGE plpgsql AS $$
DECLARE
  made announcements%ROWTYPE;
BEGIN
  INSERT INTO announcements (title, body, type, created_by, expires_at)
    VALUES (in_title, in_body, in_type, in_actor, coalesce(in_expires, 'infinity')) RETURNING * INTO made;
  PERFORM audit_write('announcement.create', in_actor, NULL, NULL, jsonb_build_object('id', made.id,
    'title', in_title, 'body', in_body, 'type', in_type, 'expires_at', iso(in_expires)));
  RETURN made;
END
$$;

-- False: there is none.
CREATE FUNCTION announcement_delete(in_actor bigint, in_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  gone announcements%ROWTYPE;
BEGIN
  DELETE FROM announcements a WHERE a.id = in_id RETURNING * INTO gone;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM audit_write('announcement.delete', in_actor, NULL, NULL,
    jsonb_build_object('id', gone.id, 'title', gone.title));
  RETURN true;
END
$$;

-- ---- statistics: counted when something changes, never when somebody asks ----

-- A change adds a row to count_deltas, so that nobody waits for anybody; every 64th of them folds what
-- has come together into `counts`. What there is of a name is the sum of both.
-- Subscriptions that end are counted under the end of the hour in which they do. So what is live now
-- is what ends in later hours, and of this hour what an index says of the rest of it.
CREATE TABLE counts (
  until timestamptz NOT NULL, -- 'infinity': does not end
  name  text NOT NULL,
  n     bigint NOT NULL,
  PRIMARY KEY (until, name)
);
CREATE TABLE count_deltas (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  until timestamptz NOT NULL,
  name  text NOT NULL,
  n     bigint NOT NULL
);

CREATE FUNCTION hour_end(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(at) THEN date_bin('1 hour', at, '2000-01-01T00:00:00Z') + interval '1 hour' ELSE 'infinity' END
$$;

-- Only whoever has the lock takes rows away and writes to `counts`; without it somebody else is at it.
CREATE FUNCTION counts_fold() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('counts', 0)) THEN
    RETURN;
  END IF;
  WITH taken AS (DELETE FROM count_deltas d RETURNING d.until, d.name, d.n)
  INSERT INTO counts AS c (until, name, n) SELECT t.until, t.name, sum(t.n) FROM taken t GROUP BY 1, 2
    ON CONFLICT (until, name) DO UPDATE SET n = c.n + excluded.n;
  DELETE FROM counts c WHERE c.until < now() - interval '1 day';
END
$$;

CREATE FUNCTION count_add(in_until timestamptz, in_name text, in_n bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  delta bigint;
BEGIN
  INSERT INTO count_deltas AS d (until, name, n) VALUES (in_until, in_name, in_n) RETURNING d.id INTO delta;
  IF delta % 64 = 0 THEN
    PERFORM counts_fold();
  END IF;
END
$$;

-- Under which names a row is counted.
CREATE FUNCTION counted(u users) RETURNS TABLE (until timestamptz, name text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF u.deleted_at IS NULL THEN
    until := 'infinity';
    name := 'users';
    RETURN NEXT;
    IF u.subscription_level > 0 THEN
      until := hour_end(coalesce(u.subscription_expires_at, 'infinity'));
      name := 'subscription ' || u.subscription_level;
      RETURN NEXT;
    END IF;
  END IF;
END
$$;
CREATE FUNCTION counted(b bots) RETURNS TABLE (until timestamptz, name text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF b.deleted_at IS NULL THEN
    until := 'infinity';
    name := 'bot ' || b.bot_type;
    RETURN NEXT;
  END IF;
END
$$;
CREATE FUNCTION counted(c chats) RETURNS TABLE (until timestamptz, name text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  until := 'infinity';
  name := 'chat ' || c.visibility;
  RETURN NEXT;
END
$$;

-- Rows that are made together are counted together.
CREATE FUNCTION count_made() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  CASE TG_TABLE_NAME
    WHEN 'users' THEN
      PERFORM count_add(s.until, s.name, s.n) FROM (
        SELECT c.until, c.name, count(*) AS n FROM made m, counted(m::users) c GROUP BY 1, 2) s;
    WHEN 'bots' THEN
      PERFORM count_add(s.until, s.name, s.n) FROM (
        SELECT c.until, c.name, count(*) AS n FROM made m, counted(m::bots) c GROUP BY 1, 2) s;
    ELSE
      PERFORM count_add(s.until, s.name, s.n) FROM (
        SELECT c.until, c.name, count(*) AS n FROM made m, counted(m::chats) c GROUP BY 1, 2) s;
  END CASE;
  RETURN NULL;
END
$$;
CREATE FUNCTION count_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_add(c.until, c.name, -1) FROM counted(OLD) c;
  IF TG_OP = 'UPDATE' THEN
    PERFORM count_add(c.until, c.name, 1) FROM counted(NEW) c;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER users_count AFTER INSERT ON users REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION count_made();
CREATE TRIGGER users_uncount AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION count_change();
CREATE TRIGGER users_recount AFTER UPDATE ON users FOR EACH ROW
  WHEN ((OLD.subscription_level, OLD.subscription_expires_at, OLD.deleted_at)
    IS DISTINCT FROM (NEW.subscription_level, NEW.subscription_expires_at, NEW.deleted_at))
  EXECUTE FUNCTION count_change();
CREATE TRIGGER bots_count AFTER INSERT ON bots REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION count_made();
CREATE TRIGGER bots_uncount AFTER DELETE ON bots FOR EACH ROW EXECUTE FUNCTION count_change();
CREATE TRIGGER bots_recount AFTER UPDATE ON bots FOR EACH ROW
  WHEN ((OLD.bot_type, OLD.deleted_at) IS DISTINCT FROM (NEW.bot_type, NEW.deleted_at))
  EXECUTE FUNCTION count_change();
CREATE TRIGGER chats_count AFTER INSERT ON chats REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION count_made();
CREATE TRIGGER chats_uncount AFTER DELETE ON chats FOR EACH ROW EXECUTE FUNCTION count_change();
CREATE TRIGGER chats_recount AFTER UPDATE ON chats FOR EACH ROW
  WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility) EXECUTE FUNCTION count_change();

-- What was there before.
INSERT INTO counts (until, name, n)
  SELECT c.until, c.name, count(*) FROM users u, counted(u) c GROUP BY 1, 2
  UNION ALL SELECT c.until, c.name, count(*) FROM bots b, counted(b) c GROUP BY 1, 2
  UNION ALL SELECT c.until, c.name, count(*) FROM chats h, counted(h) c GROUP BY 1, 2;

-- The counts as of now: 'users', 'subscription 1' to '3', 'bot 1' to '3', 'chat official', …
CREATE FUNCTION statistics() RETURNS TABLE (name text, n bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  hour timestamptz := hour_end(now());
BEGIN
  RETURN QUERY SELECT s.name, sum(s.n)::bigint FROM (
    SELECT c.name, c.n FROM counts c WHERE c.until > hour
    UNION ALL SELECT d.name, d.n FROM count_deltas d WHERE d.until > hour
    UNION ALL SELECT 'subscription ' || level, (SELECT count(*) FROM users u WHERE u.subscription_level = level
      AND u.subscription_level > 0 AND u.subscription_expires_at > now() AND u.subscription_expires_at < hour
      AND u.deleted_at IS NULL)
      FROM unnest(ARRAY[1, 2, 3]::smallint[]) level
  ) s GROUP BY s.name;
END
$$;
