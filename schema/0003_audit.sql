-- The audit log: what was done in the name of the platform and its chats, by whom, to whom. Entries
-- are only ever added, and each carries the hash of the one before, so that a change, a gap or an
-- insertion shows. No references: what they name may go, the entries stay.

CREATE TABLE audit_log (
  id         bigint PRIMARY KEY, -- 1, 2, 3 … without a gap
  event_type text NOT NULL,      -- "chat.ban", "platform.timeout"
  actor_id   bigint,             -- null: the command line, or the server itself
  target_id  bigint,             -- a person
  chat_id    bigint,
  data       jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  prev_hash  bytea NOT NULL,     -- of the entry before; of the first: empty
  hash       bytea NOT NULL UNIQUE
);

CREATE FUNCTION audit_hash(a audit_log) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(a.prev_hash || convert_to(jsonb_build_array(a.id, a.event_type, a.actor_id, a.target_id,
    a.chat_id, a.data, iso(a.created_at))::text, 'UTF8'))
$$;

-- Adds an entry, in the transaction of what it tells of. Writers go one at a time, each until its
-- commit: call it last, when all other locks are held.
CREATE FUNCTION audit_write(in_event text, in_actor bigint, in_target bigint, in_chat bigint, in_data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  entry audit_log%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit', 0));
  SELECT a.id, a.hash INTO entry.id, entry.prev_hash FROM audit_log a ORDER BY a.id DESC LIMIT 1;
  entry.id := coalesce(entry.id, 0) + 1;
  entry.event_type := in_event;
  entry.actor_id := in_actor;
  entry.target_id := in_target;
  entry.chat_id := in_chat;
  entry.data := coalesce(in_data, '{}');
  entry.created_at := clock_timestamp();
  entry.prev_hash := coalesce(entry.prev_hash, '');
  entry.hash := audit_hash(entry);
  INSERT INTO audit_log VALUES (entry.*);
END
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
