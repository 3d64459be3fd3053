-- What several scripts need to know of a result. States are JSON text, as in the hash.
local FINAL = { ['"SUCCESS"'] = true, ['"FAILURE"'] = true, ['"REVOKED"'] = true, ['"INVALID"'] = true }

-- Keys of the results that are not final, by the microsecond in which they were created.
local OPEN = 'mogbox.open'

-- The fields that a step depends on; false where there is no result. Mognet's client creates a hash of an id alone: PENDING.
local function standing(key)
    local found = redis.call('HMGET', key, 'state', 'attempt', 'number_of_starts', 'number_of_stops', 'retries', 'created', 'queue')
    if not found[1] and redis.call('EXISTS', key) == 0 then
        return false
    end
    return {
        state = found[1] or '"PENDING"',
        attempt = number_in(found[2]),
        starts = number_in(found[3]),
        stops = number_in(found[4]),
        retries = number_in(found[5]),
        created = found[6] or 'null',
        -- Whether it has fields that are not Mognet's.
        ours = found[2] or found[5] or found[7],
    }
end

-- Whether every number is one. Others write here too.
local function sound(result)
    return result.attempt and result.starts and result.stops and result.retries
end

local function malformed(key)
    return redis.error_reply('MALFORMED result ' .. key .. ' has a number that is none')
end

-- Why an attempt may not write beside this result: nil where it may, else 'MISSING', 'FENCED' or an error. An attempt whose result
-- is final holds it no more. The fence '' is that of a writer from outside, who needs no more than a result.
local function refused(key, fence)
    local result = standing(key)
    if not result then
        return 'MISSING'
    elseif not sound(result) then
        return malformed(key)
    elseif fence ~= '' and (FINAL[result.state] or number_in(fence) < result.attempt) then
        return 'FENCED'
    end
end

-- A result that was created within the hour of `at` lives long enough without being told so again: moments are JSON text, RFC 3339, or
-- '' where none is known.
local function live_on(key, result, at, ttl)
    if string.sub(result.created, 1, 14) ~= string.sub(at, 1, 14) then
        redis.call('EXPIRE', key, ttl)
    end
end

-- Takes several steps, each apart from the others: what one meets that makes no sense is its own answer. Any other error, such as that
-- of a store that is full, is the second one, and ends the whole call, which may be sent again. The arguments of the steps begin at
-- `first`; `size` tells how many keys and arguments the step has whose arguments begin there, and `take` takes it, given where both do.
local function take_each(first, size, take)
    local answers, keys, at, last = {}, 1, first, #ARGV
    local function go_on()
        while at <= last do
            local its_keys, its_arguments = keys, at
            local more_keys, more_arguments = size(at)
            keys, at = keys + more_keys, at + more_arguments
            local answer = take(its_keys, its_arguments)
            answers[#answers + 1] = type(answer) == 'table' and 'MALFORMED ' .. answer.err or answer
        end
    end
    while true do
        local done, failure = pcall(go_on)
        if done then
            return answers
        end
        local text = type(failure) == 'table' and failure.err or tostring(failure)
        if not string.find(text, 'MALFORMED', 1, true) and not string.find(text, 'WRONGTYPE', 1, true) then
            return nil, redis.error_reply(text)
        end
        answers[#answers + 1] = 'MALFORMED ' .. text
    end
end

-- Results that became final in this call, and the channels of those who may wait for them.
local concluded, channels = {}, {}

-- A result becomes final: without the fields that are not Mognet's, and with its value. The arguments from `first` on: contents,
-- encoding, content type, channel. `result` is what it was before, false where there was none.
local function conclude(key, result, value, ttl, arguments, first)
    if result and result.ours then
        redis.call('HDEL', key, 'attempt', 'retries', 'queue')
    end
    redis.call('HSET', value, 'contents', arguments[first], 'encoding', arguments[first + 1], 'content_type', arguments[first + 2])
    redis.call('EXPIRE', value, ttl)
    concluded[#concluded + 1], channels[#channels + 1] = key, arguments[first + 3]
end

-- Tells of all that became final to those who listen, to these results or to all of a pattern. Most results are waited for by nobody,
-- and asking costs less than telling.
local function announce()
    if not concluded[1] then
        return
    end
    redis.call('ZREM', OPEN, unpack(concluded))
    local to_all = redis.call('PUBSUB', 'NUMPAT') > 0
    local listeners = redis.call('PUBSUB', 'NUMSUB', unpack(channels))
    for i = 1, #listeners, 2 do
        if to_all or listeners[i + 1] > 0 then
            redis.call('PUBLISH', listeners[i], '')
        end
    end
end
