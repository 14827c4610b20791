namespace Matrix.Storage.Keys;

/// <summary>How much of keys is taken in. The specification names no limits; these are far beyond what clients need.</summary>
public static class KeyLimits
{
    /// <summary>Characters of user, device and key ids, algorithms.</summary>
    public const int Id = 255;
    /// <summary>One-time keys that a device may have. Clients keep 50 to 100.</summary>
    public const int OneTimeKeys = 1000;
    public const int FallbackKeys = 20;
    /// <summary>Bytes of canonical JSON.</summary>
    public const int DeviceKeys = 64 * 1024, OneTimeKey = 8 * 1024;
    /// <summary>Users, and devices, that one request may ask about.</summary>
    public const int Users = 10_000, Devices = 10_000;
    public const int SignaturesAtOnce = 2000;
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10), LongestTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Waiting for other servers. Spec: timeout, milliseconds.</summary>
    public static TimeSpan Timeout(long? ms) =>
        ms is null ? DefaultTimeout : TimeSpan.FromMilliseconds(Math.Clamp(ms.Value, 0, (long)LongestTimeout.TotalMilliseconds));
}
