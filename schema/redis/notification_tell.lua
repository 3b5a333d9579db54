-- Tells of notifications that are committed: counts of unread ones are out of date, and the sockets
-- concerned hear of it.
--
-- ARGV 1 "user:id user:id …", user 0: everyone; 2 the item behind its id; 3 milliseconds for which no
--      count of the person may be kept (store/notification.h)
for user, id in string.gmatch(ARGV[1], '(%d+):(%d+)') do
  local message = 'r notification:new - -\n{"id":' .. id .. ',' .. ARGV[2]
  if user == '0' then
    redis.call('INCR', 'portal:unread:all')
    redis.call('PUBLISH', 'portal:all', message)
  else
    redis.call('SET', 'portal:unread:' .. user, '-', 'PX', ARGV[3])
    redis.call('PUBLISH', 'portal:user:' .. user, message)
  end
end
return 0
