using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Json;

namespace Matrix.Web.Keys;

/// <summary>
/// What is asked about keys: clients and other servers use the same words. Whose users they are is for the caller to judge, and whether the names are of users at all.
/// </summary>
public static class KeyRequests
{
    /// <returns>Device ids by user; an empty list: all of them.</returns>
    public static Dictionary<string, IReadOnlyList<string>> Query(JsonElement request)
    {
        var asked = request.ObjectOrNull("device_keys") ?? throw MatrixError.BadJson("Missing 'device_keys'").AsException();
        var users = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var devices = 0;
        foreach (var member in asked.EnumerateObject())
        {
            if (users.Count == KeyLimits.Users) throw MatrixError.InvalidParam("Too many users at once.").AsException();
            // Synapse: null and an empty object stand for an empty list; old clients sent them.
            var ids = member.Value.ValueKind switch
            {
                JsonValueKind.Array => [.. member.Value.EnumerateArray().Select(DeviceId)],
                JsonValueKind.Null or JsonValueKind.Object => (List<string>)[],
                _ => throw MatrixError.BadJson("'device_keys' must map users to lists").AsException(),
            };
            devices += ids.Count;
            if (devices > KeyLimits.Devices) throw MatrixError.InvalidParam("Too many devices at once.").AsException();
            users[member.Name] = ids;
        }
        return users;
    }

    private static string DeviceId(JsonElement id) =>
        id.ValueKind == JsonValueKind.String ? KeyJson.Id(id.GetString()!, "device id") : throw MatrixError.BadJson("Device ids must be strings").AsException();

    public static List<DeviceWish> Wishes(IReadOnlyDictionary<string, IReadOnlyList<string>> users)
    {
        var wishes = new List<DeviceWish>(users.Count);
        foreach (var (user, devices) in users)
        {
            if (devices.Count == 0) wishes.Add(new DeviceWish(user, null));
            else wishes.AddRange(devices.Distinct().Select(d => new DeviceWish(user, d)));
        }
        return wishes;
    }

    /// <returns>Algorithms by user and device.</returns>
    public static Dictionary<string, IReadOnlyDictionary<string, string>> Claim(JsonElement request)
    {
        var asked = request.ObjectOrNull("one_time_keys") ?? throw MatrixError.BadJson("Missing 'one_time_keys'").AsException();
        var users = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
        var devices = 0;
        foreach (var user in asked.EnumerateObject())
        {
            if (user.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'one_time_keys' must map users to devices").AsException();
            var wanted = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var device in user.Value.EnumerateObject())
            {
                if (++devices > KeyLimits.Devices) throw MatrixError.InvalidParam("Too many devices at once.").AsException();
                if (device.Value.ValueKind != JsonValueKind.String) throw MatrixError.BadJson("Algorithms must be strings").AsException();
                wanted[KeyJson.Id(device.Name, "device id")] = KeyJson.Id(device.Value.GetString()!, "algorithm");
            }
            if (wanted.Count > 0) users[user.Name] = wanted;
        }
        return users;
    }

    public static IEnumerable<KeyWish> Wishes(string userId, IReadOnlyDictionary<string, string> devices) => devices.Select(d => new KeyWish(userId, d.Key, d.Value));
}
