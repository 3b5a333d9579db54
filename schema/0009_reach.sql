-- What lists and changes look for is in an index, however many rows there are.

-- ---- parts of names ----

-- All that a name has of one, two and three letters in a row, small: who looks for a part of it, looks for
-- these.
CREATE FUNCTION name_parts(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  small text := lower(name);
  parts text[] := '{}';
BEGIN
  FOR i IN 1 .. length(small) LOOP
    parts := parts || ARRAY[substr(small, i, 1), substr(small, i, 2), substr(small, i, 3)];
  END LOOP;
  RETURN parts;
END
$$;

-- Those by which a part of a name is found.
CREATE FUNCTION parts_of(part text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  small text := lower(part);
BEGIN
  RETURN ARRAY(SELECT substr(small, i, 3) FROM generate_series(1, greatest(length(small) - 2, 1)) i WHERE small <> '');
END
$$;

-- Is it a part of the name? A function that plans look into, so that they find the index.
CREATE FUNCTION has_part(name text, part text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT name_parts(name) @> parts_of(part) AND strpos(lower(name), lower(part)) > 0
$$;

DROP INDEX users_search;
DROP INDEX bots_search;
CREATE INDEX users_parts ON users USING gin (name_parts(username)) WHERE deleted_at IS NULL;
CREATE INDEX bots_parts ON bots USING gin (name_parts(name)) WHERE deleted_at IS NULL;

-- A chat is looked for by name and slug, which a part cannot reach across.
CREATE FUNCTION chat_words(name text, slug text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT name || E'\n' || coalesce(slug, '')
$$;
CREATE INDEX chats_parts ON chats USING gin (name_parts(chat_words(name, slug)));

-- ---- what references and prunings look for ----

-- A chat that goes takes its bans along, of people and of identities.
CREATE INDEX chat_bans_chat ON chat_bans (chat_id);

-- Deletes some of the entries that a prune record covers; returns how many.
CREATE OR REPLACE FUNCTION audit_sweep(in_limit bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  upto bigint := (SELECT h.pruned_id FROM audit_head h);
  gone bigint;
BEGIN
  DELETE FROM audit_log a WHERE a.id = ANY (ARRAY(
    SELECT l.id FROM audit_log l WHERE l.id <= upto ORDER BY l.id LIMIT in_limit));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;
