-- Who does not want to meet whom again: the matcher pairs neither with the other.
CREATE TABLE user_blocks (
  blocker_id bigint NOT NULL REFERENCES users,
  blocked_id bigint NOT NULL REFERENCES users CHECK (blocked_id <> blocker_id),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (blocker_id, blocked_id)
);
CREATE INDEX user_blocks_newest ON user_blocks (blocker_id, created_at DESC);
CREATE INDEX user_blocks_blocked ON user_blocks (blocked_id);

-- Everyone whom a person blocks, or who blocks them.
CREATE FUNCTION user_avoids(in_user bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
  SELECT b.blocked_id FROM user_blocks b WHERE b.blocker_id = in_user
  UNION SELECT b.blocker_id FROM user_blocks b WHERE b.blocked_id = in_user
$$;

CREATE FUNCTION user_blocks_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM user_blocks b WHERE b.blocker_id = NEW.id;
  DELETE FROM user_blocks b WHERE b.blocked_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER user_blocks_end AFTER UPDATE OF deleted_at ON users
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION user_blocks_end();
