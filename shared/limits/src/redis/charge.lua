-- Charges all counters, or none.
-- KEYS: the counters. ARGV: the time in microseconds (0 for this server's), a minute, how far ahead a
-- counter may be; then of each counter its limit, and the microseconds and parts of its cost.
-- Answers: 1 or 0, the time, and microseconds and parts of each counter, as it stands after.
local now, period, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

local before, after, admitted = {}, {}, 1
for i = 1, #KEYS do
    local limit = tonumber(ARGV[3 * i + 1])
    local micros, parts = now, 0
    local kept = redis.call('GET', KEYS[i])
    if kept then
        local whole, rest = string.match(kept, '^(%d+) (%d+)$')
        micros, parts = tonumber(whole) or now, tonumber(rest) or 0
        -- Kept under another limit: rounded up.
        if parts >= limit then micros, parts = micros + 1, 0 end
        if micros < now then micros, parts = now, 0 end
        if micros >= now + ahead then micros, parts = now + ahead, 0 end
    end
    before[i] = {micros, parts}
    micros, parts = micros + tonumber(ARGV[3 * i + 2]), parts + tonumber(ARGV[3 * i + 3])
    if parts >= limit then micros, parts = micros + 1, parts - limit end
    after[i] = {micros, parts}
    if micros > now + period or (micros == now + period and parts > 0) then admitted = 0 end
end

local answer = {admitted, now}
for i = 1, #KEYS do
    local micros, parts = unpack(admitted == 1 and after[i] or before[i])
    if admitted == 1 then
        local lifetime = math.ceil((micros - now) / 1000) + 1000
        redis.call('SET', KEYS[i], string.format('%.0f %.0f', micros, parts), 'PX', lifetime)
    end
    answer[2 * i + 1], answer[2 * i + 2] = micros, parts
end
return answer
