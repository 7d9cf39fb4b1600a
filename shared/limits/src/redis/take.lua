-- Takes a slot of each counter, or none.
-- KEYS: the counters. ARGV: the time in microseconds (0 for this server's), how long a slot stands, its
-- holder; then the limit of each counter.
-- Answers: 0, or the place of the first counter that has none left.
local now, lifetime, holder = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

for i = 1, #KEYS do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now))
    if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[3 + i]) then return i end
end
for i = 1, #KEYS do
    redis.call('ZADD', KEYS[i], string.format('%.0f', now + lifetime), holder)
    redis.call('PEXPIRE', KEYS[i], math.ceil(lifetime / 1000))
end
return 0
