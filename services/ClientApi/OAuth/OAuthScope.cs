namespace Matrix.ClientApi.OAuth;

/// <summary>
/// Scopes of the Matrix API. The device is part of the scope: the client names it. Names from before MSC2967 was accepted mean the same.
/// Spec: client-server-api/#scope
/// </summary>
internal static class OAuthScope
{
    private const string Api = "urn:matrix:client:api:*";
    private const string UnstableApi = "urn:matrix:org.matrix.msc2967.client:api:*";
    private const string Device = "urn:matrix:client:device:";
    private const string UnstableDevice = "urn:matrix:org.matrix.msc2967.client:device:";
    private const int MaxDevice = 255;
    private const int MaxScope = 2048;

    /// <summary>What is granted of a wanted scope, and its device; null: it cannot be granted. What is not known is not granted (RFC 6749 3.3).</summary>
    public static (string Scope, string DeviceId)? Read(string? wanted)
    {
        if (wanted is null or { Length: > MaxScope }) return null;
        var granted = new List<string>();
        string? device = null;
        var hasApi = false;
        foreach (var token in wanted.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (token.Any(c => c is not ('!' or (>= '#' and <= '[') or (>= ']' and <= '~')))) return null;
            if (token is Api or UnstableApi) hasApi = true;
            else if (DeviceOf(token) is { } id)
            {
                if (device is not null || id.Length is 0 or > MaxDevice) return null;
                device = id;
            }
            else continue;
            if (!granted.Contains(token)) granted.Add(token);
        }
        return hasApi && device is not null ? (string.Join(' ', granted), device) : null;
    }

    private static string? DeviceOf(string token) =>
        token.StartsWith(Device, StringComparison.Ordinal) ? token[Device.Length..]
        : token.StartsWith(UnstableDevice, StringComparison.Ordinal) ? token[UnstableDevice.Length..] : null;
}
