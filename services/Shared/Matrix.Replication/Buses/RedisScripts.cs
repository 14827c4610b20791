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
}
