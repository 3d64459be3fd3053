-- The keys of one shard of one queue and what its scripts share. Every key begins with KEYS[1], which ends in ':' and holds the hash
-- tag, so that a script touches one slot of a cluster. ARGV begins with the cap and the weight of tenants that have no share of their
-- own.
--
--   shard             hash    vtime: the shard's virtual time; sequence: the last number given to a request
--   runnable          zset    tenants in line, with ready requests and below their cap, by virtual time
--   capped            zset    tenants with ready requests that hold as many as they may, by virtual time
--   resting           zset    the other tenants with work here, by virtual time
--   spent             zset    tenants with nothing queued that are ahead of the shard's virtual time, by theirs
--   shares            hash    cap and weight of the tenants with work here that have a share of their own
--   held              hash    how many requests each tenant has leased; none has 0. A field without a name is there beside them
--   leases            zset    TENANT:ID/FENCE by time of expiry
--   delayed           zset    TENANT:ID by due time
--   waiting           set     tenants that have a waiting:T
--   wake              list    at most one marker: something for a receiver to look at
--   ready:T           zset    ids by (10 - priority) * 2^42 + sequence
--   waiting:T         set     ids of those that are leased and only wait for others: not in flight
--   delayed:T         set     ids of those that are delayed
--   request:T:ID      string  priority, fence, expiries, since (when it became ready), sequence, each of a fixed width, then the
--                             body. While it is leased, the lease has its fence, one more than here
--   dead:T            list    the newest dead letters, newest first
--
-- Times are microseconds of Redis's own clock. All but dead:T are gone when nothing is queued. A call reads and writes what it needs
-- of the shard and of the tenants' places in few commands, however many tenants it serves: each command costs about as much as the
-- work in it.

local base = KEYS[1]
local shard, wake, shares, held = base .. 'shard', base .. 'wake', base .. 'shares', base .. 'held'
local runnable, capped, resting, spent = base .. 'runnable', base .. 'capped', base .. 'resting', base .. 'spent'
local leases, delayed, waiting = base .. 'leases', base .. 'delayed', base .. 'waiting'

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function of_tenant(kind, tenant)
  return base .. kind .. ':' .. tenant
end

-- Tenant and the rest of a member; nil for one that is none of ours.
local function split(member)
  local colon = string.find(member, ':', 1, true)
  if not colon then
    return nil
  end
  return string.sub(member, 1, colon - 1), string.sub(member, colon + 1)
end

local function first_score(key)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and tonumber(head[2]) or math.huge
end

local function signal()
  if redis.call('EXISTS', wake) == 0 then
    redis.call('RPUSH', wake, 1)
  end
end

-- The shard's virtual time and last sequence number, with what this call changed.
local standing = redis.call('HMGET', shard, 'vtime', 'sequence')
local vtime, sequence = sane(standing[1]), math.floor(sane(standing[2]))
local vtime_before, sequence_before = vtime, sequence

-- Writes what changed of the shard, or ends the busy period, and with it what tenants spent, when nothing waits for its turn and
-- nothing is leased. Says whether anybody can be served, which the caller may know.
local function put_back(serves)
  if serves == nil then
    serves = redis.call('EXISTS', runnable) == 1
  end
  if not serves and redis.call('EXISTS', leases) == 0 then
    redis.call('UNLINK', spent, held)
    if redis.call('EXISTS', delayed) == 0 then
      redis.call('DEL', shard, wake)
      return false
    end
  end
  if vtime ~= vtime_before or sequence ~= sequence_before then
    redis.call('HSET', shard, 'vtime', vtime, 'sequence', whole(sequence))
  end
  return serves
end

-- Whether any requests only wait, any are delayed, and any tenants have a share of their own: seldom, so that all is asked at once.
local any = redis.call('EXISTS', waiting, delayed, shares) > 0
local any_waiting = any and redis.call('EXISTS', waiting) == 1
local any_delayed = any and redis.call('EXISTS', delayed) == 1
local any_shares = any and redis.call('EXISTS', shares) == 1
