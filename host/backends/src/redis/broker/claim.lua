-- Handing out: the tenant that is furthest behind goes first; the shard's time is that at which the last one was served. The line is
-- read once and kept here while it changes.

-- The most of one tenant, and those of whom none is handed out.
local of_each, number_not_of, not_of = tonumber(ARGV[13]), tonumber(ARGV[14]), {}
for at = 15, 14 + number_not_of do
  not_of[ARGV[at]] = true
end

-- Reads who may be served by the next `wanted` turns at the latest, in order, and whether there may be more.
-- Those who were served come again in another list, so
-- that nobody has to move for them: most come behind all who did before.
local function read_line(wanted)
  local found = redis.call('ZRANGE', runnable, 0, wanted + number_not_of - 1, 'WITHSCORES')
  local line, again, names = { first = 1 }, { first = 1, last = 0 }, {}
  for at = 1, #found, 2 do
    local name = found[at]
    if not tenants[name] and not not_of[name] then
      note(name, runnable, sane(found[at + 1]))
      names[#names + 1] = name
    end
    if not not_of[name] then
      line[#line + 1] = tenants[name]
    end
  end
  if names[1] then
    look_up(names)
  end
  return line, again, #found / 2 == wanted + number_not_of
end

local function before(one, other)
  return one.vtime < other.vtime or one.vtime == other.vtime and one.name < other.name
end

-- Takes the first of both lists out; nil where both are empty.
local function next_in_line(line, again)
  local one, other = line[line.first], again[again.first]
  local from = one and (not other or before(one, other)) and line or again
  local tenant = from[from.first]
  if tenant then
    from[from.first], from.first = false, from.first + 1
  end
  return tenant
end

-- Puts a tenant that was served where it comes again.
local function come_again(again, tenant)
  local at = again.last + 1
  while at > again.first and before(tenant, again[at - 1]) do
    again[at] = again[at - 1]
    at = at - 1
  end
  again[at], again.last = tenant, again.last + 1
end

-- Looks at a tenant whose turn comes for the first time: how many it may be handed, and in which portions its ready ones are read:
-- one more than its part, which tells whether any is left.
local function begin_turns(tenant, wanted, number)
  tenant.room, tenant.portion = tenant.share.cap - in_flight(tenant), math.ceil(wanted / number) + 1
  tenant.taken, tenant.ready, tenant.before = 0, nil, 0
  tenant.wanted = tenant.wanted or of_each
end

-- The first of a tenant's ready requests that is not taken; nil where there is none. `ready` is the portion that was read last, before
-- which are `before` others.
local function peek(tenant)
  local ready = tenant.ready
  local id = ready and ready[tenant.taken - tenant.before + 1]
  if id or ready and #ready < tenant.portion then
    return id
  end
  ready = redis.call('ZRANGE', of_tenant('ready', tenant.name), tenant.taken, tenant.taken + tenant.portion - 1)
  tenant.ready, tenant.before = ready, tenant.taken
  return ready[1]
end

-- Takes a tenant's first ready request; what is handed out of it, nil where it is gone. The text goes out as it is: taking it apart
-- here would copy it.
local function hand_out(tenant, id, expiries, expiry)
  tenant.taken = tenant.taken + 1
  local text = redis.call('GET', request_key(tenant.name, id))
  if not text or #text < BODY then
    return nil
  end
  local at = #expiries
  expiries[at + 1], expiries[at + 2] = expiry, lease_of(tenant.name, id, whole(fence_in(text) + 1))
  tenant.room, tenant.wanted = tenant.room - 1, tenant.wanted - 1
  hold(tenant, 1)
  return { tenant.name, id, text }
end

-- Takes what a tenant was handed out of its ready ones, and leaves it in line or puts it where it belongs.
local function end_turns(tenant)
  local left = peek(tenant)
  if tenant.taken > 0 then
    redis.call('ZREMRANGEBYRANK', of_tenant('ready', tenant.name), 0, tenant.taken - 1)
  end
  if not left or tenant.room <= 0 then
    tenant.place, stood_ready[tenant.name] = left and capped or nil, nil
    place(tenant)
  end
  tenant.ready, tenant.room = nil, nil
end

-- One reading of the line. Adds to the answer; returns the bytes that may still be handed out, and whether more tenants may be in line
-- than were read.
local function serve(answer, wanted, expiry, bytes, cost)
  local line, again, more = read_line(wanted - #answer)
  local expiries, served, number = {}, {}, #line
  local left = wanted - #answer
  while left > 0 and bytes > 0 do
    local tenant = next_in_line(line, again)
    if not tenant then
      break
    elseif not tenant.room then
      begin_turns(tenant, left, number)
      served[#served + 1] = tenant
    end
    local id = tenant.room > 0 and tenant.wanted > 0 and peek(tenant)
    if id then
      vtime = vtime > tenant.vtime and vtime or tenant.vtime
      local delivery = hand_out(tenant, id, expiries, expiry)
      if delivery then
        answer[#answer + 1], left = delivery, left - 1
        bytes = bytes - #delivery[3]
        charge(tenant, cost)
      end
      come_again(again, tenant)
    end
  end
  for _, tenant in ipairs(served) do
    end_turns(tenant)
  end
  if expiries[1] then
    redis.call('ZADD', leases, unpack(expiries))
  end
  put_tenants_back(served)
  return bytes, more
end

-- Hands out up to `wanted` requests. The line is read again where tenants in it turned out to have none; not without end, as others
-- wait for the server.
local function claim(wanted, lease, bytes, cost)
  -- As text, which is made once: numbers are written anew for each command.
  local answer, more, readings, expiry = {}, true, 0, whole(now + lease)
  while #answer < wanted and bytes > 0 and more and readings < 4 do
    bytes, more = serve(answer, wanted, expiry, bytes, cost)
    readings = readings + 1
  end
  return answer
end
