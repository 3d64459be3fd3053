-- The tenants of a shard: each one's virtual time, share, number of leases and place. All are changed here and written by
-- `put_tenants_back`.

local ordinary = { cap = tonumber(ARGV[1]), weight = tonumber(ARGV[2]), text = '' }

-- The tenants that this call has to do with, by name.
local tenants = {}

local function share_in(text)
  local cap, weight = string.match(text or '', '^(%d+) (%d+)$')
  return cap and { cap = tonumber(cap), weight = math.max(tonumber(weight), 1), text = text } or ordinary
end

-- Reads what else is written down of these tenants.
local function look_up(names)
  local counts = redis.call('HMGET', held, unpack(names))
  local texts = any_shares and redis.call('HMGET', shares, unpack(names))
  for i, name in ipairs(names) do
    local tenant = tenants[name]
    if texts and texts[i] then
      tenant.share, tenant.share_before = share_in(texts[i]), texts[i]
    end
    if counts[i] then
      tenant.held = sane(counts[i])
      tenant.held_before = tenant.held
    end
  end
end

-- With all that a tenant will have, so that it is made in one piece.
local function note(name, place, at)
  tenants[name] = {
    name = name, place = place, vtime = at, place_before = place, vtime_before = at, share = ordinary, share_before = '', held = 0,
    held_before = 0, room = nil, wanted = nil, portion = nil, ready = nil, taken = nil, before = nil,
  }
end

-- Takes up tenants, each once. One that is nowhere begins at the shard's time.
local function take_up(names)
  local missing = names
  for _, place in ipairs({ runnable, resting, capped, spent }) do
    local scores, left = missing[1] and redis.call('ZMSCORE', place, unpack(missing)), {}
    for i, name in ipairs(missing) do
      if scores[i] then
        note(name, place, sane(scores[i]))
      else
        left[#left + 1] = name
      end
    end
    missing = left
  end
  for _, name in ipairs(missing) do
    note(name, nil, vtime)
  end
  if names[1] then
    look_up(names)
  end
end

-- Adds a tenant to those that are to be taken up.
local function add_new(names, seen, name)
  if not seen[name] and not tenants[name] then
    seen[name] = true
    names[#names + 1] = name
  end
end

-- Notes what a tenant may use: '' or cap and weight.
local function agree(tenant, text)
  if tenant.share.text ~= text then
    tenant.share = share_in(text)
  end
end

local function charge(tenant, cost)
  tenant.vtime = tenant.vtime + cost / tenant.share.weight
end

-- Notes that so many leases more, or fewer, are a tenant's.
local function hold(tenant, more)
  tenant.held = math.max(tenant.held + more, 0)
end

local function in_flight(tenant)
  return any_waiting and tenant.held - redis.call('SCARD', of_tenant('waiting', tenant.name)) or tenant.held
end

local function has_delayed(tenant)
  return any_delayed and redis.call('EXISTS', of_tenant('delayed', tenant.name)) == 1
end

-- Puts a tenant that is not in line where it belongs after anything about it changed. Where it was tells whether it had ready requests.
local function place(tenant)
  if tenant.place == runnable then
    return
  end
  local ready = tenant.place == capped or stood_ready[tenant.name]
  if ready and in_flight(tenant) < tenant.share.cap then
    -- Whoever comes back into the line gets no credit for the time it was away.
    tenant.vtime, tenant.place = math.max(tenant.vtime, vtime), runnable
  elseif ready then
    tenant.place = capped
  elseif tenant.held > 0 or has_delayed(tenant) then
    tenant.place = resting
  else
    tenant.place = tenant.vtime > vtime and spent or nil
  end
end

-- Adds one or two values to the list of a key.
local function append(lists, key, first, second)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  local last = #list
  list[last + 1] = first
  list[last + 2] = second
end

-- Redis searches small hashes from their beginning, for each field, unless a value is longer than this allows.
local LONG = string.rep('-', 65)

local function call_each(command, lists)
  for key, list in pairs(lists) do
    redis.call(command, key, unpack(list))
  end
end

-- Writes a tenant's field of a hash where it changed; one that says nothing is not there.
local function put_field_back(key, name, text, before, nothing, kept, dropped)
  if text == before then
    return
  elseif text == nothing then
    append(dropped, key, name)
  else
    append(kept, key, name, text)
  end
end

-- Writes what changed of these tenants.
local function put_tenants_back(changed)
  local added, removed, kept, dropped = {}, {}, {}, {}
  for _, tenant in pairs(changed) do
    local name = tenant.name
    local moved = tenant.place ~= tenant.place_before
    if moved and tenant.place_before then
      append(removed, tenant.place_before, name)
    end
    if tenant.place and (moved or tenant.vtime ~= tenant.vtime_before) then
      append(added, tenant.place, tenant.vtime, name)
    end
    -- Only those with work here keep a share.
    local share = tenant.place and tenant.place ~= spent and tenant.share.text or ''
    put_field_back(shares, name, share, tenant.share_before, '', kept, dropped)
    put_field_back(held, name, whole(tenant.held), whole(tenant.held_before), '0', kept, dropped)
    tenant.place_before, tenant.vtime_before = tenant.place, tenant.vtime
    tenant.share_before, tenant.held_before = share, tenant.held
  end
  call_each('ZREM', removed)
  call_each('ZADD', added)
  if kept[held] then
    append(kept, held, '', LONG)
  end
  call_each('HSET', kept)
  call_each('HDEL', dropped)
end

-- A request that is here comes from elsewhere: the holder of the lease with this fence gave it back, or somebody sent it again.
local function come_back(tenant, id, fence)
  if redis.call('ZREM', leases, lease_of(tenant, id, whole(fence))) == 1 then
    hold(tenants[tenant], -1)
    wait_no_more(tenant, id)
    make_ready(tenant, id, fence)
  else
    renumber(tenant, id, function(numbers)
      numbers.fence = math.max(numbers.fence, fence)
    end)
  end
end

-- Queues a request. ARGV from `at` on: id, priority, delay, fence of its last hand-out elsewhere, body. One that is queued or leased
-- already is left as it is, but for what that fence says.
local function queue(tenant, at)
  local id, delay, fence = ARGV[at], tonumber(ARGV[at + 2]), sane(ARGV[at + 3])
  local numbers = {
    priority = sane(ARGV[at + 1]), fence = fence, expiries = 0, since = now, sequence = delay > 0 and 0 or next_sequence(),
  }
  if not redis.call('SET', request_key(tenant, id), text_of(numbers) .. ARGV[at + 4], 'NX') then
    if fence > 0 then
      come_back(tenant, id, fence)
    end
    return
  end
  if delay > 0 then
    hold_back(tenant, id, delay)
  else
    stand_ready(tenant, id, numbers)
  end
end

-- Takes up the one tenant whose requests a call queues.
local function enter(name, share)
  take_up({ name })
  agree(tenants[name], share)
  return tenants[name]
end

-- Puts a tenant whose requests were queued where it belongs, and wakes a receiver where there may be something for it.
local function finish_queueing(tenant)
  place(tenant)
  put_tenants_back(tenants)
  if put_back(tenant.place == runnable or nil) then
    signal()
  end
end
