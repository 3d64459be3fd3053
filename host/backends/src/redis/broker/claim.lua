-- Handing out: the tenant that is furthest behind goes first; the shard's time is that at which the last one was served. The line is
-- read once and kept here while it changes, its first tenant last in the list.

-- Reads who may be served by the next `wanted` turns at the latest.
local function read_line(wanted)
  local found, line, names = redis.call('ZRANGE', runnable, 0, wanted - 1, 'WITHSCORES'), {}, {}
  for at = #found - 1, 1, -2 do
    if not tenants[found[at]] then
      note(found[at], runnable, sane(found[at + 1]))
      names[#names + 1] = found[at]
    end
    line[#line + 1] = tenants[found[at]]
  end
  if names[1] then
    share_out(names)
  end
  return line
end

local function before(one, other)
  return one.vtime < other.vtime or one.vtime == other.vtime and one.name < other.name
end

-- Puts a tenant that was served back in line, before the first that comes after it.
local function line_up(line, tenant)
  local low, high = 1, #line + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if before(tenant, line[middle]) then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(line, low, tenant)
end

-- Looks at a tenant whose turn comes for the first time: how many it may be handed, and in which portions its ready ones are read:
-- one more than its part, which tells whether any is left.
local function begin_turns(tenant, held, wanted, number)
  -- No tenant holds more than the shard does.
  local room = tenant.share.cap - held
  tenant.room = room > wanted and room or tenant.share.cap - in_flight(tenant)
  tenant.ready, tenant.taken, tenant.handed_out = {}, 0, {}
  tenant.portion = math.ceil(wanted / number) + 1
end

-- The first of a tenant's ready requests that is not taken; nil where there is none.
local function peek(tenant)
  local id = tenant.ready[tenant.taken + 1]
  if id or tenant.all_read then
    return id
  end
  local more = redis.call('ZRANGE', of_tenant('ready', tenant.name), tenant.taken, tenant.taken + tenant.portion - 1)
  for i, another in ipairs(more) do
    tenant.ready[tenant.taken + i] = another
  end
  tenant.all_read = #more < tenant.portion
  return more[1]
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
  tenant.handed_out[#tenant.handed_out + 1] = id
  tenant.room = tenant.room - 1
  return { tenant.name, id, text }
end

-- Writes down what a tenant was handed.
local function end_turns(tenant)
  local name, handed_out = tenant.name, tenant.handed_out
  local stays = tenant.room > 0 and peek(tenant)
  if tenant.taken > 0 then
    redis.call('ZREMRANGEBYRANK', of_tenant('ready', name), 0, tenant.taken - 1)
  end
  if handed_out[1] then
    redis.call('SADD', of_tenant('leases', name), unpack(handed_out))
  end
  if not stays then
    tenant.place = handed_out[1] and resting or nil
    if not tenant.place then
      place(tenant)
    end
  end
end

-- One reading of the line. Adds to the answer; returns the bytes that may still be handed out, and whether more tenants may be in line
-- than were read.
local function serve(answer, wanted, expiry, bytes, cost)
  local line, held, expiries, served = read_line(wanted - #answer), redis.call('ZCARD', leases), {}, {}
  local number, more = #line, #line == wanted - #answer
  while #answer < wanted and bytes > 0 and line[1] do
    local tenant = table.remove(line)
    if not tenant.room then
      begin_turns(tenant, held, wanted - #answer, number)
      served[#served + 1] = tenant
    end
    local id = tenant.room > 0 and peek(tenant)
    if id then
      vtime = math.max(vtime, tenant.vtime)
      local delivery = hand_out(tenant, id, expiries, expiry)
      if delivery then
        answer[#answer + 1] = delivery
        bytes = bytes - #delivery[3]
        charge(tenant, cost)
      end
      line_up(line, tenant)
    end
  end
  for _, tenant in ipairs(served) do
    end_turns(tenant)
    tenant.room, tenant.all_read = nil, nil
  end
  if expiries[1] then
    redis.call('ZADD', leases, unpack(expiries))
  end
  put_tenants_back()
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
