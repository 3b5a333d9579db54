-- Lists in their order, without looking at all that there is.

-- The directory has those nobody is in by their activity; those people are in are in Redis.
CREATE INDEX chats_listed ON chats (visibility, last_activity_at DESC, id DESC) WHERE visibility <> 'private';
DROP INDEX chats_open;

-- Official or public chats in the order of the directory: those that people are in as Redis says, then the
-- others, the latest active first. A chat that has just changed its visibility may stand in the wrong
-- list of Redis: it is then looked for where it belongs. The plan is one for all pages: it takes longer
-- to plan than to read one, and what PostgreSQL would guess of them is wrong.
CREATE FUNCTION directory_of(in_visibility text, in_busy bigint[], in_online bigint[], in_most bigint)
RETURNS TABLE (id bigint, online bigint)
LANGUAGE plpgsql STABLE ROWS 50 SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  had bigint;
BEGIN
  RETURN QUERY SELECT b.id, b.online FROM unnest(in_busy, in_online) WITH ORDINALITY b (id, online, n)
    JOIN chats c ON c.id = b.id AND c.visibility = in_visibility ORDER BY b.n;
  GET DIAGNOSTICS had = ROW_COUNT;
  RETURN QUERY SELECT c.id, 0::bigint FROM chats c WHERE c.visibility = in_visibility AND c.visibility <> 'private'
     AND c.id NOT IN (SELECT unnest(in_busy)) ORDER BY c.last_activity_at DESC, c.id DESC LIMIT greatest(in_most - had, 0);
END
$$;

-- What it costs to take a name apart that no index has taken apart already.
ALTER FUNCTION name_parts(text) COST 500;

-- Those by which a part of a name is found: they cover it, since each of them costs as many names as
-- have it; has_part() looks at the names that have them all.
CREATE OR REPLACE FUNCTION parts_of(part text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  small text := lower(part);
  last integer := greatest(length(small) - 2, 1);
BEGIN
  RETURN ARRAY(SELECT substr(small, least(i, last), 3) FROM generate_series(1, last + 2, 3) i WHERE small <> '');
END
$$;
