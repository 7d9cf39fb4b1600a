-- Lets slots of one counter stand for longer, those that still stand.
-- KEYS[1]: the counter. ARGV: the time in microseconds (0 for this server's), how long a slot stands;
-- then the holders.
local now, lifetime = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
for i = 3, #ARGV do
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + lifetime), ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], math.ceil(lifetime / 1000))
return 1
