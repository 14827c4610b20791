namespace Matrix.Replication.Buses;

/// <summary>
/// Ephemeral streams in Redis. Keys of a stream, all with the prefix as hash tag so that a cluster keeps them together:
/// <c>{prefix}:e:STREAM</c> hash of p (position) and b (where it began); <c>{prefix}:i:STREAM</c> sorted set of row keys by position;
/// <c>{prefix}:v:STREAM:KEY</c> newest payload of a key.
/// </summary>
internal static class RedisScripts
{
    /// <summary>
    /// KEYS: hash, index, value. ARGV: row key, payload, lifetime in ms, keys kept, channel, first byte of a frame, rest of the frame after its
    /// positions. Returns the position. A new stream begins at the clock, so positions ascend even when everything was lost.
    /// </summary>
    public const string Publish =
        """
        if redis.call('HEXISTS', KEYS[1], 'p') == 0 then
          local t = redis.call('TIME')
          local base = string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2]))
          redis.call('HSET', KEYS[1], 'p', base)
          redis.call('HSET', KEYS[1], 'b', base)
        end
        local pos = redis.call('HINCRBY', KEYS[1], 'p', 1)
        redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
        redis.call('ZADD', KEYS[2], string.format('%.0f', pos), ARGV[1])
        redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
        redis.call('PUBLISH', ARGV[5], ARGV[6] .. struct.pack('<i8i8', pos - 1, pos) .. ARGV[7])
        return string.format('%.0f', pos)
        """;

    /// <summary>
    /// KEYS: hash, index. ARGV: after this position, at most so many, prefix of value keys. Returns base, position covered, then key, position and
    /// payload of each row that is still kept.
    /// </summary>
    public const string Read =
        """
        local head = redis.call('HMGET', KEYS[1], 'b', 'p')
        if not head[2] then return {'0', '0'} end
        local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
        local out = {head[1], head[2]}
        if #found == 2 * tonumber(ARGV[2]) then out[2] = string.format('%.0f', tonumber(found[#found])) end
        for i = 1, #found, 2 do
          local value = redis.call('GET', ARGV[3] .. found[i])
          if value then
            out[#out + 1] = found[i]
            out[#out + 1] = string.format('%.0f', tonumber(found[i + 1]))
            out[#out + 1] = value
          end
        end
        return out
        """;

    /// <summary>
    /// A token bucket: hash of l (tokens given that have not come back) and t (when that was, ms by Redis' clock, which all instances share).
    /// KEYS: bucket. ARGV: tokens a second, how many it holds, how many are wanted at most. Returns tokens given, ms until the next when there is none.
    /// Nothing is written when nothing is given; a bucket that is full again is forgotten.
    /// </summary>
    public const string Take =
        """
        local t = redis.call('TIME')
        local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
        local rate, burst, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local held = redis.call('HMGET', KEYS[1], 'l', 't')
        local level = 0
        if held[1] then level = math.max(0, tonumber(held[1]) - math.max(0, now - tonumber(held[2])) * rate / 1000) end
        local free = math.floor(burst - level + 0.000001)
        if free < 1 then return {'0', string.format('%.0f', math.ceil((level + 1 - burst) * 1000 / rate))} end
        local taken = math.min(most, free)
        if taken > 0 then
          level = level + taken
          redis.call('HSET', KEYS[1], 'l', string.format('%.6f', level))
          redis.call('HSET', KEYS[1], 't', string.format('%.0f', now))
          redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(level * 1000 / rate) + 1000))
        end
        return {string.format('%.0f', taken), '0'}
        """;
}
