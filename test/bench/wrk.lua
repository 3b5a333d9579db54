-- What wrk sends beyond one fixed GET. One thread only: the state below is that thread's.
--
--   wrk … -- get PATH TOKENS             GET of PATH with the sessions of the file TOKENS, in turn
--   wrk … -- verify CODES                each "address code" of the file CODES once, then ends
--   wrk … -- match STEP TOKENS           each session of the file TOKENS once (STEP enqueue: with interests, leave), then ends
--   wrk … -- flow STEP FROM COUNT KEY [OUT]
--       people FROM … FROM+COUNT-1 ask for a code, their bot (KEY) fetches it (STEP code) and they sign
--       in (STEP verify). With OUT each once: writes "address code" or tokens there, then ends.
--       Without OUT round and round until the time is over. Prints `finished: N`.
--
-- An answer does not tell which request it belongs to; the server gives back X-Correlation-ID, and
-- the number of the person is in it.
local ffi = require("ffi")
ffi.cdef("int kill(int, int); int getpid(void);")

local threads = {}
finished = 0
local refused, stopping = 0, false

-- Ends the run: this thread at once, then the first one, which sleeps until the time is over.
local function stop()
  if not stopping then
    stopping = true
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
  end
end

local function lines(path)
  local list = {}
  for line in io.lines(path) do
    list[#list + 1] = line
  end
  return list
end

local function address_of(i)
  return string.format("10.%d.%d.%d", math.floor(i / 62500) % 250, math.floor(i / 250) % 250, i % 250 + 1)
end

local function post(i, path, address, body, more)
  return wrk.format("POST", path, {
    ["Content-Type"] = "application/json",
    ["X-Forwarded-For"] = address,
    ["X-Correlation-ID"] = string.format("00000000-0000-4000-8000-%012d", i),
    ["X-API-Key"] = more,
  }, body)
end

-- wrk asks for one request before it begins, to look at it, and does not send that: it is given out
-- again.
local function sender(next_request)
  local shown, calls = nil, 0
  return function()
    calls = calls + 1
    if calls == 1 then
      shown = next_request()
    end
    if calls <= 2 then
      return shown
    end
    return next_request()
  end
end

local modes = {}

function modes.get(path, tokens)
  local requests, n = {}, 0
  for i, token in ipairs(lines(tokens)) do
    requests[i] = wrk.format("GET", path, { Cookie = "psession=" .. token })
  end
  request = function()
    n = n % #requests + 1
    return requests[n]
  end
end

-- Each of them, then the run ends.
local function each_once(requests)
  local filler, n = wrk.format("GET", "/livez"), 0 -- what is asked of other connections before all stand still
  request = sender(function()
    n = n + 1
    if n > #requests then
      stop()
    end
    return requests[n] or filler
  end)
end

function modes.verify(codes)
  local requests = {}
  for i, line in ipairs(lines(codes)) do
    local address, code = line:match("(%S+) (%S+)")
    requests[i] = post(i, "/v1/authentication/verify", address, '{"code":"' .. code .. '"}')
  end
  each_once(requests)
end

-- One in ten looks for anybody, the others for one to three of a hundred tags; the same each time.
local function interests()
  if math.random(10) == 1 then
    return '{"interest":"any"}'
  end
  local tags = {}
  for i = 1, math.random(3) do
    tags[i] = string.format('"tag%03d"', math.random(100))
  end
  return '{"interests":[' .. table.concat(tags, ",") .. "]}"
end

function modes.match(step, tokens)
  local requests = {}
  math.randomseed(5)
  for i, token in ipairs(lines(tokens)) do
    local headers = { Cookie = "psession=" .. token }
    local body
    if step == "enqueue" then
      headers["Content-Type"] = "application/json"
      body = interests()
    end
    requests[i] = wrk.format("POST", "/v1/portal/match/" .. step, headers, body)
  end
  each_once(requests)
end

function modes.flow(step, from, count, key, out)
  from, count = tonumber(from), tonumber(count)
  local file = out and assert(io.open(out, "w"))
  local filler = wrk.format("GET", "/livez")
  local begun, ready, first, last = 0, {}, 1, 0
  local base = 100000000000 -- ids of the platform are digits

  local function later(r)
    last = last + 1
    ready[last] = r
  end

  local function ended(text)
    finished = finished + 1
    if file then
      file:write(text, "\n")
      if finished == count then
        file:close()
        stop()
      end
    end
  end

  request = sender(function()
    if first <= last then
      local r = ready[first]
      ready[first] = nil
      first = first + 1
      return r
    end
    if file and begun == count then
      return filler
    end
    local i = from + begun % count
    begun = begun + 1
    return post(i, "/v1/authentication/request", address_of(i),
      string.format('{"platform":"discord","platform_user_id":"%.0f"}', base + i))
  end)

  response = function(status, headers, body)
    local i, cookie
    for name, value in pairs(headers) do
      local lower = name:lower()
      if lower == "x-correlation-id" then
        i = tonumber(value:match("^00000000%-0000%-4000%-8000%-(%d+)$"))
      elseif lower == "set-cookie" then
        cookie = value:match("psession=([%w_-]+)")
      end
    end
    if not i then -- the filler's
      return
    end
    if status ~= 200 then
      refused = refused + 1
      if refused <= 3 then
        io.stderr:write("bench: ", status, " ", body, "\n")
      end
      return
    end
    local code = body:match('"code": *"(%w+)"')
    if cookie then
      ended(cookie)
    elseif code and step == "code" then
      ended(address_of(i) .. " " .. code)
    elseif code then
      later(post(i, "/v1/authentication/verify", address_of(i), '{"code":"' .. code .. '"}'))
    else
      later(post(i, "/v1/authentication/bot/login-code", "10.255.0.1", string.format(
        '{"platform":"discord","platform_user_id":"%.0f","platform_username":"person %d",' ..
        '"platform_avatar_url":"https://example.org/%d.png"}', base + i, i, i), key))
    end
  end
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  modes[args[1]](unpack(args, 2))
end

function done()
  for _, thread in ipairs(threads) do
    print("finished: " .. thread:get("finished"))
  end
end
