-- Notifications: one row for everyone, read marks, announcements; and the counters of statistics.

-- Notifications for everyone are numbered 1, 2, 3 … in the order of their commits and of created_at,
-- so that how many a person has not read is a subtraction.
ALTER TABLE notifications ADD nr bigint;
UPDATE notifications n SET nr = o.nr
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS nr FROM notifications WHERE user_id IS NULL) o
 WHERE n.id = o.id;
ALTER TABLE notifications ADD CHECK ((nr IS NULL) = (user_id IS NOT NULL));
CREATE UNIQUE INDEX notifications_all ON notifications (nr) WHERE nr IS NOT NULL;

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
