-- What the ledger does at once, inside the engine. `library.rs` puts `time()` before this text, and what
-- makes it a library of functions or a script behind it: each `local function NAME(keys, args)` is a step.
--
-- A user is two keys in one hash slot: `members` (HASH: key of a manager -> its parts) and `state` (HASH: what
-- an operator set for the user, and its temporary slots). A part is one node's share of a manager:
--   epoch 8 B, manager 6 B, expires 6 B, published 6 B, state 2 B, length of signals 1 B, signals
-- Times are milliseconds of this engine's clock. Nothing here decides whom to evict.

local PART = '>c8I6I6I6I2Bc0'
local ENTERED, FULL, BLOCKED, LATE = 0, 1, 2, 3
local LIVE, NEW, DEAD, TAKEN = 0, 1, 2, 3
local DEAD_MAX = 1024

local function set_of(epochs)
    local set = {}
    for at = 1, #epochs, 8 do set[string.sub(epochs, at, at + 7)] = true end
    return set
end

-- The parts of a value that hold: those that have not run out, on nodes that are not dead.
local function living(value, now, dead)
    local kept, at = {}, 1
    while at <= #value do
        local epoch, _, expires, _, _, _, next = struct.unpack(PART, value, at)
        if expires > now and not dead[epoch] then kept[#kept + 1] = string.sub(value, at, next - 1) end
        at = next
    end
    return table.concat(kept)
end

-- A value with the part of one node changed: by `change(manager, part)`, which gets none where the node has no
-- part, and returns the part's new bytes, or none. Everything else stays, in its order.
local function changed(value, epoch, change)
    local kept, at, found = {}, 1, false
    while at <= #value do
        local owner, manager, _, _, _, _, next = struct.unpack(PART, value, at)
        local part = string.sub(value, at, next - 1)
        if owner == epoch then
            found = true
            part = change(manager, part) or ''
        end
        kept[#kept + 1] = part
        at = next
    end
    if not found then kept[#kept + 1] = change(nil, nil) or '' end
    return table.concat(kept)
end

-- Whose parts these are: epoch and manager of each, as a victim is named.
local function lives_of(value)
    local lives, at = {}, 1
    while at <= #value do
        local _, _, _, _, _, _, next = struct.unpack(PART, value, at)
        lives[#lives + 1] = string.sub(value, at, at + 13)
        at = next
    end
    return table.concat(lives)
end

local function put(members, key, value)
    if value == '' then redis.call('HDEL', members, key) else redis.call('HSET', members, key, value) end
end

-- Takes away what does not hold. Returns the rest: key, value, key, value.
local function purge(members, now, dead)
    local rows, kept = redis.call('HGETALL', members), {}
    for at = 1, #rows, 2 do
        local value = living(rows[at + 1], now, dead)
        if value ~= rows[at + 1] then put(members, rows[at], value) end
        if value ~= '' then
            kept[#kept + 1] = rows[at]
            kept[#kept + 1] = value
        end
    end
    return kept
end

local function holds(till, now) return till and (till == '0' or tonumber(till) > now) end

-- A user's own limit, that with its temporary slots, and until when it is blocked.
local function terms(state, limit, now)
    local set = redis.call('HMGET', state, 'limit', 'limit_till', 'block_till', 'lent', 'lent_till')
    local own = tonumber(limit)
    if set[1] and holds(set[2], now) then own = tonumber(set[1]) end
    local lent = 0
    if set[4] and tonumber(set[5]) > now then lent = tonumber(set[4]) end
    return own, own + lent, holds(set[3], now) and set[3]
end

local function keep(state, now)
    local ends = redis.call('HMGET', state, 'limit_till', 'block_till', 'lent_cool')
    local last = 0
    for at = 1, 3 do
        if ends[at] == '0' then return redis.call('PERSIST', state) end
        if ends[at] and tonumber(ends[at]) > last then last = tonumber(ends[at]) end
    end
    if last > now then redis.call('PEXPIRE', state, last - now) else redis.call('DEL', state) end
end

-- members, state | key, epoch, manager, limit, not after, lease, longest lease, dead, then key, lives of each victim
local function enter(keys, args)
    local now = time()
    if now > tonumber(args[5]) then return {now, LATE} end
    local _, limit, block = terms(keys[2], args[4], now)
    if block then return {now, BLOCKED, block} end
    local key, epoch, manager, dead = args[1], args[2], tonumber(args[3]), set_of(args[8])
    local value, taken = redis.call('HGET', keys[1], key), 0
    if value then
        local held = living(value, now, dead)
        if held == '' then redis.call('HDEL', keys[1], key) end
        value = held
    end
    local late = false
    if not value or value == '' then
        value = ''
        local held = redis.call('HLEN', keys[1])
        if held >= limit then
            local rows = purge(keys[1], now, dead)
            local missing = #rows / 2 + 1 - limit
            if missing > 0 then
                local values = {}
                for at = 1, #rows, 2 do values[rows[at]] = rows[at + 1] end
                for at = 0, missing - 1 do
                    local victim = values[args[9 + 2 * at] or '']
                    if not victim or lives_of(victim) ~= args[10 + 2 * at] then return {now, FULL, limit, rows} end
                    values[args[9 + 2 * at]] = nil
                end
                for at = 0, missing - 1 do redis.call('HDEL', keys[1], args[9 + 2 * at]) end
                taken = missing
            end
        end
    end
    local entered = changed(value, epoch, function(owner, part)
        if owner and owner > manager then
            late = true
            return part
        end
        if owner == manager and struct.unpack('>I2', part, 27) < 32768 then return part end
        return struct.pack(PART, epoch, manager, now + tonumber(args[6]), now, 32768, 0, '')
    end)
    if late then return {now, LATE} end
    local others = changed(value, epoch, function() return nil end)
    put(keys[1], key, entered)
    redis.call('PEXPIRE', keys[1], args[7])
    return {now, ENTERED, redis.call('HLEN', keys[1]), others, taken}
end

-- members | key, epoch, manager
local function leave(keys, args)
    local now, gone = time(), 0
    local value = redis.call('HGET', keys[1], args[1])
    if value then
        local rest = changed(value, args[2], function(manager, part)
            if manager ~= tonumber(args[3]) then return part end
            gone = 1
            return nil
        end)
        if gone == 1 then put(keys[1], args[1], rest) end
    end
    return {now, gone, redis.call('HLEN', keys[1])}
end

-- members | epoch, lease, longest lease, then key, manager, state, signals of each
local function publish(keys, args)
    local now, lost = time(), {}
    for at = 4, #args, 4 do
        local value, manager = redis.call('HGET', keys[1], args[at]), tonumber(args[at + 1])
        local found = false
        local next = changed(value or '', args[1], function(owner, part)
            if owner ~= manager then return part end
            found = true
            return struct.pack(PART, args[1], manager, now + tonumber(args[2]), now, tonumber(args[at + 2]),
                #args[at + 3], args[at + 3])
        end)
        if found then redis.call('HSET', keys[1], args[at], next) else lost[#lost + 1] = args[at] end
    end
    redis.call('PEXPIRE', keys[1], args[3])
    return {now, redis.call('HLEN', keys[1]), lost}
end

-- members, state | epoch, limit, not after, lease, longest lease, dead, then key, manager, state, signals of each
local function reassert(keys, args)
    local now, dead = time(), set_of(args[6])
    if now > tonumber(args[3]) then return {now, LATE} end
    local _, limit = terms(keys[2], args[2], now)
    for at = 7, #args, 4 do
        local value, manager = redis.call('HGET', keys[1], args[at]) or '', tonumber(args[at + 1])
        local next = changed(living(value, now, dead), args[1], function(owner, part)
            if owner and owner > manager then return part end
            return struct.pack(PART, args[1], manager, now + tonumber(args[4]), now,
                32768 + tonumber(args[at + 2]) % 32768, #args[at + 3], args[at + 3])
        end)
        put(keys[1], args[at], next)
    end
    redis.call('PEXPIRE', keys[1], args[5])
    local held = redis.call('HLEN', keys[1])
    if held > limit then held = #purge(keys[1], now, dead) / 2 end
    return {now, ENTERED, held, math.max(held - limit, 0)}
end

-- members, state | limit, dead
local function read(keys, args)
    local now = time()
    local _, limit, block = terms(keys[2], args[1], now)
    return {now, limit, block or '', purge(keys[1], now, set_of(args[2]))}
end

-- state | field, value or empty, for how long or 0
local function lever(keys, args)
    local now, field, lasting = time(), args[1], tonumber(args[3])
    if args[2] == '' then
        redis.call('HDEL', keys[1], field, field .. '_till')
    else
        redis.call('HSET', keys[1], field, args[2], field .. '_till', lasting > 0 and now + lasting or 0)
    end
    keep(keys[1], now)
    return {now}
end

-- members, state | limit, slots, lasting, cool-down, dead
local function lend(keys, args)
    local now = time()
    local own = terms(keys[2], args[1], now)
    local before = redis.call('HMGET', keys[2], 'lent_till', 'lent_cool')
    if before[1] and tonumber(before[1]) > now then return {now, 1, before[1]} end
    if before[2] and tonumber(before[2]) > now then return {now, 2, before[2]} end
    if redis.call('HLEN', keys[1]) > own and #purge(keys[1], now, set_of(args[5])) / 2 > own then
        return {now, 2, now}
    end
    local till = now + tonumber(args[3])
    redis.call('HSET', keys[2], 'lent', args[2], 'lent_till', till, 'lent_cool', till + tonumber(args[4]))
    keep(keys[2], now)
    return {now, 0, till}
end

-- document, files that it names, files that it drops | number before, files named, text, their digests, the text's mark
-- Answers with 1 and the new number, or with 0 and the one that is there.
local function replace(keys, args)
    local now, number = time(), tonumber(redis.call('HGET', keys[1], 'number') or 0)
    if number ~= tonumber(args[1]) then return {now, 0, number} end
    local named = tonumber(args[2])
    for at = 2, 1 + named do
        if redis.call('PERSIST', keys[at]) == 0 and redis.call('EXISTS', keys[at]) == 0 then
            return redis.error_reply('a file that the document names is not kept')
        end
    end
    if #keys > 1 + named then redis.call('DEL', unpack(keys, 2 + named)) end
    redis.call('HSET', keys[1], 'number', number + 1, 'text', args[3], 'files', args[4],
        'mark', args[5])
    return {now, 1, number + 1}
end

-- nodes, dead | name, epoch, mode, dead after, dead kept, what it publishes
-- The field '' of `nodes` is about the engine: when the last beat came, and since when beats have come without a gap.
local function beat(keys, args)
    local now, name, epoch, mode, after = time(), args[1], args[2], args[3], tonumber(args[4])
    local rows, nodes, known, known_at, known_value = redis.call('HGETALL', keys[1]), {}, nil, 0, nil
    local last, since = 0, now
    for at = 1, #rows, 2 do
        if rows[at] == '' then last, since = struct.unpack('>I6I6', rows[at + 1]) end
    end
    -- While nobody's beats came, the engine was away: that is no evidence against a node.
    if now - last > after / 2 then since = now end
    local function bury(name, epoch)
        redis.call('ZADD', keys[2], now, epoch)
        redis.call('HDEL', keys[1], name)
    end
    for at = 1, #rows, 2 do
        if rows[at] ~= '' then
            local owner, seen = struct.unpack('>c8I6', rows[at + 1])
            local overdue = math.max(seen, since) + after <= now
            if rows[at] == name then
                known, known_at, known_value = owner, overdue and 0 or 1, rows[at + 1]
            elseif overdue then
                bury(rows[at], owner)
            else
                nodes[#nodes + 1] = rows[at]
                nodes[#nodes + 1] = rows[at + 1]
            end
        end
    end
    local status = LIVE
    if mode == 'end' then
        if known == epoch then bury(name, epoch) end
    elseif redis.call('ZSCORE', keys[2], epoch) then
        status = DEAD
        if known_at == 1 then
            nodes[#nodes + 1] = name
            nodes[#nodes + 1] = known_value
        end
    elseif known and known ~= epoch and known_at == 1 and mode ~= 'start' then
        status = TAKEN
        nodes[#nodes + 1] = name
        nodes[#nodes + 1] = known_value
    else
        if not known then status = NEW end
        if known and known ~= epoch then bury(name, known); status = NEW end
        local value = struct.pack('>c8I6', epoch, now) .. args[6]
        redis.call('HSET', keys[1], name, value)
        nodes[#nodes + 1] = name
        nodes[#nodes + 1] = value
    end
    redis.call('HSET', keys[1], '', struct.pack('>I6I6', now, since))
    redis.call('ZREMRANGEBYSCORE', keys[2], '-inf', now - tonumber(args[5]))
    redis.call('ZREMRANGEBYRANK', keys[2], 0, -DEAD_MAX - 1)
    local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
    return {now, status, run, nodes, table.concat(redis.call('ZRANGE', keys[2], 0, -1))}
end
